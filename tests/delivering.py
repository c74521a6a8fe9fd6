"""A site with jobs whose results are made and wait to be delivered: real rows and files, a told clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from node.adapters.database import Database, claims, jobs, series
from node.adapters.database import deliveries as delivery_rows
from node.adapters.database.ledger import Ledger
from node.adapters.database.tables import delivery, job, result
from node.adapters.destinations import Destination
from node.adapters.objects import ResultFiles
from node.core.breaker import Breaker
from node.core.jobs import Job, MadeResult, NewJob, wait_before
from node.core.states import JobState, SeriesState, Stage
from node.errors import DestinationRefused, Retryable
from node.pipeline.delivery import Delivering
from node.pipeline.gate import Policy
from tests.clock import Clock
from tests.databases import migrated
from tests.synthetic import Grid, mr_series, to_bytes
from tests.waiting import arrival


@dataclass
class Site:
    """What a test drives: `run` is what a worker does."""

    database: Database
    folder: Path
    clock: Clock
    destinations: dict[str, Destination] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _delivering: Delivering | None = None

    @property
    def delivering(self) -> Delivering:
        if self._delivering is None:
            self._delivering = Delivering(
                self.database, ResultFiles(self.folder), self.destinations, self.clock, self.policies, self.groups
            )
        return self._delivering

    def job(self, *destinations: str) -> int:
        """A job with a SEG and an SR to deliver (images stand for them: nobody on the way looks inside)."""
        uid = f"1.2.{len(self._rows(select(job.c.id))) + 1}"
        ledger = Ledger(self.database, uid, timedelta(seconds=1))
        ledger.record([arrival(uid, self.clock())])
        ledger.close()
        seen = series.waiting(self.database, uid)
        assert seen is not None
        asked = NewJob("head", "v1", "m1", "", "", destinations, "routine")
        verdict = series.Verdict(SeriesState.ROUTED, "matched", "1 of 1", "v1", "head", [], [asked])
        assert series.settle(self.database, seen, verdict, self.clock())
        (number,) = self._rows(select(job.c.id).where(job.c.series_instance_uid == uid))
        claimed = claims.claim_this(self.database, number.id, self.clock(), claims.Claimant("maker"))
        assert claimed is not None
        jobs.keep_results(self.database, claimed, self._made(uid), [], {}, "1")
        jobs.finish(self.database, number.id, JobState.SCHEDULED, "made", self.clock())
        return int(number.id)

    def attempt(self, job_id: int) -> str:
        """One attempt at this job, due or not; what became of it, in words."""
        with self.database.transaction() as connection:
            connection.execute(update(job).where(job.c.id == job_id).values(next_try_at=self.clock()))
        claimed = claims.claim_this(self.database, job_id, self.clock(), claims.Claimant("worker"))
        assert claimed is not None
        return self._attempt(claimed)

    def run(self) -> list[str]:
        """Attempt everything that is due."""
        said = []
        while claimed := claims.claim(self.database, self.clock(), claims.Claimant("worker")):
            said.append(self._attempt(claimed))
        return said

    def _attempt(self, claimed: Job) -> str:
        state, at = JobState.COMPLETED, None
        try:
            jobs.enter(self.database, claimed, Stage.DELIVER)
            sentence = self.delivering.deliver(claimed)
        except Retryable as later:
            state, sentence = JobState.SCHEDULED, str(later)
            wait = wait_before(claimed.attempts, 0.5)
            at = self.clock() + (wait if later.retry_after is None else timedelta(seconds=later.retry_after))
        except DestinationRefused as final:
            state, sentence = JobState.FAILED, str(final)
        jobs.finish(self.database, claimed.id, state, sentence, self.clock(), next_try_at=at)
        return sentence

    def state(self, job_id: int) -> str:
        found = jobs.get(self.database, job_id)
        assert found is not None
        return found.state.value

    def answers(self, job_id: int) -> list[tuple[str, str, str, int]]:
        """Kind, state, answer and attempts of each delivery."""
        wanted = (
            select(result.c.kind, delivery.c.state, delivery.c.answer, delivery.c.attempts)
            .join(delivery, delivery.c.result_id == result.c.id)
            .where(result.c.job_id == job_id)
            .order_by(delivery.c.destination, result.c.id)
        )
        return [tuple(row) for row in self._rows(wanted)]

    def breaker(self, name: str) -> Breaker:
        return delivery_rows.known_breaker(self.database, name)

    def _rows(self, wanted: Any) -> Sequence[Any]:
        with self.database.reading() as connection:
            return connection.execute(wanted).all()

    def _made(self, uid: str) -> list[MadeResult]:
        made = []
        for kind, ds in zip(("SEG", "SR"), mr_series(Grid(slices=2), name=uid), strict=True):
            path = self.folder / uid / f"{kind.lower()}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_bytes(ds))
            uids = (str(ds.SOPClassUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID))
            made.append(MadeResult(kind, *uids, str(path.relative_to(self.folder)), "c" * 64, path.stat().st_size))
        return made


@contextmanager
def site(folder: Path, url: str = "") -> Iterator[Site]:
    database = migrated(Database(url or f"sqlite:///{folder / 'node.db'}"))
    try:
        yield Site(database, folder / "results", Clock())
    finally:
        database.close()
