"""The pipeline on a bench: real reception, database, completion, decoding, results; a told clock, fakes outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import select

from node.adapters.database import claims, processes
from node.adapters.database import jobs as job_rows
from node.adapters.database.series import WaitingSeries
from node.adapters.database.tables import job
from node.adapters.decoding import Decoder
from node.adapters.objects import ResultFiles
from node.core.completion import Policy
from node.core.forms import Form
from node.core.jobs import Job
from node.core.rules import Decision, RuleSet, Subject, parse_rule_set
from node.core.status import SUCCESS
from node.errors import NodeError
from node.pipeline.completion import Completion
from node.pipeline.delivery import Delivering
from node.pipeline.models import Models
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.kept import Headers
from node.pipeline.rule_sets.shadow import Shadow
from node.pipeline.work import Work
from tests.clock import Clock
from tests.fakes import FakeDestination, FakeModels
from tests.receiving import Store, encoded, open_store

POLICY = Policy(quiet_seconds=60, settle_seconds=5, grid_seconds=20, longest_seconds=600)
LONG_AFTER = 700.0  # seconds after which every series is complete
_RULES = {
    "_set.yaml": "otherwise: hold\n",
    "10-mr.yaml": (
        "name: mr\ndescription: every MR series\nwhen: {Modality: MR}\n"
        "then: [{infer: mri_core_head}, {deliver: [out]}]\nstop: true\n"
    ),
}


def rules(files: dict[str, str] | None = None) -> RuleSet:
    return parse_rule_set(files or _RULES)


@dataclass
class Bench:
    """What a test drives step by step."""

    store: Store
    clock: Clock
    decoder: Decoder
    rule_set: RuleSet = field(default_factory=rules)
    asked: dict[str, frozenset[Form]] = field(default_factory=dict)  # forms of results, by destination
    models: FakeModels = field(default_factory=FakeModels)
    out: FakeDestination = field(default_factory=lambda: FakeDestination("out"))
    keep_headers_days: int = 30
    in_use: InUse | None = None  # instead of `rule_set`, what is published

    @property
    def completion(self) -> Completion:
        return Completion(
            database=self.store.database,
            files=self.store.files,
            clock=self.clock,
            rule_set=self.in_use or (lambda: self.rule_set),
            policy=lambda _calling_ae: POLICY,
            keep=self._keep,
        )

    def _keep(self, seen: WaitingSeries, subject: Subject, decision: Decision) -> None:
        Headers(self.store.database, self.clock, self.keep_headers_days).keep(seen, subject, decision)
        Shadow(self.store.database, self.clock).note(seen, subject, decision)

    @property
    def work(self) -> Work:
        return Work(
            database=self.store.database,
            files=self.store.files,
            results=ResultFiles(self.store.folder / "results"),
            decoder=self.decoder,
            models=cast("Models", self.models),
            delivery=Delivering(
                self.store.database,
                ResultFiles(self.store.folder / "results"),
                {self.out.name: self.out},
                self.clock,
            ),
            clock=self.clock,
            device_serial_number="MRICORE",
            asked=self.asked,
        )

    def receive(self, datasets: Sequence[Dataset]) -> None:
        for ds in datasets:
            assert self.store.receive(encoded(ds)).status == SUCCESS

    def judge_due(self) -> list[bool]:
        """Judge every series that is due."""
        completion = self.completion
        return [completion.judge(uid) for uid in completion.due()]

    def complete(self, datasets: Sequence[Dataset]) -> Job:
        """Receive a series and let it become complete; its newest job."""
        self.receive(datasets)
        self.clock.advance(LONG_AFTER)
        assert self.judge_due() == [True]
        return self.jobs()[-1]

    def jobs(self) -> list[Job]:
        with self.store.database.reading() as connection:
            numbers = connection.scalars(select(job.c.id).order_by(job.c.id)).all()
        found = [job_rows.get(self.store.database, number) for number in numbers]
        return [one for one in found if one is not None]

    def row(self, job_id: int) -> Any:
        with self.store.database.reading() as connection:
            return connection.execute(select(job).where(job.c.id == job_id)).one()

    def claim(self) -> Job:
        claimed = claims.claim(self.store.database, self.clock(), claims.Claimant("node"))
        assert claimed is not None
        return claimed

    def attempt(self) -> str:
        """Attempt the next job: its sentence, or what the attempt raised, as words."""
        try:
            return self.work.attempt(self.claim())
        except NodeError as fault:
            return f"{type(fault).__name__}: {fault}"

    def restarted(self) -> Bench:
        """A node that starts on what this one left."""
        self.store.close()
        store = open_store(self.store.folder, self.clock)
        processes.arrive(store.database, "node", self.clock())
        return replace(self, store=store)


@contextmanager
def on_bench(folder: Path, decoder: Decoder, rule_set: RuleSet | None = None) -> Iterator[Bench]:
    clock = Clock()
    bench = Bench(open_store(folder, clock), clock, decoder, rule_set or rules())
    try:
        yield bench
    finally:
        bench.store.close()


def until(what: Callable[[], object], words: str, patience_s: float = 120.0) -> None:
    """Wait for another thread to have done something; fails after a long while only."""
    give_up = monotonic() + patience_s
    while not what():
        assert monotonic() < give_up, f"never came: {words}"
        sleep(0.02)


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with Decoder() as opened:
        yield opened


@pytest.fixture
def bench(tmp_path: Path, decoder: Decoder) -> Iterator[Bench]:
    with on_bench(tmp_path, decoder) as opened:
        yield opened
