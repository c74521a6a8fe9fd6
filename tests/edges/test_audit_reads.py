"""What is only read is in the audit trail too: soon, in few transactions, and never at the cost of who receives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from node.adapters.database import audit
from node.adapters.database.audit import Numbered
from node.core.access import Role
from node.core.audit import Kept, What
from node.core.audit.transfers import Transfer
from node.core.status import Meaning
from node.errors import StoreUnavailable
from node.pipeline.access.reads import Reader, Reads
from node.worker.trail_writer import TrailWriter
from tests.clock import Clock
from tests.delivering import site
from tests.doors import House, whole_house
from tests.fakes import FakeDestination
from tests.receiving import Store, encoded
from tests.synthetic import Grid, mr_series

ANNA = Reader("anna", "192.0.2.7")


@pytest.fixture
def reads(store: Store) -> Reads:
    return Reads(store.database, store.clock)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with whole_house(tmp_path) as built:
        built.add("anna", Role.ADMIN)
        built.add("bernd", Role.VIEWER, sees_patients=False)
        yield built


def lines(store: Store, *what: What) -> list[Numbered]:
    """Of the trail, the oldest first."""
    return [one for one in audit.after(store.database, 0, 1000) if not what or one.line.what in what]


def test_what_was_read_is_written_down_by_who_and_when_it_was_read(store: Store, clock: Clock, reads: Reads) -> None:
    then = clock()
    reads.tell(What.FOUND, "C-FIND study root", "{}", ANNA)
    clock.advance(5)
    assert lines(store) == []
    assert reads.write()
    assert not reads.write()
    (one,) = lines(store)
    assert (one.line.at, one.line.actor, one.line.address) == (then, "anna", "192.0.2.7")
    assert audit.broken(store.database) == ()


def test_the_same_is_told_once_in_ten_minutes_of_each_reader(store: Store, clock: Clock, reads: Reads) -> None:
    def ask(reader: Reader, text: str) -> None:
        reads.tell(What.SEARCHED, "/admin/", text, reader, (text,))

    for _ in range(3):
        ask(ANNA, "A1")
    ask(Reader("bernd", "192.0.2.7"), "A1")
    ask(ANNA, "A2")
    clock.advance(601)
    ask(ANNA, "A1")
    reads.write()
    told = [(one.line.actor, one.line.after) for one in lines(store)]
    assert told == [("anna", "A1"), ("bernd", "A1"), ("anna", "A2"), ("anna", "A1")]


def test_what_is_not_wanted_is_not_kept(store: Store) -> None:
    reads = Reads(store.database, store.clock, [Kept.RETRIEVALS])
    reads.tell(What.FOUND, "C-FIND study root", "{}", ANNA)
    reads.tell(What.SENT, "study 1.2", "{}", ANNA)
    reads.write()
    assert [one.line.what for one in lines(store)] == [What.SENT]


def test_more_than_can_be_written_down_fills_no_memory_and_leaves_a_line_that_says_so(store: Store) -> None:
    reads = Reads(store.database, store.clock, waiting=3)
    for number in range(5):
        reads.tell(What.SENT, f"study {number}", "x" * 100_000, ANNA)
    reads.write()
    *kept, gap = lines(store)
    assert [one.line.object for one in kept] == ["study 0", "study 1", "study 2"]
    assert {len(one.line.after) for one in kept} == {8000}
    assert (gap.line.what, gap.line.ok, json.loads(gap.line.after)) == (What.GAP, False, {"lines": 2})
    reads.tell(What.SENT, "study 5", "", ANNA)
    reads.write()
    assert lines(store)[-1].line.object == "study 5"


def test_what_could_not_be_written_waits(store: Store, clock: Clock, reads: Reads) -> None:
    with store.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO away")
    reads.tell(What.SENT, "study 1", "", ANNA)
    with pytest.raises(StoreUnavailable):
        reads.write()
    with store.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO audit")
    reads.write()
    assert [one.line.object for one in lines(store)] == ["study 1"]


def test_a_node_that_stops_has_written_all_of_it(store: Store, reads: Reads) -> None:
    writer = TrailWriter(reads, store.clock)
    for number in range(1200):
        reads.tell(What.SENT, f"study {number}", "", ANNA)
    writer.start()
    writer.stop(60)
    assert len(audit.after(store.database, 0, 2000)) == 1200


def test_two_who_write_at_once_write_each_line_once(store: Store, reads: Reads) -> None:
    """The end of a node does not wait long for the thread that writes."""
    for number in range(600):
        reads.tell(What.SENT, f"study {number}", "", ANNA)
    with store.database.transaction():  # nobody else may write yet
        writing = [threading.Thread(target=reads.write) for _ in range(2)]
        for one in writing:
            one.start()
        sleep(0.2)
    for one in writing:
        one.join()
    assert [one.line.object for one in lines(store)] == [f"study {number}" for number in range(600)]


# Pages and API


def test_who_searched_for_whom_is_told_and_shown_only_to_who_may_see_patients(home: House) -> None:
    for ds in mr_series(Grid(slices=1), change={"PatientName": "Yamada^Tarou", "PatientID": "P-4711-X"}):
        home.store.receive(encoded(ds))
    home.add("carla", Role.ADMIN, sees_patients=False)
    anna = home.signed_in("anna")
    assert anna.post("/api/v1/trace", json={"text": "yamada"}).json()["series"]
    assert anna.post("/api/v1/trace", json={"text": ""}).status_code == 200  # every series: nobody was looked for
    there = anna.post("/admin/search", json={"text": "P-4711-X"}).json()["address"]
    assert "4711" not in there
    assert anna.get(there).status_code == 303
    home.doors.reads.write()
    told = [(one.line.actor, one.line.object, one.line.after) for one in lines(home.store, What.SEARCHED)]
    assert told == [("anna", "/api/v1/trace", "yamada"), ("anna", "/admin/", "P-4711-X")]
    seen = {name: home.signed_in(name).get("/admin/audit").text for name in ("anna", "carla")}
    assert {name: "P-4711-X" in text for name, text in seen.items()} == {"anna": True, "carla": False}


def test_a_search_that_was_refused_is_no_search(home: House) -> None:
    assert home.client().post("/api/v1/trace", json={"text": "yamada"}).status_code == 401
    assert home.signed_in("anna").post("/api/v1/trace", json={"text": "x" * 10_000}).status_code == 422
    home.doors.reads.write()
    assert lines(home.store, What.SEARCHED) == []


# Deliveries


def test_what_went_to_a_destination_is_told_with_what_it_said_to_it(tmp_path: Path) -> None:
    with site(tmp_path) as at:
        at.destinations["pacs"] = pacs = FakeDestination("pacs")
        number = at.job("pacs")
        pacs.down = True
        at.attempt(number)
        assert audit.after(at.database, 0, 9) == []  # nothing went anywhere
        pacs.down = False
        assert at.attempt(number) == "delivered to pacs"
        (one,) = audit.after(at.database, 0, 9)
        assert (one.line.what, one.line.actor, one.line.ok) == (What.DELIVERED, "node", True)
        went = Transfer.read(one.line.after)
        assert (went.to, went.job, sum(went.sop_classes.values())) == ("pacs", number, 2)


def test_what_a_destination_refused_is_told_as_refused(tmp_path: Path) -> None:
    with site(tmp_path) as at:
        at.destinations["pacs"] = pacs = FakeDestination("pacs")
        pacs.answers["SEG"] = [Meaning.REFUSED]
        at.attempt(at.job("pacs"))
        told = [(one.line.ok, sum(Transfer.read(one.line.after).sop_classes.values()))
                for one in audit.after(at.database, 0, 9)]  # fmt: skip
        assert told == [(True, 1), (False, 1)]
