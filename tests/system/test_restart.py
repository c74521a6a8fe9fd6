"""kill -9 of the whole node in the middle of a series: after the restart one job, one result, nothing lost."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from pydicom import dcmread

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.trace import line
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.triton import EmbeddedTriton
from node.core import phantom
from node.core.results import to_bytes
from node.core.status import SUCCESS
from tests.command_line import settings_file
from tests.processes import PATIENCE_S, end, line_with, python
from tests.replicas import middle_last

SLICES = 32


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A phantom head, as files, its middle last."""
    folder = tmp_path_factory.mktemp("phantom")
    made = phantom.instances(phantom.voxels(), when=datetime(2026, 1, 5, 9, 30))  # noqa: DTZ001 # DICOM has no zone here
    paths = []
    for number, ds in enumerate(made, 1):
        paths.append(folder / f"{number:04d}.dcm")
        paths[-1].write_bytes(to_bytes(ds))
    return middle_last(paths)


@contextmanager
def serving(folder: Path, triton: EmbeddedTriton) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`mricore-node serve` and its DICOM port."""
    log = folder / "log"
    environment = {"MRICORE_TRITON__URL": f"grpc://{triton.url}", "MRICORE_TRITON__TOKEN": triton.token or ""}
    with python(
        ["-m", "node", "serve", "--config", str(settings_file(folder))], log=log, environment=environment
    ) as process:
        said = line_with(process, "listens", log)
        found = re.search(r"DICOM \S+:(\d+),", said)
        assert found, said
        yield process, int(found[1])


def store(port: int, paths: list[Path]) -> None:
    peer = Peer("MRICORE", "127.0.0.1", port, "SCANNER")
    answers = [one.status for one in send(peer, [(path, read_file_head(path)) for path in paths])]
    assert answers == [SUCCESS] * len(paths)


def until_completed(folder: Path, uid: str) -> Any:
    """The series once its job is completed; fails after a long while only."""
    database = Database(f"sqlite:///{folder / 'node.db'}")
    give_up = monotonic() + PATIENCE_S
    found = None
    try:
        while monotonic() < give_up:
            found = line(database, uid)
            if found and found.jobs and all(job.state not in ("scheduled", "in_progress") for job in found.jobs):
                assert broken_chains(database) == {}
                assert balance(database).residue == 0
                return found
            sleep(0.2)
    finally:
        database.close()
    raise AssertionError(f"no job was finished: {found}; {(folder / 'log').read_text()[-3000:]}")


def test_half_a_series_kill_9_the_rest_after_a_restart_is_one_job_and_one_result(
    tmp_path: Path, triton: EmbeddedTriton, series: list[Path]
) -> None:
    uid = str(dcmread(series[0], stop_before_pixels=True).SeriesInstanceUID)
    with serving(tmp_path, triton) as (process, port):
        store(port, series[: SLICES // 2])
        end(process)
    with serving(tmp_path, triton) as (process, port):
        store(port, series[SLICES // 2 :])
        found = until_completed(tmp_path, uid)
        end(process)
    assert found.received == {"stored": SLICES}
    (job,) = found.jobs
    assert (job.state, job.version) == ("completed", 1)
    delivered = sorted(path.name.partition("-")[0] for path in (tmp_path / "out").iterdir())
    assert delivered == ["seg", "sr"]
    segmentation = dcmread(next((tmp_path / "out").glob("seg-*")), stop_before_pixels=True)
    assert len(segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == SLICES


def test_kill_9_during_the_job_repeats_it_and_delivers_one_result(
    tmp_path: Path, triton: EmbeddedTriton, series: list[Path]
) -> None:
    uid = str(dcmread(series[0], stop_before_pixels=True).SeriesInstanceUID)
    with serving(tmp_path, triton) as (process, port):
        store(port, series)
        _until_a_job_began(tmp_path, uid)
        end(process)
    with serving(tmp_path, triton) as (process, _):
        found = until_completed(tmp_path, uid)
        end(process)
    (job,) = found.jobs
    assert (job.state, job.version) == ("completed", 1)
    assert len(list((tmp_path / "out").glob("seg-*.dcm"))) == 1
    assert len(list((tmp_path / "out").glob("sr-*.dcm"))) == 1


def _until_a_job_began(folder: Path, uid: str) -> None:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    give_up = monotonic() + PATIENCE_S
    try:
        while monotonic() < give_up:
            found = line(database, uid)
            if found and found.jobs and found.jobs[0].state != "scheduled":
                return
            sleep(0.01)
    finally:
        database.close()
    raise AssertionError("no job began")
