"""Workers that are killed, put to sleep or told to stop in every step: each job is completed once, or says why not."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from node.adapters.database import jobs as rows
from node.adapters.database import processes
from node.adapters.database.balance import balance
from node.adapters.database.tables import change
from node.adapters.decoding import Decoder
from node.core.jobs import MOST_CUT_OFF, SET_ASIDE
from node.core.states import JobState
from tests.bench import Bench, until
from tests.clock import Clock
from tests.databases import KINDS, database_url
from tests.processes import PATIENCE_S, end, line_with, python
from tests.receiving import opened
from tests.synthetic import Grid, mr_series

_NODE = ["-m", "tests.system.working_node"]


@dataclass(frozen=True)
class Hospital:
    """A folder and a database that several processes work on."""

    bench: Bench
    folder: Path
    url: str
    engine: str = "rows"

    def arguments(self, process: str, hold: str = "") -> list[str]:
        return [*_NODE, str(self.folder), self.url, process, hold, self.engine]

    @property
    def with_dbos(self) -> Hospital:
        """The same one, where DBOS carries the work: in a file of its own, or in the shared database."""
        sqlite = self.url.startswith("sqlite")
        return replace(self, engine=f"sqlite:///{self.folder / 'engine.db'}" if sqlite else self.url)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    def wait(self, *states: JobState, jobs: int = 1) -> None:
        until(
            lambda: [one.state for one in self.bench.jobs() if one.state in states][jobs - 1 :],
            f"{jobs} jobs {states}",
            PATIENCE_S,
        )

    def demand_completed_once(self) -> None:
        """And no object was ever sent in two forms."""
        database = self.bench.store.database
        with database.reading() as connection:
            said = connection.execute(
                select(change.c.job_id, func.count())
                .where(change.c.state == JobState.COMPLETED, change.c.job_id.is_not(None))
                .group_by(change.c.job_id)
            ).all()
        assert [tuple(one) for one in sorted(said)] == [(job.id, 1) for job in self.bench.jobs()]
        sent = {tuple(line.split()) for line in self.lines("stored")}
        assert len({uid for uid, _ in sent}) == len(sent) == 2 * len(self.bench.jobs())
        found = balance(database)
        assert (found.delivered, found.residue) == (found.received, 0)


@pytest.fixture(params=KINDS)
def hospital(request: pytest.FixtureRequest, tmp_path: Path, decoder: Decoder) -> Iterator[Hospital]:
    yield from _hospital(request.param, tmp_path, decoder)


@pytest.fixture
def small(tmp_path: Path, decoder: Decoder) -> Iterator[Hospital]:
    yield from _hospital("sqlite", tmp_path, decoder)


def _hospital(kind: str, folder: Path, decoder: Decoder) -> Iterator[Hospital]:
    for url in database_url(kind, folder):
        clock = Clock()
        with opened(folder, clock, url=url) as store:
            yield Hospital(Bench(store, clock, decoder), folder, url)


@pytest.mark.parametrize(
    ("step", "inferences"), [("infer", 2), ("encode", 1), ("check", 1), ("deliver", 1), ("sent", 1)]
)
def test_a_worker_killed_in_a_step_goes_on_there_after_a_start(small: Hospital, step: str, inferences: int) -> None:
    small.bench.complete(mr_series(Grid(slices=10)))
    with python(small.arguments("node", step), log=small.log) as worker:
        line_with(worker, f"holds {step}", small.log)
        end(worker)
    with python(small.arguments("node"), log=small.log):
        small.wait(JobState.COMPLETED)
    small.demand_completed_once()
    assert len(small.lines("asked")) == inferences
    most = 2 if step == "sent" else 1  # the one that was on its way may come again, the same
    assert max(Counter(small.lines("stored")).values()) == most


def test_another_process_takes_over_from_one_that_was_killed(hospital: Hospital) -> None:
    _demand_take_over(hospital)


def test_dbos_another_process_takes_over_from_one_that_was_killed(hospital: Hospital) -> None:
    _demand_take_over(hospital.with_dbos)


def _demand_take_over(hospital: Hospital) -> None:
    for number in range(3):
        hospital.bench.complete(mr_series(Grid(slices=10), name=f"s{number}"))
    with python(hospital.arguments("first", "infer"), log=hospital.log) as first:
        line_with(first, "holds infer", hospital.log)
        with python(hospital.arguments("second"), log=hospital.log):
            hospital.wait(JobState.COMPLETED, jobs=2)
            end(first)
            hospital.wait(JobState.COMPLETED, jobs=3)
    hospital.demand_completed_once()


@pytest.mark.parametrize(("step", "inferences"), [("infer", 2), ("encode", 1), ("deliver", 1)])
def test_dbos_a_worker_killed_in_a_step_goes_on_there_after_a_start(
    small: Hospital, step: str, inferences: int
) -> None:
    with_dbos = small.with_dbos
    with_dbos.bench.complete(mr_series(Grid(slices=10)))
    with python(with_dbos.arguments("node", step), log=with_dbos.log) as worker:
        line_with(worker, f"holds {step}", with_dbos.log)
        end(worker)
    with python(with_dbos.arguments("node"), log=with_dbos.log):
        with_dbos.wait(JobState.COMPLETED)
    with_dbos.demand_completed_once()
    assert len(with_dbos.lines("asked")) == inferences


def test_a_worker_that_slept_while_its_job_was_taken_stops_without_a_trace(hospital: Hospital) -> None:
    hospital.bench.complete(mr_series(Grid(slices=10)))
    with python(hospital.arguments("asleep", "encode"), log=hospital.log) as asleep:
        line_with(asleep, "holds encode", hospital.log)
        asleep.send_signal(signal.SIGSTOP)
        with python(hospital.arguments("awake"), log=hospital.log):
            hospital.wait(JobState.COMPLETED)
            (hospital.folder / "go").touch()
            asleep.send_signal(signal.SIGCONT)
            until(lambda: "asleep" in processes.living(hospital.bench.store.database), "a sign of life", PATIENCE_S)
            line_with(asleep, "job gone", hospital.log)
    hospital.demand_completed_once()
    assert set(Counter(hospital.lines("stored")).values()) == {1}


def test_a_job_that_ends_its_worker_three_times_is_set_aside(small: Hospital) -> None:
    small.bench.complete(mr_series(Grid(slices=10)))
    for _ in range(MOST_CUT_OFF):
        with python(small.arguments("node", "infer"), log=small.log) as worker:
            line_with(worker, "holds infer", small.log)
    with python(small.arguments("node", "infer"), log=small.log):
        small.wait(JobState.FAILED)
    (job,) = small.bench.jobs()
    assert job.reason == SET_ASIDE
    found = balance(small.bench.store.database)
    assert (found.failed, found.residue) == (10, 0)


def test_a_worker_that_is_told_to_stop_hands_back_what_it_cannot_finish(small: Hospital) -> None:
    small.bench.complete(mr_series(Grid(slices=10)))
    with python(small.arguments("node", "infer"), log=small.log) as worker:
        line_with(worker, "holds infer", small.log)
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 0
    (job,) = small.bench.jobs()
    assert (job.state, job.cut_off) == (JobState.SCHEDULED, 0)
    assert processes.living(small.bench.store.database) == {}
    with python(small.arguments("another"), log=small.log):
        small.wait(JobState.COMPLETED)
    small.demand_completed_once()


def test_a_job_that_is_canceled_while_the_model_works_ends_at_once(small: Hospital) -> None:
    first = small.bench.complete(mr_series(Grid(slices=10), name="first"))
    with python(small.arguments("node", "infer"), log=small.log) as worker:
        line_with(worker, "holds infer", small.log)
        database = small.bench.store.database
        assert rows.finish(database, first.id, JobState.CANCELED, "not wanted", small.bench.clock(), actor="somebody")
        small.bench.complete(mr_series(Grid(slices=10), name="second"))
        until(lambda: len(small.lines("asked")) == 2, "the next inference, while the first still holds", PATIENCE_S)
        (small.folder / "go").touch()
        small.wait(JobState.COMPLETED)
    assert [one.state for one in small.bench.jobs()] == [JobState.CANCELED, JobState.COMPLETED]
    assert balance(database).residue == 0
