"""Bytes are not removed while somebody has their results sent once more, whichever of the two comes first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, text, update

from node.adapters.database import Database, claims, jobs, retention
from node.adapters.database.erasing import Asked, erase
from node.adapters.database.tables import job, result
from node.core.states import JobState
from tests.bench import until
from tests.databases import url
from tests.waiting import NOON, emptied, wait

__all__ = ["url"]


def _by_retention(database: Database) -> bool:
    return not any(retention.remove(database, one, "to make room", NOON) for one in retention.oldest(database, 9))


def _by_a_person(database: Database) -> bool:
    return list(erase(database, Asked("a.9", "", "", "admin", ""), ["a"], NOON).unsettled) == ["a"]


def _of_the_result(database: Database) -> bool:
    return list(erase(database, Asked("a.9", "made", "", "admin", ""), ["a"], NOON).unsettled) == ["a"]


@pytest.mark.parametrize("removal", [_by_retention, _by_a_person, _of_the_result])
def test_what_is_sent_again_at_this_moment_stays(url: str, removal: Callable[[Database], bool]) -> None:
    database = emptied(Database(url))
    wait(database, "a")
    claimed = claims.claim(database, NOON)
    assert claimed
    assert jobs.finish(database, claimed.id, JobState.COMPLETED, "delivered", NOON)
    made = {"kind": "SEG", "sop_class_uid": "1.2", "series_instance_uid": "made", "sop_instance_uid": "made.1"}
    with database.transaction() as connection:
        file = {"path": "seg.dcm", "sha256": "", "size": 1}
        connection.execute(insert(result).values(job_id=claimed.id, **made, **file))

    def waits() -> bool:
        with database.reading() as connection:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return bool(connection.scalar(text(asked)))

    with ThreadPoolExecutor(1) as threads:
        with database.transaction() as connection:  # as `send_again` writes it, not committed yet
            connection.execute(update(job).where(job.c.id == claimed.id).values(state=JobState.SCHEDULED))
            kept = threads.submit(removal, database)
            if database.engine.dialect.name == "postgresql":
                until(lambda: kept.done() or waits(), "the removal ends, or waits")
        assert kept.result()
    database.close()
