"""Delivery: nothing is lost and nothing sent twice, whatever a destination does, for however long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from node.adapters.database import jobs, pauses
from node.adapters.database.balance import balance
from node.adapters.destinations import Outcome, Outgoing
from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.storescu import Peer
from node.adapters.files import Files
from node.core.breaker import CLOSED
from node.core.status import Meaning
from node.core.windows import Window
from node.errors import BadInstance, DestinationUnavailable
from node.pipeline.gate import Policy
from node.pipeline.models import Models
from node.web.health import Health
from tests.delivering import Site, site
from tests.fakes import FakeDestination, FakeModels

HOUR = 3600.0


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as opened:
        yield opened


def out(at: Site, *names: str) -> list[FakeDestination]:
    made = [FakeDestination(name) for name in names]
    at.destinations.update({one.name: one for one in made})
    return made


def test_a_destination_that_is_down_for_72_hours_gets_everything_when_it_is_back(at: Site) -> None:
    (pacs,) = out(at, "PACS2")
    asked = []
    pacs.during, pacs.down = (lambda: asked.append(at.clock())), True
    numbers = [at.job("PACS2") for _ in range(4)]
    begin = at.clock()
    while at.clock() - begin < timedelta(hours=72):
        at.run()
        at.clock.advance(900)
    said = at.attempt(numbers[0])
    since = begin.astimezone()
    assert said.startswith(f"waiting for PACS2 since {since:%Y-%m-%d %H:%M %Z}, 8 queued, next try ")
    assert {at.state(one) for one in numbers} == {"scheduled"}
    assert len(asked) < 72 * 6  # a probe now and then, not every job for ever
    pacs.down = False
    at.clock.advance(900)
    at.run()
    at.run()
    assert {at.state(one) for one in numbers} == {"completed"}
    assert len(pacs.taken) == 8
    assert at.breaker("PACS2") == CLOSED
    assert balance(at.database).residue == 0


def test_a_destination_whose_breaker_is_open_is_not_asked(at: Site) -> None:
    (pacs,) = out(at, "pacs")
    pacs.down = True
    first, second = at.job("pacs"), at.job("pacs")
    for _ in range(3):
        at.attempt(first)
    asked = []
    pacs.during = lambda: asked.append("")
    said = at.attempt(second)
    assert said.startswith("waiting for pacs since ")
    assert ", 4 queued, next try " in said
    assert said.endswith("(pacs cannot be reached)")
    assert asked == []
    assert [attempts for *_, attempts in at.answers(second)] == [0, 0]


def test_it_is_tried_again_at_the_time_that_was_told(at: Site) -> None:
    (pacs,) = out(at, "pacs")
    pacs.down = True
    number, told = at.job("pacs"), None
    for _ in range(8):
        at.attempt(number)
        told = at.breaker("pacs").next_try_at
        if told:
            at.clock.at = told
    pacs.down = False
    asked: list[datetime] = []
    pacs.during = lambda: asked.append(at.clock())
    at.clock.advance(-1)
    assert at.run() == []
    at.clock.advance(1)
    assert at.run() == ["delivered to pacs"]
    assert asked == [told]


@pytest.mark.parametrize("named", ["pacs1", "both"])
def test_who_resumes_a_destination_that_failed_has_it_tried_at_once(at: Site, named: str) -> None:
    first, second = out(at, "pacs1", "pacs2")
    at.groups["both"] = ("pacs1", "pacs2")
    first.down = second.down = True
    number = at.job(named)
    for _ in range(3):
        at.attempt(number)
    pauses.pause(at.database, pauses.DESTINATION, "pacs1", "anna", at.clock())
    first.down = False
    assert at.run() == []
    pauses.resume(at.database, pauses.DESTINATION, "pacs1", at.clock(), "anna", ["both"])
    assert at.breaker("pacs1").next_try_at == at.clock()
    assert at.run() == [f"delivered to {named}"]
    assert at.breaker("pacs1") == CLOSED


def test_one_worker_probes_and_what_waits_goes_out_as_soon_as_it_answers(at: Site) -> None:
    (pacs,) = out(at, "pacs")
    pacs.down = True
    numbers = [at.job("pacs") for _ in range(4)]
    for _ in range(3):
        at.attempt(numbers[0])
    for one in numbers[1:]:
        at.attempt(one)
    at.clock.advance(60)
    asked: list[str] = []
    pacs.during = lambda: asked.append(at.attempt(numbers[1]) if not asked else "")  # another worker comes meanwhile
    pacs.down = False
    assert at.attempt(numbers[0]) == "delivered to pacs"
    assert asked[0].startswith("waiting for pacs since")
    assert at.run() == ["delivered to pacs"] * 3


class Slow(FakeDestination):
    """Takes what it gets when it is told to."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.go, self.reached = threading.Event(), threading.Event()

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        self.reached.set()
        assert self.go.wait(60)
        return super().deliver(objects)


