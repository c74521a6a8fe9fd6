"""The inbox: what is stuck, by its cause, and what a person does about much of it at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from node.adapters.database import Database, reopening, stuck
from node.adapters.database import jobs as rows
from node.adapters.database.stuck import COUNTED, Group, Stuck
from node.core.causes import read
from node.core.states import JobState
from node.errors import NoSuch, Usage

MOST = 200  # on a page, and named at once
AT_ONCE = 1000  # of one cause


class Act(StrEnum):
    """What is done with what is stuck."""

    RETRY = "retry"  # the job is tried again
    DISMISS = "dismiss"  # nothing is to be done
    REPROCESS = "reprocess"  # the rules of this moment decide on the series anew


@dataclass(frozen=True)
class Chosen:
    """What is acted on: single ones by name, or all of a cause."""

    jobs: Sequence[int] = ()
    series: Sequence[str] = ()
    cause: str | None = None


@dataclass(frozen=True)
class Acted:
    """What came of it."""

    done: int
    refused: int  # moved meanwhile, or not to be acted on in this way
    left: bool  # more of the cause than are taken at once: ask again


@dataclass(frozen=True)
class Page:
    """Of one cause, the newest first."""

    entries: Sequence[Stuck]
    before: str | None  # where the next page begins; None: this was the last


@dataclass(frozen=True)
class Inbox:
    """What waits for a person."""

    database: Database
    clock: Callable[[], datetime]

    def groups(self) -> Sequence[Group]:
        """Causes, the one that happened last first."""
        return stuck.groups(self.database)

    def of_cause(self, cause: str, before: str | None = None, most: int = 50) -> Page:
        """Raises Usage."""
        _demand_cause(cause)
        if not 1 <= most <= MOST:
            raise Usage(f"limit: a page has 1 to {MOST} lines")
        found = stuck.of_cause(self.database, cause, before, most + 1)
        return Page(found[:most], stuck.place(found[most - 1]) if len(found) > most else None)

    def act(self, act: Act, chosen: Chosen, reason: str, actor: str) -> Acted:
        """Raises Usage. What somebody else moved meanwhile is left alone."""
        jobs, series = list(chosen.jobs), list(chosen.series)
        left = False
        if chosen.cause is not None:
            _demand_cause(chosen.cause)
            jobs, series = stuck.numbers(self.database, chosen.cause, AT_ONCE)
            left = max(len(jobs), len(series)) == AT_ONCE
        elif not jobs and not series:
            raise Usage("choose what it is about: jobs, series, or a cause")
        elif len(jobs) + len(series) > MOST:
            raise Usage(f"{MOST} at most at once; more are had by their cause")
        done = self._act(act, jobs, series, reason, actor)
        return Acted(sum(done), len(done) - sum(done), left)

    def _act(self, act: Act, jobs: Sequence[int], series: Sequence[str], reason: str, actor: str) -> Sequence[bool]:
        now = self.clock()
        if act is Act.RETRY:
            return [rows.retry(self.database, one, actor, now, reason) for one in jobs] + [False for _ in series]
        if act is Act.DISMISS:
            return [self._dismiss(one, reason, actor) for one in jobs] + [
                not reopening.dismiss(self.database, uid, reason, actor, now) for uid in series
            ]
        every = dict.fromkeys([*series, *stuck.series_of(self.database, jobs)])
        return [not reopening.reopen(self.database, uid, reason, actor, now) for uid in every]

    def _dismiss(self, job_id: int, reason: str, actor: str) -> bool:
        now = self.clock()
        return rows.finish(self.database, job_id, JobState.DISMISSED, reason, now, actor=actor)


def counted(group: Group) -> str:
    """How many, as people read it."""
    return f"{COUNTED}+" if group.number >= COUNTED else str(group.number)


def _demand_cause(cause: str) -> None:
    if read(cause) is None:
        raise NoSuch("there is no such cause: the inbox lists those there are")
