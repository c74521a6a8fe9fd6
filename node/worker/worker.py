"""Workers: attempt due jobs, and say what came of each attempt."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from structlog.contextvars import bound_contextvars

from node.adapters.database import Database
from node.adapters.database import jobs as rows
from node.adapters.database.claims import Claimant, claim, claim_this, next_due
from node.core.causes import Kind, kind_of
from node.core.jobs import EVERY_NTH_BY_AGE, Candidate, Job, wait_before
from node.core.states import JobState
from node.core.tracing import Whose
from node.errors import NodeError, NotProcessable, OnHold, Permanent, Retryable, StoreUnavailable
from node.pipeline.work import JobGoneError, Work
from node.worker.loop import LONGEST_SLEEP_S, Loop

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Outcome:
    """What came of an attempt."""

    job: Job
    state: JobState
    reason: str
    next_try_at: datetime | None
    kind: Kind | None


class Worker(Loop):
    """Attempts jobs, one at a time."""

    def __init__(
        self,
        name: str,
        database: Database,
        work: Work,
        clock: Callable[[], datetime],
        claimant: Claimant | None = None,
        made: Callable[[], None] = lambda: None,
    ) -> None:
        """`made` is called when a job's results wait for a worker that delivers."""
        super().__init__(name, clock)
        self._database, self._work = database, work
        self._claimant, self._made = claimant or Claimant(), made
        self._turn = 0
        self._owed: _Outcome | None = None

    def twin(self) -> Worker:
        """Another one like this: each call of an engine has its own."""
        other = Worker(self._thread.name, self._database, self._work, self._clock, self._claimant, self._made)
        other._stopping = self._stopping
        return other

    def due(self, most: int) -> list[Candidate]:
        """The jobs that this worker might have next."""
        return next_due(self._database, self._clock(), self._claimant, most)

    def carry(self, job_id: int) -> None:
        """One attempt at one job, if it may be had now, for an engine that calls with its number. Raises nothing."""
        try:
            self._settle_owed()
            job = claim_this(self._database, job_id, self._clock(), self._claimant)
            if job is not None:
                self._attempt(job)
            self._settle_owed()
        except Exception as broken:  # noqa: BLE001 # the engine outlives every fault; the row says what is left to do
            known = isinstance(broken, NodeError)
            _log.error("job not carried", job_id=job_id, reason=str(broken) if known else "", exc_info=not known)

    def _settle_owed(self) -> None:
        """Until the database takes what came of the last attempt, or the node stops: then others take the job up."""
        while self._owed:
            try:
                self._write(self._owed)
            except StoreUnavailable:
                if self._stopping.wait(LONGEST_SLEEP_S):
                    raise

    def _step(self) -> float:
        if self._owed:
            self._write(self._owed)
        by_age = self._turn % EVERY_NTH_BY_AGE == EVERY_NTH_BY_AGE - 1
        job = claim(self._database, self._clock(), self._claimant, by_age=by_age)
        if job is None:
            return LONGEST_SLEEP_S
        self._turn += 1
        self._attempt(job)
        return 0.0

    def _attempt(self, job: Job) -> None:
        """Whatever is logged meanwhile carries the job and its series."""
        with bound_contextvars(job_id=job.id, series_instance_uid=job.series_instance_uid):
            self._settle(job)

    def _settle(self, job: Job) -> None:
        try:
            sentence = self._traced(job)
        except JobGoneError:
            _log.info("job gone", job_id=job.id, reason="canceled, superseded, or taken over by another process")
        except NotProcessable as unfit:
            self._finish(job, JobState.NOT_PROCESSABLE, str(unfit), kind_of(unfit))
        except OnHold as kept:
            self._finish(job, JobState.HELD, str(kept), kind_of(kept))
        except Permanent as final:
            self._finish(job, JobState.FAILED, str(final), kind_of(final))
        except Retryable as later:
            wait = wait_before(job.attempts, random.random(), later.retry_after)  # noqa: S311 # jitter
            self._finish(job, JobState.SCHEDULED, str(later), next_try_at=self._clock() + wait)
        except Exception:  # noqa: BLE001 # the worker's loop: the job says so, the log keeps the traceback
            _log.exception("job broke", job_id=job.id)
            self._finish(job, JobState.FAILED, "the node failed on it: see the log for this job", Kind.BROKEN)
        else:
            if sentence is not None:
                self._finish(job, JobState.COMPLETED, sentence)

    def _traced(self, job: Job) -> str | None:
        of = Whose(job.series_instance_uid, job.version)
        with self._work.tracing.within(
            "job", of, job=job.id, model=job.model, rule=job.rule, priority=job.priority, attempt=job.attempts
        ):
            return self._do(job)

    def _do(self, job: Job) -> str | None:
        """The sentence that completes the job; None when somebody else delivers."""
        self._work.make(job)
        if self._claimant.delivers:
            return self._work.deliver(job)
        if not rows.hand_on(self._database, job, self._clock()):
            raise JobGoneError
        self._made()
        return None

    def _finish(
        self,
        job: Job,
        state: JobState,
        reason: str,
        kind: Kind | None = None,
        *,
        next_try_at: datetime | None = None,
    ) -> None:
        self._write(_Outcome(job, state, reason, next_try_at, kind))

    def _write(self, outcome: _Outcome) -> None:
        """What the database does not take now is written before the next job: it would stay in progress for ever."""
        self._owed = outcome
        job, state, reason = outcome.job, outcome.state, outcome.reason
        taken = rows.finish(
            self._database,
            job.id,
            state,
            reason,
            self._clock(),
            actor="worker",
            next_try_at=outcome.next_try_at,
            claim=job.claim,
            kind=outcome.kind,
        )
        self._owed = None
        if not taken:
            _log.info("job gone", job_id=job.id, reason="what came of the attempt does not count any more")
            return
        _log.info(
            "job",
            job_id=job.id,
            series_instance_uid=job.series_instance_uid,
            model=job.model,
            state=state.value,
            reason=reason,
        )
