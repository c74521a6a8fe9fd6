"""The network is cut, between replica and database or node and PACS: packets are lost, and nobody says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import make_url

from node.adapters.database import processes
from node.adapters.decoding import Decoder
from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.storescu import Peer
from node.core.states import JobState
from tests.bench import Bench, until
from tests.clock import Clock
from tests.delivering import Site, site
from tests.network import Wire, wire
from tests.postgresql import server
from tests.processes import PATIENCE_S, line_with, python
from tests.receiving import opened
from tests.synthetic import Grid, mr_series
from tests.system.test_job_faults import Hospital


@pytest.fixture
def cable() -> Iterator[Wire]:
    with wire() as laid:
        yield laid


@pytest.fixture
def hospital(tmp_path: Path, decoder: Decoder, cable: Wire) -> Iterator[Hospital]:
    with server(cable.here) as database:
        clock = Clock()
        with opened(tmp_path, clock, url=database.url) as store:
            yield Hospital(Bench(store, clock, decoder), tmp_path, database.url)


def far(hospital: Hospital, cable: Wire, hold: str) -> list[str]:
    """Arguments of a worker on the other machine."""
    folder, url, process, step, engine = hospital.arguments("far", hold)[2:]
    distant = make_url(url).set(host=cable.here).render_as_string(hide_password=False)
    return ["-m", "tests.system.working_node", folder, distant, process, step, engine]


def test_a_worker_that_cannot_reach_the_database_for_a_while_goes_on_when_it_can(
    hospital: Hospital, cable: Wire
) -> None:
    for number in range(2):
        hospital.bench.complete(mr_series(Grid(slices=10), name=f"s{number}"))
    with python(far(hospital, cable, "encode"), log=hospital.log, before=cable.on_the_other) as worker:
        line_with(worker, "holds encode", hospital.log)
        cable.cut()
        (hospital.folder / "go").touch()
        sleep(8)  # less than it may say nothing for: the job stays its own
        assert [job.state for job in hospital.bench.jobs()].count(JobState.COMPLETED) == 0
        cable.heal()
        hospital.wait(JobState.COMPLETED, jobs=2)
    hospital.demand_completed_once()
    assert len(hospital.lines("asked")) == 2


@pytest.mark.slow
def test_after_a_minute_without_the_database_another_has_its_job_and_it_ends_without_a_trace(
    hospital: Hospital, cable: Wire
) -> None:
    hospital.bench.complete(mr_series(Grid(slices=10)))
    with python(far(hospital, cable, "encode"), log=hospital.log, before=cable.on_the_other) as worker:
        line_with(worker, "holds encode", hospital.log)
        cable.cut()
        (hospital.folder / "go").touch()
        with python(hospital.arguments("near"), log=hospital.log):
            hospital.wait(JobState.COMPLETED)
            sleep(60)
            cable.heal()
            hospital.bench.complete(mr_series(Grid(slices=10), name="later"))
            hospital.wait(JobState.COMPLETED, jobs=2)
            until(lambda: set(processes.living(hospital.bench.store.database)) == {"far", "near"}, "both", PATIENCE_S)
    hospital.demand_completed_once()


@pytest.mark.filterwarnings(  # pynetdicom leaves the socket of an association that was not answered to the collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_a_pacs_that_is_cut_off_in_mid_association_gets_what_it_did_not_answer(
    tmp_path: Path, cable: Wire, seconds: int
) -> None:
    stored = tmp_path / "stored"
    stored.mkdir()
    (tmp_path / "hold").touch()
    log = tmp_path / "log"
    with (
        site(tmp_path) as at,
        python(["-m", "tests.system.far_pacs", cable.there, str(stored)], log=log, before=cable.on_the_other) as pacs,
    ):
        port = int(line_with(pacs, "listens", log).split()[-1])
        at.destinations["pacs"] = DicomPeer("pacs", Peer("PACS", cable.there, port, "MRICORE", timeout_seconds=8))
        number = at.job("pacs")
        attempt = threading.Thread(target=lambda: at.attempt(number))
        attempt.start()
        line_with(pacs, "holds", log)  # it has the first object, and has not answered
        cable.cut()
        (tmp_path / "hold").unlink()
        attempt.join(PATIENCE_S)
        _demand_waiting(at, number)
        sleep(seconds)
        at.clock.advance(120)
        assert "cannot be reached" in at.attempt(number)
        cable.heal()
        at.clock.advance(3600)
        until(lambda: at.attempt(number) == "delivered to pacs", "delivery", PATIENCE_S)
        assert at.state(number) == "completed"
    assert len(list(stored.iterdir())) == 2  # one file for each object, in one form


def _demand_waiting(at: Site, number: int) -> None:
    assert at.state(number) == "scheduled"
    assert [state for _, state, _, _ in at.answers(number)] == ["waiting", "waiting"]
