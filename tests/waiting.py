"""Jobs that wait, written as completion writes them, without the images they would work on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert

from node.adapters.database import Database, claims, jobs, series
from node.adapters.database.ledger import Ledger
from node.adapters.database.tables import job, metadata
from node.core.arrival import Arrival
from node.core.dicom import Identity
from node.core.jobs import Lane, MadeResult, NewJob, rank
from node.core.ledger import Disposition, Receipt
from node.core.states import JobState, SeriesState
from tests.databases import migrated

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def emptied(database: Database) -> Database:
    """Tables of this release, with nothing in them."""
    migrated(database)
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    return database


def wait(
    database: Database,
    name: str,
    *,
    priority: str = "routine",
    model: str = "head",
    destinations: Sequence[str] = ("pacs",),
    at: datetime = NOON,
    deadline_at: datetime | None = None,
) -> None:
    """A series of one instance is complete, and one model is asked for."""
    ledger = Ledger(database, f"chain-{name}", timedelta(seconds=1))
    ledger.record([arrival(name, at)])
    ledger.close()
    seen = series.waiting(database, name)
    assert seen
    asked = NewJob("rule", "v1", model, "", "", tuple(destinations), priority, deadline_at)
    assert series.settle(
        database, seen, series.Verdict(SeriesState.ROUTED, "", "1 of 1", "v1", "rule", [], [asked]), at
    )


def wait_to_be_sent(database: Database, name: str, destination: str, next_try_at: datetime) -> None:
    """A job whose SEG is made; where it goes nobody answered, and it is tried again then."""
    wait(database, name, destinations=(destination,))
    job = claims.claim(database, NOON, claims.Claimant(delivers=False))
    assert job
    assert jobs.keep_results(database, job, [MadeResult("SEG", "1", "2", "3", "p", "c" * 64, 5)], [], {}, "1")
    assert jobs.finish(database, job.id, JobState.SCHEDULED, "away", NOON, next_try_at=next_try_at)


def many(database: Database, number: int, model: str = "head", priority: str = "routine", at: datetime = NOON) -> None:
    """A backlog of jobs on one series, as rows only."""
    row = {
        "series_instance_uid": "backlog",
        "version": 1,
        "rule": "rule",
        "rule_set_version": "v1",
        "model": model,
        "model_version": "",
        "destinations": ["pacs"],
        "priority": priority,
        "state": JobState.SCHEDULED,
        "reason": "",
        "attempts": 0,
        "created_at": at,
        "next_try_at": at,
        "seconds": {},
        "segments": [],
        "lane": str(Lane(model=model)),
        "rank": rank(priority),
    }
    with database.transaction() as connection:
        connection.execute(insert(job), [{**row, "volume": f"{priority}-{one}"} for one in range(number)])


def arrival(name: str, at: datetime) -> Arrival:
    """The one instance of a series."""
    receipt = Receipt(
        at=at,
        channel="dicom",
        calling_ae="SCANNER",
        called_ae="MRICORE",
        host="192.0.2.1",
        association="a1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
        sop_instance_uid=f"{name}.1",
        series_instance_uid=name,
        study_instance_uid=f"{name}.9",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        sha256="a" * 64,
        size=1,
        status=0,
        disposition=Disposition.STORED,
        reason="",
        path=f"{name}.dcm",
    )
    who = Identity("7", "Doe^Jane", "4711", "20260105", "Head", "T1", "MR", f"{name}.9", name, f"{name}.1", "1.2")
    return Arrival(receipt, who)
