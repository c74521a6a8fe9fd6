"""The same rows on SQLite and on a real PostgreSQL: what a node writes, it reads back the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.adapters.database import Database, audit, claims, finding, job_list, jobs, processes, series, trace
from node.adapters.database.balance import balance
from node.adapters.database.ledger import Ledger, broken_chains
from node.core.arrival import Arrival
from node.core.dicom import Identity
from node.core.jobs import Finding, MadeResult, NewJob
from node.core.ledger import Disposition, Receipt
from node.core.states import DeliveryState, JobState, SeriesState, Stage
from node.errors import Usage
from tests.databases import migrated
from tests.postgresql import postgresql

NOON = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'node.db'}"
        return
    with postgresql() as found:
        yield found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = migrated(Database(url))
    yield opened
    opened.close()


def arrival(uid: str, series_uid: str, content: str = "a", name: str = "山田^太郎") -> Arrival:
    receipt = Receipt(
        at=NOON,
        channel="dicom",
        calling_ae="SCANNER",
        called_ae="MRICORE",
        host="192.0.2.1",
        association="a1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        sop_instance_uid=uid,
        series_instance_uid=series_uid,
        study_instance_uid=f"{series_uid}.9",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        sha256=content * 64,
        size=3_000_000_000,
        status=0,
        disposition=Disposition.STORED,
        reason="",
        path=f"{uid}-{content}.dcm",
    )
    who = Identity("7", name, "4711", "20260105", "Head", "T1", "MR", f"{series_uid}.9", series_uid, uid, "1.2")
    return Arrival(receipt, who)


def verdict(*models: str) -> series.Verdict:
    asked = [NewJob("head", "v1", model, "", "", ("pacs",), "routine") for model in models]
    return series.Verdict(SeriesState.ROUTED, "matched", "3 of 3", "v1", "head", [{"rule": "head", "why": "x"}], asked)


def test_a_batch_is_one_whole_chain_and_the_same_bytes_are_stored_once(database: Database) -> None:
    ledger = Ledger(database, "one", timedelta(seconds=1))
    lines = ledger.record([arrival("1.1", "1"), arrival("1.2", "1"), arrival("1.1", "1"), arrival("1.2", "1", "b")])
    ledger.close()
    assert [line.disposition for line in lines] == [
        Disposition.STORED,
        Disposition.STORED,
        Disposition.DUPLICATE,
        Disposition.CONFLICT,
    ]
    again = Ledger(database, "one", timedelta(seconds=1))
    assert [line.disposition for line in again.record([arrival("1.1", "1")])] == [Disposition.DUPLICATE]
    again.close()
    assert broken_chains(database) == {}
    assert [one.sha256 for one in series.instances(database, "1")] == ["a" * 64, "a" * 64]


def test_a_series_goes_from_waiting_to_a_delivered_job_and_the_balance_follows(database: Database) -> None:
    ledger = Ledger(database, "two", timedelta(seconds=1))
    ledger.record([arrival("2.1", "2"), arrival("2.2", "2")])
    assert "2" not in series.due(database, NOON)
    assert "2" in series.due(database, LATER)
    seen = series.waiting(database, "2")
    assert seen
    assert (seen.last_at, len(seen.instances)) == (NOON, 2)
    series.remember_facts(database, {"2.1": {"version": 1, "name": "é"}})
    assert series.settle(database, seen, verdict("m1"), LATER)
    assert not series.settle(database, seen, verdict("m1"), LATER)  # somebody was faster
    job = claims.claim(database, LATER)
    assert job
    assert (job.model, job.state, job.stage) == ("m1", JobState.IN_PROGRESS, Stage.INFER)
    made = [MadeResult("SEG", "1.2", "3.1", "3.2", "p", "c" * 64, 5)]
    jobs.keep_results(database, job, made, [Finding(1, "Head", 12.5)], {"infer": 1.5}, "1")
    jobs.keep_results(database, job, made, [Finding(1, "Head", 12.5)], {"infer": 1.5}, "1")  # a second attempt
    (delivery,) = jobs.to_deliver(database, job.id)
    jobs.note_delivery(database, delivery.id, DeliveryState.DELIVERED, "0000", LATER)
    assert balance(database, "2.9").waiting == 2
    assert jobs.finish(database, job.id, JobState.COMPLETED, "delivered", LATER)
    found = balance(database, "2.9")
    assert (found.received, found.delivered, found.residue) == (2, 2, 0)
    ledger.close()


def test_a_late_instance_reopens_the_series_and_the_new_job_supersedes_the_old_one(database: Database) -> None:
    ledger = Ledger(database, "three", timedelta(seconds=1))
    ledger.record([arrival("3.1", "3")])
    seen = series.waiting(database, "3")
    assert seen
    series.settle(database, seen, verdict("m3"), LATER)
    first = claims.claim(database, LATER)
    assert first
    jobs.finish(database, first.id, JobState.COMPLETED, "delivered", LATER)
    ledger.record([arrival("3.2", "3")])
    ledger.close()
    reopened = series.waiting(database, "3")
    assert reopened
    assert reopened.version == 2
    series.settle(database, reopened, verdict("m3"), LATER)
    second = claims.claim(database, LATER)
    assert second
    assert (second.version, second.supersedes) == (2, first.id)
    jobs.finish(database, second.id, JobState.COMPLETED, "delivered", LATER)
    before = jobs.get(database, first.id)
    assert before
    assert before.state is JobState.SUPERSEDED


def test_a_series_is_found_by_accession_by_uid_and_by_part_of_a_name_without_accents(database: Database) -> None:
    ledger = Ledger(database, "four", timedelta(seconds=1))
    ledger.record([arrival("4.1", "4", name="Müller^Änne")])
    ledger.close()
    for text in ("4711", "4", "4.9", "4.1", "muller", "ÄNNE"):
        assert "4" in [line.series_instance_uid for line in trace.find(database, text)], text
    (line,) = trace.find(database, "4")
    assert (line.patient_name, line.received, line.state) == ("Müller^Änne", {"stored": 1}, "waiting")


def test_what_was_in_progress_when_the_node_ended_is_taken_up_again(database: Database) -> None:
    ledger = Ledger(database, "five", timedelta(seconds=1))
    ledger.record([arrival("5.1", "5")])
    ledger.close()
    seen = series.waiting(database, "5")
    assert seen
    series.settle(database, seen, verdict("m5"), LATER)
    processes.arrive(database, "node", LATER)
    job = claims.claim(database, LATER, claims.Claimant("node"))
    assert job
    assert claims.claim(database, LATER) is None
    assert processes.arrive(database, "node", LATER) == 1
    again = claims.claim(database, LATER)
    assert again
    assert (again.id, again.attempts) == (job.id, 2)
    jobs.finish(database, again.id, JobState.FAILED, "end", LATER)


def test_what_no_text_of_a_database_can_hold_is_refused_or_finds_nothing(database: Database) -> None:
    for ask in (
        lambda: audit.page(database, audit.Wanted(actor="a\0b"), None, 1),
        lambda: job_list.page(database, job_list.Wanted(model="\0"), None, 1).jobs,
        lambda: finding.page(database, "a\0b", None, 1, patients=True),
    ):
        with suppress(Usage):
            assert not ask()


def test_migrating_twice_changes_nothing(database: Database, tmp_path: Path) -> None:
    database.migrate()
    assert not list(tmp_path.iterdir())
