"""How often a client may ask: a burst, then so many a second, for a bounded number of clients."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.core.rates import Rates


def test_a_burst_goes_through_and_then_one_waits_for_the_next() -> None:
    rates = Rates(per_second=10, burst=3)
    assert [rates.wait("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert rates.wait("a", 0.0) == 0.1
    assert rates.wait("a", 0.1) == 0.0
    assert rates.wait("a", 0.1) > 0


def test_one_client_does_not_spend_what_is_another_s() -> None:
    rates = Rates(per_second=1, burst=1)
    assert rates.wait("192.0.2.1", 0.0) == 0
    assert rates.wait("192.0.2.2", 0.0) == 0
    assert rates.wait("192.0.2.1", 0.0) > 0


def test_a_network_of_ipv6_addresses_is_one_client() -> None:
    rates = Rates(per_second=1, burst=1)
    assert rates.wait("2001:db8:0:1::1", 0.0) == 0
    assert rates.wait("2001:db8:0:1:ffff::2", 0.0) > 0
    assert rates.wait("2001:db8:0:2::1", 0.0) == 0
    assert rates.wait("::ffff:192.0.2.1", 0.0) == 0
    assert rates.wait("::ffff:192.0.2.2", 0.0) == 0


def test_no_more_clients_are_kept_in_mind_than_was_said() -> None:
    rates = Rates(per_second=1, burst=1, most=100)
    for number in range(10_000):
        rates.wait(f"client {number}", float(number))
    assert len(rates) == 100


@given(
    per_second=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(-1, 2), min_size=1, max_size=200),
)
def test_never_more_come_through_than_burst_and_rate_allow(per_second: float, burst: int, pauses: list[float]) -> None:
    rates, now, latest, through = Rates(per_second, burst), 100.0, 100.0, 0
    gained = 0.0
    for pause in pauses:
        gained += max(0.0, pause)  # a clock that goes back gives nothing away
        now += pause
        latest = max(latest, now)
        through += rates.wait("a", now) == 0
    assert through <= burst + gained * per_second + 1e-6
