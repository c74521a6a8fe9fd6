"""DICOMweb: this node beside Debian's Orthanc with its DICOMweb plugin, on the same studies, taking turns.

    python -m benchmarks.dicomweb              the whole table, some minutes
    python -m benchmarks.dicomweb --quick      fewer studies and rounds

Both are processes of their own on loopback; the client is this one. Shown is the median of the rounds. Needs the Debian
packages orthanc and orthanc-dicomweb.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from tests.synthetic import Grid, enhanced, mr_series, to_bytes, uid

_START_S = 120.0
_FRAMES = "multipart/related; type=application/octet-stream; transfer-syntax=*"
_PLUGINS = ("/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Server:
    """Something that speaks DICOMweb."""

    name: str
    port: int
    root: str  # of DICOMweb, with slashes around

    def get(self, path: str, accept: str = "application/dicom+json", connection: HTTPConnection | None = None) -> bytes:
        mine = connection or HTTPConnection("127.0.0.1", self.port, timeout=300)
        mine.request("GET", f"{self.root}{path}", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        answer = mine.getresponse()
        content = answer.read()
        if answer.status not in (200, 204):
            raise SystemExit(f"{self.name}: {answer.status} for {path[:80]}: {content[:200]!r}")
        return content

    def store(self, files: Sequence[bytes]) -> None:
        body = (
            b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in files) + b"--x--\r\n"
        )
        mine = HTTPConnection("127.0.0.1", self.port, timeout=600)
        kind = 'multipart/related; type="application/dicom"; boundary=x'
        mine.request("POST", f"{self.root}studies", body, {"Content-Type": kind, "Accept": "application/dicom+json"})
        answer = mine.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {answer.status} when it stored: {answer.read()[:300]!r}")
        answer.read()


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], name: str, port: int, root: str, log: Path) -> Iterator[Server]:
    server = Server(name, port, root)
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        give_up = time.monotonic() + _START_S
        while True:
            try:
                server.get("studies?limit=1")
                break
            except OSError:
                if time.monotonic() > give_up or process.poll() is not None:
                    raise SystemExit(f"{name} did not start: see {log}") from None
                time.sleep(0.1)
        yield server
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _orthanc(folder: Path) -> Iterator[Server]:
    program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    plugins = [path for path in _PLUGINS if Path(path).exists()]
    if program is None or not plugins:
        raise SystemExit("needs the Debian packages orthanc and orthanc-dicomweb")
    port = _free_port()
    settings = {
        "Name": "benchmark", "StorageDirectory": str(folder / "orthanc"), "IndexDirectory": str(folder / "orthanc"),
        "Plugins": plugins[:1], "HttpPort": port, "DicomPort": _free_port(), "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False, "HttpThreadsCount": 50, "KeepAlive": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
    }  # fmt: skip
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    with _running([program, str(file)], "Orthanc", port, "/dicom-web/", folder / "orthanc.log") as server:
        yield server


@contextmanager
def _node(folder: Path) -> Iterator[Server]:
    port = _free_port()
    settings = f"""
