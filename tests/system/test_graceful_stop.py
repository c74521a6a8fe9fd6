"""SIGTERM on a node that serves: no new association, what was begun is finished or handed back, and it ends."""

from __future__ import annotations

import ctypes
import platform
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import psutil

from node.adapters.database import Database, processes
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.trace import recent_jobs
from node.adapters.triton import EmbeddedTriton
from node.core import phantom
from node.core.status import SUCCESS
from tests.bench import until
from tests.command_line import settings_file
from tests.processes import PATIENCE_S, line_with, python
from tests.raw_scu import ASSOCIATE_AC, COMMAND, DATA, RawScu, message, p_data, store_command
from tests.receiving import Encoded, encoded
from tests.replicas import middle_last
from tests.synthetic import Grid, mr_series

_SYS_TGKILL = {"x86_64": 234, "aarch64": 131}


@dataclass(frozen=True)
class Serving:
    """`mricore-node serve` and its ports."""

    process: subprocess.Popen[bytes]
    dicom: int
    http: str

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.http}{path}", timeout=60, trust_env=False)

    def told_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def refuses(self) -> bool:
        """Whether nobody listens any more."""
        try:
            socket.create_connection(("127.0.0.1", self.dicom), timeout=60).close()
        except (ConnectionRefusedError, ConnectionResetError):  # reset: it stood in line when the listener was closed
            return True
        return False


@contextmanager
def serving(folder: Path, stop_seconds: float, triton: EmbeddedTriton | None = None) -> Iterator[Serving]:
    log = folder / "log"
    environment = {"MRICORE_NODE__STOP_SECONDS": str(stop_seconds), "MRICORE_TRITON__URL": "grpc://127.0.0.1:9"}
    if triton:
        environment |= {"MRICORE_TRITON__URL": f"grpc://{triton.url}", "MRICORE_TRITON__TOKEN": triton.token}
    arguments = ["-m", "node", "serve", "--config", str(settings_file(folder))]
    with python(arguments, log=log, environment=environment) as process:
        said = line_with(process, "listens", log)
        found = re.search(r"DICOM \S+:(\d+), (http://\S+:\d+);", said)
        assert found, said
        yield Serving(process, int(found[1]), found[2])


@contextmanager
def rows(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    try:
        yield database
    finally:
        database.close()


def head() -> list[Encoded]:
    """A series that the shipped rules give to the shipped model."""
    made = phantom.instances(phantom.voxels(), when=datetime(2026, 1, 5, 9, 30))  # noqa: DTZ001 # DICOM has no zone here
    return [encoded(ds) for ds in middle_last(made)]


def test_an_association_that_is_open_is_finished_and_no_new_one_is_taken(tmp_path: Path) -> None:
    first, second, third = (encoded(ds) for ds in mr_series(Grid(slices=3)))
    with serving(tmp_path, PATIENCE_S) as node, RawScu(node.dicom) as scu:
        assert scu.associate(first.sop_class_uid)[0] == ASSOCIATE_AC
        assert scu.store(first) == SUCCESS
        half = len(second.data_set) // 2
        scu.send(p_data(message(1, COMMAND, [store_command(second)])))
        scu.send(p_data([(1, DATA, second.data_set[:half])]))
        node.told_to_stop()
        until(node.refuses, "the end of the listener", PATIENCE_S)
        scu.send(p_data(message(1, DATA, [second.data_set[half:]])))
        assert scu.status() == SUCCESS
        assert scu.store(third) == SUCCESS
        scu.release()
        assert node.process.wait(PATIENCE_S) == 0
    with rows(tmp_path) as database:
        found = balance(database)
        assert (found.received, found.waiting, found.residue) == (3, 3, 0)
        assert broken_chains(database) == {}


def test_a_signal_that_the_system_gives_to_another_thread_stops_the_node_too(tmp_path: Path) -> None:
    with serving(tmp_path, 10) as node:
        tasks = Path(f"/proc/{node.process.pid}/task")
        others = (int(one.name) for one in tasks.iterdir() if int(one.name) != node.process.pid)
        tgkill = ctypes.CDLL(None).syscall
        number, process, told = _SYS_TGKILL[platform.machine()], node.process.pid, int(signal.SIGTERM)
        assert any(tgkill(number, process, other, told) == 0 for other in others)  # one may have ended meanwhile
        assert node.process.wait(PATIENCE_S) == 0


def test_a_job_that_cannot_be_finished_is_handed_back_and_the_model_is_not_waited_for(
    tmp_path: Path, own_triton: EmbeddedTriton
) -> None:
    with serving(tmp_path, 1, own_triton) as node:
        until(lambda: node.get("/readyz").status_code == 200, "the canary", PATIENCE_S)
        children = psutil.Process(own_triton.pid).children(recursive=True)
        stubs = [child for child in children if "stub" in " ".join([child.name(), *child.cmdline()[:1]])]
        assert stubs
        for stub in stubs:
            stub.suspend()  # an inference now takes longer than anybody's patience
        try:
            with RawScu(node.dicom) as scu:
                series = head()
                assert scu.associate(series[0].sop_class_uid)[0] == ASSOCIATE_AC
                assert {scu.store(one) for one in series} == {SUCCESS}
                scu.release()
            jobs = "/api/v1/jobs"
            until(lambda: [one["stage"] for one in node.get(jobs).json()["jobs"]] == ["infer"], "a job", PATIENCE_S)
            busy = 'mricore_model_requests_in_flight{model="mri_core_head"} '
            until(lambda: re.search(f"{re.escape(busy)}[1-9]", node.get("/metrics").text), "an inference", PATIENCE_S)
            node.told_to_stop()
            assert node.process.wait(PATIENCE_S) == 0
        finally:
            for stub in stubs:
                stub.resume()
    with rows(tmp_path) as database:
        ((job, _),) = recent_jobs(database, None, 9)
        assert (job.state, job.reason) == ("scheduled", "handed back by a process that was told to stop")
        assert processes.living(database) == {}
        assert balance(database).residue == 0
