"""What dies comes back, or is said to be away; nothing hangs and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from node.adapters.triton import EmbeddedTriton, Model, TritonClient
from node.errors import ModelUnavailable
from tests.bench import until
from tests.triton_fixture import MODEL, REPOSITORY, StartTriton

SLICES = np.arange(2 * 64 * 64, dtype=np.uint16).reshape(2, 64, 64)


def model_processes(server: EmbeddedTriton) -> list[psutil.Process]:
    children = psutil.Process(server.pid).children(recursive=True)
    return [child for child in children if "stub" in child.name() or "stub" in " ".join(child.cmdline()[:1])]


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_killed_server_is_unavailable_and_one_in_its_place_is_found(
    own_triton: EmbeddedTriton, start_triton: StartTriton
) -> None:
    with TritonClient(own_triton.url, token=own_triton.token) as client:
        client.infer(MODEL, "", SLICES)
        own_triton.kill()
        with pytest.raises(ModelUnavailable, match="down"):
            client.infer(MODEL, "", SLICES, deadline_s=60)
        start_triton(port=own_triton.port)
        until(lambda: client.ready(MODEL), "the one in its place")
        assert client.infer(MODEL, "", SLICES).shape == SLICES.shape


def test_a_killed_model_process_is_started_again(own_triton: EmbeddedTriton, model: Model) -> None:
    with TritonClient(own_triton.url, token=own_triton.token) as client:
        client.infer(MODEL, "", SLICES)
        for process in model_processes(own_triton):
            process.kill()
        client.canary(model)


def test_without_the_token_a_dead_model_process_is_unavailable(own_triton: EmbeddedTriton) -> None:
    with TritonClient(own_triton.url) as client:
        client.infer(MODEL, "", SLICES)
        for process in model_processes(own_triton):
            process.kill()
        with pytest.raises(ModelUnavailable, match="could not be started again"):
            client.infer(MODEL, "", SLICES, deadline_s=60)


def test_a_hung_model_process_costs_no_more_than_the_deadline(own_triton: EmbeddedTriton) -> None:
    with TritonClient(own_triton.url, token=own_triton.token) as client:
        client.infer(MODEL, "", SLICES)
        for process in model_processes(own_triton):
            process.suspend()
        begun = time.monotonic()
        with pytest.raises(ModelUnavailable, match="deadline"):
            client.infer(MODEL, "", SLICES, deadline_s=1.0)
        assert time.monotonic() - begun < 120  # it hangs for ever


def test_after_several_failures_the_next_call_fails_at_once() -> None:
    with TritonClient("127.0.0.1:9") as client:
        for _ in range(5):
            with pytest.raises(ModelUnavailable):
                client.infer(MODEL, "", SLICES, deadline_s=0.2)
        with pytest.raises(ModelUnavailable, match="in a row"):
            client.infer(MODEL, "", SLICES, deadline_s=60)


def test_nothing_is_left_in_shared_memory(own_triton: EmbeddedTriton) -> None:
    mark = f"mricore{os.getpid()}_{own_triton.port}_*"
    assert list(Path("/dev/shm").glob(mark))  # noqa: S108
    own_triton.kill()
    assert not list(Path("/dev/shm").glob(mark))  # noqa: S108


def test_the_server_dies_with_its_node_even_when_that_is_killed(triton: EmbeddedTriton, tmp_path: Path) -> None:
    assert triton.alive  # the wheel is there
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom node.adapters.triton import EmbeddedTriton\n"
        f"server = EmbeddedTriton(Path({str(REPOSITORY)!r}), Path({str(tmp_path)!r}), models=[{MODEL!r}])\n"
        "server.start()\nprint(server.pid, flush=True)\ntime.sleep(600)\n"
    )
    node = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=REPOSITORY.parent)
    assert node.stdout is not None
    pid = int(node.stdout.readline())
    node.send_signal(signal.SIGKILL)
    node.communicate()
    until(lambda: not runs(pid), "the end of the server")


def test_a_model_that_cannot_be_loaded_is_said_with_the_reason(tmp_path: Path, start_triton: StartTriton) -> None:
    folder = tmp_path / "models" / "broken"
    (folder / "1").mkdir(parents=True)
    (folder / "configs").mkdir()
    text = (REPOSITORY / MODEL / "configs" / "cpu.pbtxt").read_text().replace(MODEL, "broken")
    (folder / "config.pbtxt").write_text(text)
    (folder / "configs" / "cpu.pbtxt").write_text(text)
    (folder / "1" / "model.py").write_text("raise RuntimeError('no weights here')\n")
    with pytest.raises(ModelUnavailable, match="no weights here"):
        start_triton(tmp_path / "models", ("broken",))


def test_a_port_that_is_taken_is_said_with_the_end_of_the_log(
    triton: EmbeddedTriton, start_triton: StartTriton
) -> None:
    with pytest.raises(ModelUnavailable, match="stopped"):
        start_triton(port=triton.port)