[node]
data_dir = "{folder / "node"}"
[dicom]
port = {_free_port()}
[http]
port = {port}
[storage]
low_watermark = "0 GB"
[triton]
url = "grpc://127.0.0.1:9"
[[destination]]
name = "pacs"
kind = "folder"
path = "{folder / "out"}"
"""
    file = folder / "node.toml"
    file.write_text(settings)
    command = [sys.executable, "-m", "node", "serve", "--config", str(file)]
    with _running(command, "node", port, "/dicom-web/", folder / "node.log") as server:
        yield server


def _studies(count: int) -> list[bytes]:
    """As many studies of one small image."""
    (ds,) = mr_series(Grid(slices=1, rows=8, columns=8), name="many")
    made = []
    for number in range(count):
        ds.PatientID, ds.PatientName = f"P{number}", f"Family{number % 500}^Given{number % 37}"
        ds.StudyDate = f"20{number % 25:02d}{number % 12 + 1:02d}{number % 28 + 1:02d}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = UID(uid("study", number)), UID(uid("series", number))
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid("instance", number))
        made.append(to_bytes(ds))
    return made


def _seg(frames: int) -> Dataset:
    """A one-bit multi-frame image with functional groups, as a BINARY SEG has them."""
    ds = enhanced(Grid(slices=frames, rows=64, columns=64), name="seg")
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit, ds.Modality = 0, "SEG"
    ds.PixelData = np.packbits(
        np.random.default_rng(1).integers(0, 2, frames * 4096, np.uint8), bitorder="little"
    ).tobytes()
    ds["PixelData"].VR = "OB"
    return ds


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _median_ms(work: Callable[[], object], times: int) -> float:
    return statistics.median(_timed(work) for _ in range(times)) * 1000


def _frames_a_second(server: Server, paths: Sequence[str], connections: int, seconds: float) -> float:
    """Frames a second over so many connections that stay open."""
    counts, until = [0] * connections, time.perf_counter() + seconds

    def fetch(place: int) -> None:
        mine = HTTPConnection("127.0.0.1", server.port, timeout=60)
        while time.perf_counter() < until:
            server.get(paths[(place * 7 + counts[place]) % len(paths)], _FRAMES, mine)
            counts[place] += 1

    threads = [threading.Thread(target=fetch, args=(place,)) for place in range(connections)]
    took = _timed(lambda: [*map(threading.Thread.start, threads), *map(threading.Thread.join, threads)])
    return sum(counts) / took


def _store_all(server: Server, files: Sequence[bytes]) -> float:
    """Seconds that it took, fifty in a request."""
    begin = time.perf_counter()
    for at in range(0, len(files), 50):
        server.store(files[at : at + 50])
    return time.perf_counter() - begin


def _wait_for(server: Server, count: int, series: str) -> None:
    give_up = time.monotonic() + 600
    while time.monotonic() < give_up:
        found = server.get(f"{series}/instances?limit=1&offset={count - 1}")
        if len(found) > 10:
            return
        time.sleep(0.5)
    raise SystemExit(f"{server.name} does not show what it stored")


def _measures(server: Server, many: int, slices: Sequence[Dataset], seg: Dataset) -> Mapping[str, float]:
    """One round: figures by name. Milliseconds, or per second where the name says so."""
    study = f"studies/{slices[0].StudyInstanceUID}"
    series = f"{study}/series/{slices[0].SeriesInstanceUID}"
    segments = f"studies/{seg.StudyInstanceUID}/series/{seg.SeriesInstanceUID}/metadata"
    frames = [f"{series}/instances/{ds.SOPInstanceUID}/frames/1" for ds in slices]
    name = f"PatientName=*amily{many // 7 % 500}^*"
    return {
        "study list, 101 of all, ms": _median_ms(lambda: server.get("studies?limit=101&offset=0"), 3),
        "studies by PatientID, ms": _median_ms(lambda: server.get(f"studies?PatientID=P{many // 2}"), 3),
        "studies by *name*, ms": _median_ms(lambda: server.get(f"studies?{name}&limit=101"), 3),
        "series of a study, ms": _median_ms(lambda: server.get(f"{study}/series"), 5),
        f"metadata of {len(slices)} slices, ms": _median_ms(lambda: server.get(f"{series}/metadata"), 3),
        f"metadata of {seg.NumberOfFrames} frames, ms": _median_ms(lambda: server.get(segments), 3),
        **{f"frames/s, {n} connections": _frames_a_second(server, frames, n, 3.0) for n in (1, 8, 32)},
    }


def main() -> None:
    """Fill both, then ask both in turn."""
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--quick", action="store_true")
    reading.add_argument("--studies", type=int, default=0)
    asked = reading.parse_args()
    many, rounds = asked.studies or (500 if asked.quick else 5000), 2 if asked.quick else 5
    slices = mr_series(Grid(slices=100 if asked.quick else 500, rows=256, columns=256), name="slices")
    seg = _seg(200 if asked.quick else 975)
    small, large = _studies(many), [to_bytes(ds) for ds in slices]
    with tempfile.TemporaryDirectory(prefix="dicomweb-") as named:
        folder = Path(named)
        with _orthanc(folder) as orthanc, _node(folder) as node:
            stored: dict[str, float] = {}
            for server in (orthanc, node):
                for at in range(0, many, 500):
                    server.store(small[at : at + 500])
                server.store([to_bytes(seg)])
                seconds = _store_all(server, large)
                stored[server.name] = sum(map(len, large)) / seconds / 1e6
            for server in (orthanc, node):
                _wait_for(
                    server, len(slices), f"studies/{slices[0].StudyInstanceUID}/series/{slices[0].SeriesInstanceUID}"
                )
            found: dict[str, list[Mapping[str, float]]] = {orthanc.name: [], node.name: []}
            for turn in range(rounds):
                for server in (orthanc, node) if turn % 2 else (node, orthanc):
                    found[server.name].append(_measures(server, many, slices, seg))
    print(f"{many} studies; medians of {rounds} rounds")
    print(f"{'':34}{'Orthanc':>10}{'node':>10}{'times':>8}")
    rows = {
        name: {who: statistics.median(one[name] for one in each) for who, each in found.items()}
        for name in found["node"][0]
    }
    rows["STOW, MB/s"] = stored
    for name, by in rows.items():
        better = by["node"] / by["Orthanc"] if "/s" in name else by["Orthanc"] / by["node"]
        print(f"{name:34}{by['Orthanc']:10.1f}{by['node']:10.1f}{better:8.1f}")


if __name__ == "__main__":
    main()
