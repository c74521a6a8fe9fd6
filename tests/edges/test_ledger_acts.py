"""Whatever people do with series and jobs, in whatever order, every instance stays accounted for, and nothing is taken
for settled that somebody still waits for."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from node.adapters.database import Database, claims, jobs, reopening, retention, series
from node.adapters.database.balance import balance
from node.adapters.database.tables import job, metadata
from node.adapters.database.tables import series as series_rows
from node.core.causes import of_job
from node.core.jobs import NewJob
from node.core.states import STUCK_JOBS, JobState, SeriesState
from tests.waiting import NOON, wait

LATER = NOON + timedelta(hours=1)
NAMES = ("a", "b")
ENDS = [JobState.COMPLETED, JobState.FAILED, JobState.NOT_PROCESSABLE, JobState.HELD]
_ACTS = st.one_of(
    st.tuples(st.just("work"), st.sampled_from(ENDS)),
    st.tuples(st.sampled_from(["retry", "dismiss", "cancel"]), st.integers(1, 6)),
    st.tuples(st.sampled_from(["reprocess", "set aside"]), st.sampled_from(NAMES)),
    st.tuples(st.just("judge"), st.sampled_from([SeriesState.ROUTED, SeriesState.HELD, SeriesState.FILTERED])),
)


def act(database: Database, what: str, on: object) -> None:
    if what == "work" and (claimed := claims.claim(database, LATER)):
        jobs.finish(database, claimed.id, JobState(str(on)), "why", LATER)
    elif what == "retry":
        jobs.retry(database, int(str(on)), "anna", LATER)
    elif what in ("dismiss", "cancel"):
        state = JobState.DISMISSED if what == "dismiss" else JobState.CANCELED
        jobs.finish(database, int(str(on)), state, "why", LATER, actor="anna")
    elif what == "reprocess":
        reopening.reopen(database, str(on), "why", "anna", LATER)
    elif what == "set aside":
        reopening.dismiss(database, str(on), "why", "anna", LATER)
    elif what == "judge":
        for uid in NAMES:
            if seen := series.waiting(database, uid):
                verdict = SeriesState(str(on))
                asked = [NewJob("rule", "v1", "head", "", "", ("pacs",), "routine")]
                wanted = asked if verdict is SeriesState.ROUTED else []
                series.settle(database, seen, series.Verdict(verdict, "", "1 of 1", "v1", "", [], wanted), LATER)


def demand_accounted_for(database: Database) -> None:
    found = balance(database)
    assert (found.received, found.residue) == (len(NAMES), 0), found
    with database.reading() as connection:
        states: dict[str, list[JobState]] = {uid: [] for uid in NAMES}
        for row in connection.execute(select(job)):
            states[row.series_instance_uid].append(JobState(row.state))
            assert (row.cause is not None) == (JobState(row.state) in STUCK_JOBS)
            assert (of_job(JobState(row.state), None, row.model, row.reason) is None) == (row.cause is None)
        rows = {row.series_instance_uid: row for row in connection.execute(select(series_rows))}
    for row in rows.values():
        assert (row.cause is not None) == (row.state == SeriesState.HELD)
    settled = {one.series_instance_uid for one in retention.oldest(database, 9)}
    for uid in settled:
        assert rows[uid].state not in (SeriesState.WAITING, SeriesState.HELD)
        assert {JobState.COMPLETED, JobState.DISMISSED, JobState.SUPERSEDED}.issuperset(states[uid])


@settings(max_examples=30, deadline=None)
@given(st.lists(_ACTS, max_size=14))
def test_every_instance_stays_accounted_for(acts: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'node.db'}")
        metadata.create_all(database.engine)
        try:
            for uid in NAMES:
                wait(database, uid)
            for what, on in acts:
                act(database, what, on)
                demand_accounted_for(database)
        finally:
            database.close()
