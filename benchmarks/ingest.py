"""Receiving: instances a second of this node (durable, with its ledger), pynetdicom's storescp, DCMTK and Orthanc.

    python -m benchmarks.ingest            the whole table, some minutes
    python -m benchmarks.ingest --quick    256 × 256 and 4 associations only
    python -m benchmarks.ingest --indexing this node also with its indexer at work

Every receiver gets the same files from the same DCMTK senders, TCP_NODELAY set, receivers taking turns in each round.
Shown is the median of the rounds. Needs the Debian packages dcmtk and orthanc.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import psutil

from node.core import phantom
from node.core.results import to_bytes

_AE = "RECEIVER"
_START_S = 60.0


@dataclass(frozen=True)
class Receiver:
    """A Storage SCP: how it is started on a folder and port."""

    name: str
    command: Callable[[Path, int], list[str]]


@dataclass(frozen=True)
class Case:
    """What is sent."""

    name: str
    files: list[list[Path]]  # one list for each association
    bytes: int


def _orthanc(folder: Path, port: int) -> list[str]:
    settings = {
        "Name": "benchmark",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": _AE,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomThreadsCount": 32,
        "Plugins": [],
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    return ["Orthanc", str(file)]


def _dcmtk(folder: Path, port: int) -> list[str]:
    return ["storescp", "--fork", "-aet", _AE, "-od", str(folder), "+uf", "+xa", "-pdu", "131072", str(port)]


def _pynetdicom(folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-aet", _AE, "-od", str(folder), "-q"]


def _node(folder: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.receiving_node", str(folder), str(port)]


RECEIVERS = [
    Receiver("this node", _node),
    Receiver("Orthanc", _orthanc),
    Receiver("DCMTK storescp", _dcmtk),
    Receiver("pynetdicom storescp", _pynetdicom),
]


def _indexing_node(folder: Path, port: int) -> list[str]:
    return [*_node(folder, port), "index"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="256 x 256, 4 associations, two rounds")
    options.add_argument("--indexing", action="store_true", help="this node also with its indexer at work")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--instances", type=int, default=400)
    chosen = options.parse_args()
    if chosen.indexing:
        RECEIVERS.insert(1, Receiver("this node, indexing", _indexing_node))
    for program in ("storescu", "storescp", "Orthanc"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing: apt install dcmtk orthanc")
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=os.environ.get("BENCHMARK_DIR")) as name:
        work = Path(name)
        sizes = (256,) if chosen.quick else (64, 256, 512)
        parallel = (4,) if chosen.quick else (1, 4, 16)
        cases = [_series(work, size, number, chosen.instances) for size in sizes for number in parallel]
        if not chosen.quick:
            cases.append(_enhanced(work))
        _print_head()
        for case in cases:
            _measure(case, work, chosen.rounds)


def _series(work: Path, size: int, associations: int, count: int) -> Case:
    """`count` instances of size x size, spread over the associations."""
    folder = work / f"{size}-{associations}"
    folder.mkdir()
    grid = phantom.Grid(slices=1, rows=size, columns=size)
    (template,) = phantom.instances(phantom.voxels(grid), when=datetime(2026, 1, 1))  # noqa: DTZ001
    files: list[list[Path]] = [[] for _ in range(associations)]
    for number in range(count):
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = f"2.25.{10**30 + number}"
        template.SeriesInstanceUID = f"2.25.{10**20 + number % associations}"
        template.InstanceNumber = number + 1
        path = folder / f"{number:05d}.dcm"
        path.write_bytes(to_bytes(template))
        files[number % associations].append(path)
    return Case(f"{count} × {size}², {associations} assoc.", files, sum(p.stat().st_size for one in files for p in one))


def _enhanced(work: Path) -> Case:
    """One multi-frame instance of 500 MB."""
    grid = phantom.Grid(slices=1, rows=512, columns=512)
    (template,) = phantom.instances(phantom.voxels(grid), when=datetime(2026, 1, 1))  # noqa: DTZ001
    frames = 500_000_000 // (512 * 512 * 2)
    template.SOPClassUID = template.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    template.NumberOfFrames = frames
    template.PixelData = np.zeros((frames, 512, 512), np.uint16).tobytes()
    path = work / "enhanced.dcm"
    path.write_bytes(to_bytes(template))
    return Case("1 × 500 MB Enhanced", [[path]], path.stat().st_size)


def _measure(case: Case, work: Path, rounds: int) -> None:
    seconds: dict[str, list[float]] = {one.name: [] for one in RECEIVERS}
    memory: dict[str, int] = {one.name: 0 for one in RECEIVERS}
    for number in range(rounds):
        for receiver in RECEIVERS[number % len(RECEIVERS) :] + RECEIVERS[: number % len(RECEIVERS)]:
            taken, peak = _round(receiver, case, work)
            if taken is not None:
                seconds[receiver.name].append(taken)
            memory[receiver.name] = max(memory[receiver.name], peak)
    ours = statistics.median(seconds["this node"])
    count = sum(len(one) for one in case.files)
    for receiver in RECEIVERS:
        if len(seconds[receiver.name]) < rounds:
            print(f"| {case.name} | {receiver.name} | does not take so many associations | | | |", flush=True)
            continue
        median = statistics.median(seconds[receiver.name])
        print(
            f"| {case.name} | {receiver.name} | {count / median:.0f} | {case.bytes / median / 1e6:.0f} "
            f"| {memory[receiver.name] / 1e6:.0f} | {median / ours:.2f} × |",
            flush=True,
        )


def _round(receiver: Receiver, case: Case, work: Path) -> tuple[float | None, int]:
    """Seconds for all senders to be done, None when one was sent away, and the receiver's peak memory in bytes."""
    with tempfile.TemporaryDirectory(dir=work) as name, _running(receiver, Path(name)) as (process, port):
        peak = _Peak(process.pid)
        begin = time.perf_counter()
        senders = [_sender(files, port) for files in case.files]
        while any(one.poll() is None for one in senders):
            peak.look()
            time.sleep(0.02)
        taken = time.perf_counter() - begin
        peak.look()
        complete = not any(one.returncode for one in senders)
    return (taken if complete else None), peak.bytes


def _sender(files: list[Path], port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["storescu", "-q", "-R", "--max-send-pdu", "131072", "-aec", _AE, "127.0.0.1", str(port), *map(str, files)],
        env={**os.environ, "TCP_NODELAY": "1"},
    )


class _Peak:
    """Peak resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._process, self.bytes = psutil.Process(pid), 0

    def look(self) -> None:
        total = 0
        for one in [self._process, *self._process.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.bytes = max(self.bytes, total)


@contextmanager
def _running(receiver: Receiver, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    process = subprocess.Popen(
        receiver.command(folder, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "TCP_NODELAY": "1"},
    )  # fmt: skip
    try:
        give_up = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > give_up or process.poll() is not None:
                    sys.exit(f"{receiver.name} did not start")
                time.sleep(0.05)
        time.sleep(0.5)
        yield process, port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _print_head() -> None:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    print()
    print("| case | receiver | instances/s | MB/s | peak RSS, MB | this node is faster by |")
    print("|---|---|---|---|---|---|")


if __name__ == "__main__":
    main()
