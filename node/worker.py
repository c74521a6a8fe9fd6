"""Workers: threads that judge waiting series and attempt due jobs, for ever, whatever a single one of them does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from node.adapters.database import Database, processes
from node.adapters.database import jobs as rows
from node.adapters.database.claims import Claimant, claim, claim_this, next_due
from node.adapters.engine import Engine
from node.core.jobs import EVERY_NTH_BY_AGE, Candidate, Job, wait_before
from node.core.states import JobState
from node.errors import NodeError, NotProcessable, Permanent, Retryable, StoreUnavailable
from node.pipeline.commitment import Commitments
from node.pipeline.completion import Completion
from node.pipeline.models import Models
from node.pipeline.work import JobGoneError, Work

_log = structlog.get_logger(__name__)

_LONGEST_SLEEP_S = 1.0  # other processes may create work without being able to wake this one
_CANARY_EVERY_S = 60.0
_AHEAD = 4  # jobs in the engine for each that it may call at once
_SWEEP_EVERY_S = 5.0
_BEAT_EVERY_S = 3.0
SILENT_S = 15.0  # without a sign of life: with a beat's time and a look's, jobs change hands within 20 s


class Loop:
    """A thread that works until there is nothing to do, then sleeps until it is woken or a moment comes."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def ask_to_stop(self) -> None:
        """Begin nothing new."""
        self._stopping.set()
        self._woken.set()

    def stop(self, grace_seconds: float) -> None:
        """Finish what is being done, as far as the grace goes; what is cut off is taken up at the next start."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(grace_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                seconds = self._step()
            except Exception as broken:  # noqa: BLE001 # the loop outlives every fault and records it
                known = isinstance(broken, NodeError)
                _log.error(
                    "step failed", loop=self._thread.name, reason=str(broken) if known else "", exc_info=not known
                )
                seconds = _LONGEST_SLEEP_S
            if seconds > 0:
                self._woken.wait(seconds)

    def _step(self) -> float:
        """Do one piece of work; seconds to sleep, 0 when there may be more to do at once."""
        raise NotImplementedError


class Clerk(Loop):
    """Judges series; `completed` is called when one was given to the rules."""

    def __init__(self, completion: Completion, clock: Callable[[], datetime], completed: Callable[[], None]) -> None:
        super().__init__("clerk", clock)
        self._completion, self._completed = completion, completed

    def _step(self) -> float:
        completed = sum(self._judge(uid) for uid in self._completion.due())
        if completed:
            self._completed()
        soonest = self._completion.next_look()
        if soonest is None:
            return _LONGEST_SLEEP_S
        return min(max((soonest - self._clock()).total_seconds(), 0.0), _LONGEST_SLEEP_S)

    def _judge(self, series_instance_uid: str) -> bool:
        try:
            return self._completion.judge(series_instance_uid)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 # one series must not stop the others; the log keeps the traceback
            _log.exception("series not judged", series_instance_uid=series_instance_uid)
            self._completion.put_off(series_instance_uid)
            return False


@dataclass(frozen=True)
class _Outcome:
    """What came of an attempt."""

    job: Job
    state: JobState
    reason: str
    next_try_at: datetime | None


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
                if self._stopping.wait(_LONGEST_SLEEP_S):
                    raise

    def _step(self) -> float:
        if self._owed:
            self._write(self._owed)
        by_age = self._turn % EVERY_NTH_BY_AGE == EVERY_NTH_BY_AGE - 1
        job = claim(self._database, self._clock(), self._claimant, by_age=by_age)
        if job is None:
            return _LONGEST_SLEEP_S
        self._turn += 1
        self._attempt(job)
        return 0.0

    def _attempt(self, job: Job) -> None:
        try:
            sentence = self._do(job)
        except JobGoneError:
            _log.info("job gone", job_id=job.id, reason="canceled, superseded, or taken over by another process")
        except NotProcessable as unfit:
            self._finish(job, JobState.NOT_PROCESSABLE, str(unfit))
        except Permanent as final:
            self._finish(job, JobState.FAILED, str(final))
        except Retryable as later:
            wait = wait_before(job.attempts, random.random(), later.retry_after)  # noqa: S311 # jitter
            self._finish(job, JobState.SCHEDULED, str(later), next_try_at=self._clock() + wait)
        except Exception:  # noqa: BLE001 # the worker's loop: the job says so, the log keeps the traceback
            _log.exception("job broke", job_id=job.id)
            self._finish(job, JobState.FAILED, "the node failed on it: see the log for this job")
        else:
            if sentence is not None:
                self._finish(job, JobState.COMPLETED, sentence)

    def _do(self, job: Job) -> str | None:
        """The sentence that completes the job; None when somebody else delivers."""
        self._work.make(job)
        if self._claimant.delivers:
            return self._work.deliver(job)
        if not rows.hand_on(self._database, job, self._clock()):
            raise JobGoneError
        self._made()
        return None

    def _finish(self, job: Job, state: JobState, reason: str, next_try_at: datetime | None = None) -> None:
        self._write(_Outcome(job, state, reason, next_try_at))

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


class Carrier(Loop):
    """Keeps an engine in step with the rows: what is due and not carried is enqueued, whoever lost it.

    No more than a few are in the engine at a time, so that the order is the rows', however long the backlog.
    """

    def __init__(
        self,
        database: Database,
        engine: Engine,
        workers: Mapping[str, tuple[Worker, int]],
        clock: Callable[[], datetime],
    ) -> None:
        """`workers` are those that the engine calls: queue → worker, and how many calls at once."""
        super().__init__("carrier", clock)
        self._database, self._engine, self._workers = database, engine, workers
        self._swept: float | None = None
        self._started = False

    def _step(self) -> float:
        if not self._started:
            self._engine.start({queue: at_once for queue, (_, at_once) in self._workers.items()}, self._carry)
            self._started = True
        for queue, (worker, at_once) in self._workers.items():
            self._fill(queue, worker, at_once)
        self._sweep()
        return _LONGEST_SLEEP_S

    def stop(self, grace_seconds: float) -> None:
        ends_at = time.monotonic() + grace_seconds
        for worker, _ in self._workers.values():
            worker.ask_to_stop()
        super().stop(grace_seconds)
        self._engine.stop(max(0.0, ends_at - time.monotonic()))

    def _carry(self, queue: str, job_id: int) -> None:
        worker, _ = self._workers[queue]
        if not self._stopping.is_set():
            worker.twin().carry(job_id)
        self.wake()

    def _fill(self, queue: str, worker: Worker, at_once: int) -> None:
        carried = self._engine.carried(queue)
        room = _AHEAD * at_once - len(carried)
        if room > 0:
            for one in worker.due(_AHEAD * at_once + len(carried)):
                if one.id not in carried and room > 0:
                    self._engine.enqueue(queue, one.id, rank=one.rank)
                    room -= 1

    def _sweep(self) -> None:
        now = time.monotonic()
        if self._swept is None or now - self._swept > _SWEEP_EVERY_S:
            self._swept = now
            self._engine.take_up(processes.living(self._database))
            self._engine.forget()


class Watchdog(Loop):
    """Gives this process' sign of life, and takes up the jobs of processes that give none.

    Only one that could itself beat all the while may say that another is silent: after a database was away, everybody
    is, and nobody is dead.
    """

    def __init__(
        self, database: Database, process_id: str, clock: Callable[[], datetime], taken_up: Callable[[], None]
    ) -> None:
        super().__init__("watchdog", clock)
        self._database, self._process, self._taken_up = database, process_id, taken_up
        self._beating_since: float | None = None
        self._last = 0.0

    def arrive(self) -> None:
        """Enlist this process; what it had in progress when it ended last time is taken up at once."""
        if taken := processes.arrive(self._database, self._process, self._clock()):
            _log.info("jobs of the last run taken up", jobs=taken)

    def leave(self) -> None:
        """Hand back what could not be finished."""
        if left := processes.leave(self._database, self._process, self._clock()):
            _log.info("jobs handed back", jobs=left)

    def _step(self) -> float:
        if not processes.beat(self._database, self._process):
            _log.warning("this process had been given up: others took its jobs")
        now = time.monotonic()
        if self._beating_since is None or now - self._last > SILENT_S / 2:
            self._beating_since = now
        self._last = now
        if now - self._beating_since >= SILENT_S:
            self._bury()
        return _BEAT_EVERY_S

    def _bury(self) -> None:
        if taken := processes.bury(self._database, self._process, SILENT_S, self._clock()):
            _log.warning("jobs of a dead process taken up", jobs=taken)
            self._taken_up()


class Reporter(Loop):
    """Reports storage commitment to those who asked for it."""

    def __init__(self, commitments: Commitments, clock: Callable[[], datetime]) -> None:
        super().__init__("reporter", clock)
        self._commitments = commitments

    def _step(self) -> float:
        return 0.0 if self._commitments.report_next() else _LONGEST_SLEEP_S


class ModelKeeper(Loop):
    """Asks the canaries at start, after every fault, and now and then; restarts an embedded server that died."""

    def __init__(self, models: Models, clock: Callable[[], datetime], revive: Callable[[], None]) -> None:
        """`revive` starts a dead embedded server again; it does nothing otherwise."""
        super().__init__("model keeper", clock)
        self._models, self._revive = models, revive
        self._asked: datetime | None = None

    def _step(self) -> float:
        self._revive()
        now = self._clock()
        due = self._asked is None or (now - self._asked).total_seconds() >= _CANARY_EVERY_S
        if due or self._models.faults():
            self._asked = now
            self._models.ask_canaries()
        return _LONGEST_SLEEP_S