def test_a_slow_destination_delays_no_other(at: Site) -> None:
    slow = Slow("a-slow")
    (quick,) = out(at, "quick")
    at.destinations["a-slow"] = slow
    number = at.job("a-slow", "quick")
    attempt = threading.Thread(target=lambda: at.attempt(number))
    attempt.start()
    try:
        assert slow.reached.wait(60)
        while len(quick.taken) < 2 and attempt.is_alive():
            threading.Event().wait(0.01)
        assert quick.kinds == ["SEG", "SR"]
        assert slow.kinds == []
    finally:
        slow.go.set()
        attempt.join(60)
    assert at.state(number) == "completed"


def test_a_dead_destination_delays_no_other_and_gets_only_its_own_later(at: Site) -> None:
    dead, quick = out(at, "dead", "quick")
    dead.down = True
    number = at.job("dead", "quick")
    assert "dead cannot be reached" in at.attempt(number)
    assert quick.kinds == ["SEG", "SR"]
    dead.down = False
    assert at.attempt(number) == "delivered to dead, quick"
    assert (dead.kinds, quick.kinds) == (["SEG", "SR"], ["SEG", "SR"])


def test_no_more_deliveries_at_once_than_it_takes(at: Site) -> None:
    slow = Slow("pacs")
    at.destinations["pacs"], at.policies["pacs"] = slow, Policy(max_parallel=1)
    first, second = at.job("pacs"), at.job("pacs")
    attempt = threading.Thread(target=lambda: at.attempt(first))
    attempt.start()
    try:
        assert slow.reached.wait(60)
        assert at.attempt(second) == "waiting for pacs: it takes 1 at once, 4 queued"
    finally:
        slow.go.set()
        attempt.join(60)
    assert at.attempt(second) == "delivered to pacs"


