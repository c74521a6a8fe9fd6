"""Who may send."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from node.scp.admission import Admission, Caller, Seats, Source

SCANNER = Source("scanner", "MR1", ("10.0.0.7",))
ANYWHERE = Source("pacs", "PACS", ())
BOUND = Source("bound", "MR2", (), certificate_name="mr2.example")


def caller(calling: str, host: str = "10.0.0.7", *, called: str = "MRICORE", certificate: str = "") -> Caller:
    return Caller(calling, called, host, certificate)


def listed() -> Admission:
    return Admission("MRICORE", False, [SCANNER, ANYWHERE, BOUND])


def reason(admission: Admission, who: Caller) -> tuple[int, int, int] | None:
    refused = admission.judge(who)
    return (refused.result, refused.source, refused.diagnostic) if refused else None


def test_a_listed_sender_may_send_from_its_host() -> None:
    assert listed().judge(caller("MR1")) is None


def test_a_sender_without_hosts_may_send_from_anywhere() -> None:
    assert listed().judge(caller("PACS", "192.0.2.1")) is None


def test_another_called_ae_title_is_refused_even_when_anybody_may_send() -> None:
    assert reason(Admission("MRICORE", True, []), caller("MR1", called="OTHER")) == (1, 1, 7)


@pytest.mark.parametrize("who", [caller("MR1", "10.0.0.8"), caller("NOBODY")], ids=["other host", "unknown AE"])
def test_whoever_is_not_listed_is_refused_for_good(who: Caller) -> None:
    assert reason(listed(), who) == (1, 1, 3)


def test_anybody_may_send_where_the_site_says_so() -> None:
    assert Admission("MRICORE", True, [SCANNER]).judge(caller("NOBODY", "192.0.2.1")) is None


def test_a_sender_admitted_by_a_person_may_send() -> None:
    admission = Admission("MRICORE", False, [], lambda ae, host: (ae, host) == ("NEW", "192.0.2.1"))
    assert admission.judge(caller("NEW", "192.0.2.1")) is None
    assert reason(admission, caller("NEW", "192.0.2.2")) == (1, 1, 3)


def test_an_ae_title_bound_to_a_certificate_needs_it() -> None:
    assert listed().judge(caller("MR2", certificate="mr2.example")) is None
    assert reason(listed(), caller("MR2", certificate="mr3.example")) == (1, 1, 3)
    assert reason(listed(), caller("MR2")) == (1, 1, 3)


def test_an_ae_title_bound_to_a_certificate_is_nobody_elses_even_when_anybody_may_send() -> None:
    assert reason(Admission("MRICORE", True, [BOUND], lambda *_: True), caller("MR2")) == (1, 1, 3)


@dataclass
class Guest:
    """An association as Seats sees it."""

    is_rejected: bool = False
    is_aborted: bool = False
    is_released: bool = False
    alive: bool = True

    def is_alive(self) -> bool:
        return self.alive


def test_a_seat_is_free_again_when_its_association_ends() -> None:
    seats = Seats(2)
    first, second = Guest(), Guest()
    assert seats.take(first)
    assert seats.take(second)
    assert not seats.take(Guest())
    first.is_released = True
    assert seats.take(Guest())
    second.alive = False
    assert seats.take(Guest())
    assert not seats.take(Guest())
