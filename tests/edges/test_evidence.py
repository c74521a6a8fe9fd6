"""What others say about a series: the PACS it comes from, by C-FIND, and the history of its protocol."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from node.adapters.association import RemoteAE
from node.adapters.database import Database
from node.adapters.database.evidence import earlier_counts, note_count
from node.adapters.database.series import WaitingSeries
from node.adapters.decoding import Decoder
from node.adapters.queryscu import related_instances
from node.core.dicom import Facts, facts
from node.errors import DestinationUnavailable
from node.pipeline.evidence import Evidence, SourceQueries, protocol_key
from tests.bench import POLICY, on_bench
from tests.clock import Clock
from tests.databases import database
from tests.synthetic import Grid, mr_series

__all__ = ["database"]

FIND = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve Information Model – FIND
VERIFICATION = "1.2.840.10008.1.1"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=60)  # the machine may be busy


@dataclass
class Pacs:
    """Answers C-FIND at SERIES level."""

    port: int = 0
    counts: dict[str, str | None] = field(default_factory=dict)
    asked: list[Dataset] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    status: int = 0x0000

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append(event.identifier)
        self.may_answer.wait(50)  # and less than the node does
        if self.status:
            yield self.status, None
            return
        for uid, count in self.counts.items():
            found = Dataset()
            found.QueryRetrieveLevel, found.SeriesInstanceUID = "SERIES", uid
            found.NumberOfSeriesRelatedInstances = count
            yield 0xFF00, found


@contextmanager
def answering(offers: str = FIND) -> Iterator[Pacs]:
    pacs = Pacs()
    pacs.may_answer.set()
    ae = AE(ae_title="PACS")
    ae.add_supported_context(offers)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, pacs.find)])
    assert server is not None
    assert server.socket is not None
    pacs.port = server.socket.getsockname()[1]
    try:
        yield pacs
    finally:
        pacs.may_answer.set()
        ae.shutdown()


def remote(port: int, timeout_seconds: float = 60) -> RemoteAE:
    return RemoteAE("PACS", "127.0.0.1", port, "MRICORE", timeout_seconds)


def waiting(uid: str = "2.25.7", *, last_at: datetime = START, version: int = 1) -> WaitingSeries:
    return WaitingSeries(uid, "2.25.1", version, "SCANNER", "MRICORE", "127.0.0.1", last_at, last_at, ())


@pytest.fixture
def clock() -> Clock:
    return Clock(START + timedelta(seconds=1))


def test_a_pacs_says_how_many_instances_a_series_has() -> None:
    with answering() as pacs:
        pacs.counts = {"2.25.6": "3", "2.25.7": "24"}
        assert related_instances(remote(pacs.port), "2.25.1", "2.25.7") == 24
        asked = pacs.asked[0]
    assert (asked.QueryRetrieveLevel, asked.StudyInstanceUID, asked.SeriesInstanceUID) == (
        "SERIES",
        "2.25.1",
        "2.25.7",
    )


@pytest.mark.parametrize("counts", [{}, {"2.25.6": "3"}, {"2.25.7": None}, {"2.25.7": "0"}])
def test_a_pacs_that_does_not_know_or_does_not_count_is_no_evidence(counts: dict[str, str | None]) -> None:
    with answering() as pacs:
        pacs.counts = counts
        assert related_instances(remote(pacs.port), "2.25.1", "2.25.7") is None


def test_a_pacs_that_is_off_fails_or_offers_no_query_is_unavailable() -> None:
    with answering() as pacs:
        pacs.status = 0xC000
        with pytest.raises(DestinationUnavailable, match="C000"):
            related_instances(remote(pacs.port), "2.25.1", "2.25.7")
    with pytest.raises(DestinationUnavailable, match="cannot be reached"):
        related_instances(remote(pacs.port), "2.25.1", "2.25.7")
    with answering(VERIFICATION) as other, pytest.raises(DestinationUnavailable):
        related_instances(remote(other.port), "2.25.1", "2.25.7")


@contextmanager
def asking(pacs: Pacs, clock: Clock, **options: Any) -> Iterator[SourceQueries]:
    queries = SourceQueries({"SCANNER": remote(pacs.port)}, clock, **{"patience": PATIENCE, **options})
    try:
        yield queries
    finally:
        pacs.may_answer.set()
        queries.close()


def test_the_source_is_asked_when_the_series_is_quiet_and_not_before(clock: Clock) -> None:
    with answering() as pacs, asking(pacs, clock) as queries:
        pacs.counts = {"2.25.7": "24"}
        assert queries.related(waiting(last_at=clock.at)) is None
        assert pacs.asked == []
        assert queries.related(waiting()) == 24


def test_a_sender_without_a_query_is_not_asked(clock: Clock) -> None:
    with answering() as pacs, asking(pacs, clock) as queries:
        assert queries.related(replace(waiting(), calling_ae="ANOTHER")) is None
        assert pacs.asked == []


def test_a_fresh_answer_is_not_asked_for_again_and_an_older_one_is(clock: Clock) -> None:
    with answering() as pacs, asking(pacs, clock) as queries:
        pacs.counts = {"2.25.7": "24"}
        assert [queries.related(waiting()) for _ in range(3)] == [24, 24, 24]
        assert len(pacs.asked) == 1
        clock.advance(1)
        pacs.counts = {"2.25.7": "30"}
        assert queries.related(waiting()) == 30
        assert queries.related(waiting("2.25.8")) is None
        assert queries.related(waiting(version=2)) == 30
        assert len(pacs.asked) == 4


def test_an_answer_from_before_the_last_arrival_does_not_count(clock: Clock) -> None:
    with answering() as pacs, asking(pacs, clock) as queries:
        pacs.counts = {"2.25.7": "10"}
        assert queries.related(waiting()) == 10
        clock.advance(0.5)
        assert queries.related(waiting(last_at=clock.at)) is None


def test_a_silent_pacs_is_left_alone_for_a_while(clock: Clock) -> None:
    with answering() as pacs, asking(pacs, clock) as queries:
        pacs.status = 0xC000
        assert queries.related(waiting()) is None
        assert queries.related(waiting("2.25.8")) is None
        assert len(pacs.asked) == 1
        clock.advance(30)
        pacs.status, pacs.counts = 0x0000, {"2.25.7": "24"}
        assert queries.related(waiting()) == 24


def test_a_slow_pacs_holds_the_clerk_up_for_a_second_and_its_answer_is_used_later(clock: Clock) -> None:
    told = threading.Event()
    a_second = timedelta(seconds=1)
    with answering() as pacs, asking(pacs, clock, patience=a_second, answered=lambda _uid: told.set()) as queries:
        pacs.counts = {"2.25.7": "24"}
        pacs.may_answer.clear()
        assert queries.related(waiting()) is None  # which the PACS has not said
        assert not told.is_set()
        pacs.may_answer.set()
        assert told.wait(60)
        assert queries.related(waiting()) == 24
        assert len(pacs.asked) == 1


# The history of a protocol.


def images(protocol: str = "t1_mprage", name: str = "one") -> list[Facts]:
    return [facts(ds) for ds in mr_series(Grid(slices=4), name=name, change={"ProtocolName": protocol})]


def test_the_counts_of_earlier_series_of_a_protocol_are_known(database: Database, clock: Clock) -> None:
    queries = SourceQueries({}, clock)
    evidence = Evidence(database, queries, clock)
    for number in range(7):
        clock.advance(60)
        note_count(database, protocol_key("SCANNER", "", images()), f"2.25.{number}", 20 + number, clock.at)
    assert evidence.known(waiting("2.25.99"), images()).earlier_counts == (26, 25, 24, 23, 22)
    assert evidence.known(waiting("2.25.99"), images("t2_tse")).earlier_counts == ()
    assert evidence.known(replace(waiting("2.25.99"), calling_ae="ANOTHER"), images()).earlier_counts == ()
    queries.close()


def test_a_series_is_no_history_of_its_own(database: Database, clock: Clock) -> None:
    queries = SourceQueries({}, clock)
    evidence = Evidence(database, queries, clock)
    evidence.learn(waiting("2.25.7"), images())
    evidence.learn(replace(waiting("2.25.7"), version=2), images())
    assert evidence.known(waiting("2.25.7"), images()).earlier_counts == ()
    assert len(evidence.known(waiting("2.25.8"), images()).earlier_counts) == 1
    queries.close()


def test_series_that_name_no_protocol_have_no_history() -> None:
    assert protocol_key("SCANNER", " ", images("")) == ""


def test_part_of_a_series_names_the_same_protocol_as_all_of_it() -> None:
    whole = images()
    assert protocol_key("SCANNER", "T1", whole[:1]) == protocol_key("SCANNER", "T1", whole)


def test_the_history_is_found_fast_among_many(database: Database) -> None:
    from sqlalchemy import insert

    from node.adapters.database.service_tables import protocol_count

    rows = [
        {"series_instance_uid": f"2.25.{number}", "protocol": f"{number % 40}", "instances": number, "at": START}
        for number in range(100_000)
    ]
    with database.transaction() as connection:
        connection.execute(insert(protocol_count), rows)
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT instances FROM protocol_count WHERE protocol = '7' ORDER BY at DESC LIMIT 5"
        ).all()
    assert any("ix_protocol_count_protocol_at" in str(line) for line in plan)
    assert not any("TEMP B-TREE" in str(line) for line in plan)
    assert len(earlier_counts(database, "7", "2.25.1", 5)) == 5


# Completion, told of it.


def test_a_count_at_the_source_holds_a_whole_looking_series_back_and_completes_it_when_it_is_reached(
    tmp_path: Path,
) -> None:
    series = mr_series(Grid(slices=6))
    uid = str(series[0].SeriesInstanceUID)
    # what is judged needs no decoder, and no model
    with answering() as pacs, on_bench(tmp_path, cast("Decoder", None)) as here:
        pacs.counts = {uid: "6"}
        queries = SourceQueries({"SCANNER": remote(pacs.port)}, here.clock, patience=PATIENCE)
        evidence = Evidence(here.store.database, queries, here.clock)
        completion = replace(here.completion, known=evidence.known, learn=evidence.learn)
        here.receive(series[:4])
        here.clock.advance(POLICY.grid_seconds)
        assert [completion.judge(one) for one in completion.due()] == [False]
        here.receive(series[4:])
        here.clock.advance(POLICY.settle_seconds)
        assert [completion.judge(one) for one in completion.due()] == [True]
        queries.close()
        key = protocol_key("SCANNER", str(series[0].SeriesDescription), [facts(ds) for ds in series])
        assert earlier_counts(here.store.database, key, "2.25.1", 5) == (6,)