def test_a_peer_that_accepts_connections_and_says_nothing_costs_a_worker_its_time_once(
    at: Site, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        peer = Peer("PACS", "127.0.0.1", silent.getsockname()[1], "MRICORE", timeout_seconds=5)
        at.destinations["pacs"] = DicomPeer("pacs", peer)
        first, second = at.job("pacs"), at.job("pacs")
        assert at.attempt(first).startswith("waiting for pacs since ")
        assert [at.attempt(one).startswith("waiting for pacs since ") for one in (first, second)] == [True, True]
        assert connections(silent) == 1


def connections(listening: socket.socket) -> int:
    count = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(at: Site) -> None:
    class Busy(FakeDestination):
        def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
            self.during()
            raise DestinationUnavailable("busy answers HTTP status 503", retry_after=1800)

    busy, asked = Busy("busy"), []
    busy.during = lambda: asked.append("")
    at.destinations["busy"] = busy
    number = at.job("busy")
    at.attempt(number)
    at.clock.advance(1700)
    at.attempt(number)
    assert asked == [""]
    at.clock.advance(200)
    at.attempt(number)
    assert asked == ["", ""]


def test_in_a_maintenance_window_it_is_left_alone(at: Site) -> None:
    (pacs,) = out(at, "pacs")
    local = at.clock().astimezone()
    begin, end = local - timedelta(hours=1), local + timedelta(hours=2)
    at.policies["pacs"] = Policy(windows=(Window.read(f"{begin:%H:%M}-{end:%H:%M}"),))
    number = at.job("pacs")
    said = at.attempt(number)
    assert said.startswith("waiting for pacs: maintenance until ")
    assert said.endswith(f"{end:%H:%M %Z}, 2 queued")
    assert pacs.taken == []
    at.clock.advance(2 * HOUR)
    assert at.attempt(number) == "delivered to pacs"


def test_a_group_takes_the_next_member_when_one_is_down(at: Site) -> None:
    first, second = out(at, "pacs1", "pacs2")
    at.groups["pacs"] = ("pacs1", "pacs2")
    first.down = True
    number = at.job("pacs")
    assert at.attempt(number) == "delivered to pacs"
    assert (first.kinds, second.kinds) == ([], ["SEG", "SR"])
    assert {answer for _, _, answer, _ in at.answers(number)} == {"pacs2: 0000"}


def test_a_group_goes_on_where_one_member_broke_off_and_a_refusal_ends_it(at: Site) -> None:
    first, second = out(at, "pacs1", "pacs2")
    at.groups["pacs"] = ("pacs1", "pacs2")
    first.answers = {"SR": [Meaning.WAIT]}
    assert at.attempt(at.job("pacs")) == "delivered to pacs"
    assert (first.kinds, second.kinds) == (["SEG"], ["SR"])
    first.answers = {"SEG": [Meaning.REFUSED]}
    assert at.attempt(at.job("pacs")) == "pacs answered pacs1: 0122"
    assert second.kinds == ["SR"]


def test_a_group_whose_members_are_all_down_says_so_of_each(at: Site) -> None:
    for one in out(at, "pacs1", "pacs2"):
        one.down = True
    at.groups["pacs"] = ("pacs1", "pacs2")
    assert at.attempt(at.job("pacs")) == "pacs1 cannot be reached; pacs2 cannot be reached"


def test_a_member_that_is_back_makes_what_waits_for_its_group_due(at: Site) -> None:
    only, other = out(at, "pacs1", "pacs2")
    at.groups["pacs"] = ("pacs1", "pacs2")
    only.down = other.down = True
    waiting, direct = at.job("pacs"), at.job("pacs1")
    for _ in range(5):
        at.attempt(waiting)
    only.down = False
    at.clock.advance(600)
    assert at.attempt(direct) == "delivered to pacs1"
    assert at.run() == ["delivered to pacs"]


def test_a_destination_that_nobody_knows_is_a_refusal_with_a_reason(at: Site) -> None:
    number = at.job("gone")
    assert "no destination is called gone" in at.attempt(number)
    assert at.state(number) == "failed"
    found = jobs.refused(at.database, number)
    assert len(found) == 2


def test_a_member_that_went_away_in_the_middle_is_passed_over_and_refuses_nothing(at: Site) -> None:
    first, second = out(at, "pacs1", "pacs2")
    at.groups["pacs"] = ("pacs1", "pacs2")

    def taken_off() -> None:
        at.destinations.pop("pacs2", None)

    first.down, first.during = True, taken_off
    number = at.job("pacs")
    assert at.attempt(number) == "pacs1 cannot be reached; pacs2 is not there any more"
    assert at.state(number) == "scheduled"
    first.during, at.destinations["pacs2"] = lambda: None, second
    assert at.attempt(number) == "delivered to pacs"


def test_a_member_that_is_paused_is_passed_over(at: Site) -> None:
    first, second = out(at, "pacs1", "pacs2")
    at.groups["pacs"] = ("pacs1", "pacs2")
    pauses.pause(at.database, pauses.DESTINATION, "pacs1", "somebody", at.clock())
    assert at.attempt(at.job("pacs")) == "delivered to pacs"
    assert (first.kinds, second.kinds) == ([], ["SEG", "SR"])


def test_metrics_tell_what_waits_and_which_breaker_is_open(at: Site, tmp_path: Path) -> None:
    (pacs,) = out(at, "pacs")
    pacs.down = True
    number = at.job("pacs")
    for _ in range(3):
        at.attempt(number)
    health = Health(at.database, Files(tmp_path / "instances", 0), cast("Models", FakeModels()), list)
    text = health.metrics().decode()
    assert 'mricore_destination_waiting_results{destination="pacs"} 2.0' in text
    assert 'mricore_destination_failures{destination="pacs"} 3.0' in text
    assert 'mricore_destination_breaker_open{destination="pacs"} 1.0' in text


def test_what_was_made_and_is_lost_ends_the_job_and_says_so(at: Site) -> None:
    out(at, "PACS2")
    number = at.job("PACS2")
    for file in at.folder.rglob("seg.dcm"):
        file.unlink()
    with pytest.raises(BadInstance, match="the SEG that was made is not in the store any more"):
        at.attempt(number)


def test_what_was_made_is_waited_for_while_the_disk_that_it_lies_on_is_away(at: Site) -> None:
    out(at, "PACS2")
    number = at.job("PACS2")
    away = at.folder.rename(at.folder.with_name("away"))
    at.folder.mkdir()
    assert "is its disk mounted" in at.attempt(number)
    assert at.state(number) == "scheduled"
    at.folder.rmdir()
    away.rename(at.folder)
    at.attempt(number)
    assert at.state(number) == "completed"
