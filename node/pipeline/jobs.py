"""What people do with jobs: look, retry, cancel, dismiss, pause, resume. The command line and the API do the same
here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from node.adapters.database import Database, job_list, pauses, trace
from node.adapters.database import jobs as rows
from node.adapters.database.job_list import Page, Wanted
from node.adapters.database.pauses import Pause
from node.core.places import groups_with
from node.core.states import JobState
from node.errors import NoSuch, NotProcessable, Usage

MOST = 500  # jobs on a page
KINDS = (pauses.MODEL, pauses.DESTINATION)


@dataclass(frozen=True)
class Story:
    """A job, its results and deliveries, and what happened to its series."""

    job: trace.JobLine
    series_instance_uid: str
    history: Sequence[trace.Event]


def list_jobs(database: Database, wanted: Wanted, before: int | None = None, most: int = 50) -> Page:
    """A page of jobs; `before` is what the page before told. Raises Usage."""
    if not 1 <= most <= MOST:
        raise Usage(f"limit: a page has 1 to {MOST} jobs")
    return job_list.page(database, wanted, before, most)


def show(database: Database, job_id: int) -> Story:
    """Raises NoSuch."""
    job = rows.get(database, job_id)
    line = trace.line(database, job.series_instance_uid) if job else None
    if job is None or line is None:
        raise _no_such(job_id)
    mine = next(one for one in line.jobs if one.id == job_id)
    return Story(mine, line.series_instance_uid, line.history)


def retry(database: Database, job_id: int, actor: str, now: datetime, reason: str = "tried again on request") -> None:
    """Try a job again that failed, was canceled or dismissed, is held or was not processable.

    Raises NoSuch, NotProcessable.
    """
    if not rows.retry(database, job_id, actor, now, reason):
        raise _refused(database, job_id, "tried again")


def dismiss(database: Database, job_id: int, reason: str, actor: str, now: datetime) -> None:
    """Nothing is to be done about a job that failed, was canceled, is held or was not processable: its images count as
    filtered on purpose. Raises NoSuch, NotProcessable."""
    if not rows.finish(database, job_id, JobState.DISMISSED, reason, now, actor=actor):
        raise _refused(database, job_id, "dismissed")


def cancel(database: Database, job_id: int, reason: str, actor: str, now: datetime) -> None:
    """Cancel a job that is not finished; what was delivered stays delivered. Raises NoSuch, NotProcessable."""
    if not rows.finish(database, job_id, JobState.CANCELED, reason, now, actor=actor):
        raise _refused(database, job_id, "canceled")


def pause(database: Database, kind: str, name: str, actor: str, now: datetime) -> bool:
    """Begin no more for a model or a destination. False when it was paused already. Raises Usage."""
    _demand(kind, name)
    return pauses.pause(database, kind, name, actor, now)


def resume(
    database: Database, kind: str, name: str, now: datetime, actor: str, groups: Mapping[str, Collection[str]]
) -> bool:
    """End a pause: what waited is due at once, also for `groups` that the destination is a member of.

    False when it was not paused. Raises Usage.
    """
    _demand(kind, name)
    return pauses.resume(database, kind, name, now, actor, groups_with(name, groups))


def paused(database: Database) -> Sequence[Pause]:
    """What is paused, longest first."""
    return pauses.listed(database)


def _demand(kind: str, name: str) -> None:
    if kind not in KINDS:
        raise Usage(f"kind: {' or '.join(KINDS)} can be paused")
    if not 1 <= len(name) <= 128:
        raise Usage("name: say which model or destination")


def _refused(database: Database, job_id: int, what: str) -> NoSuch | NotProcessable:
    job = rows.get(database, job_id)
    if job is None:
        return _no_such(job_id)
    return NotProcessable(f"job {job_id} cannot be {what}: it is {job.state.value.replace('_', ' ')}")


def _no_such(job_id: int) -> NoSuch:
    return NoSuch(f"there is no job {job_id}: see `mricore-node jobs list`")
