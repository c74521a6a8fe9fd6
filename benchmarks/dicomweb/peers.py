"""This node beside Debian's Orthanc with its DICOMweb plugin, on the same studies, taking turns.

Both are processes of their own on loopback; the client is this one. Shown is the median of the rounds. Needs the Debian
packages orthanc and orthanc-dicomweb.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID

from benchmarks.dicomweb.client import Connection
from benchmarks.dicomweb.servers import Server, node, orthanc
from tests.synthetic import Grid, enhanced, mr_series, to_bytes, uid

_FRAMES = "multipart/related; type=application/octet-stream; transfer-syntax=*"


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
        mine = Connection(server.port)
        while time.perf_counter() < until:
            _demand(mine.get(server.root + paths[(place * 7 + counts[place]) % len(paths)], _FRAMES))
            counts[place] += 1
        mine.close()

    threads = [threading.Thread(target=fetch, args=(place,)) for place in range(connections)]
    took = _timed(lambda: [*map(threading.Thread.start, threads), *map(threading.Thread.join, threads)])
    return sum(counts) / took


def _demand(answer: tuple[int, int]) -> None:
    if answer[0] != 200:
        raise SystemExit(f"status {answer[0]}")


def _store_all(server: Server, files: Sequence[bytes]) -> float:
    """Seconds that it took, fifty in a request."""
    begin = time.perf_counter()
    for at in range(0, len(files), 50):
        server.store(files[at : at + 50])
    return time.perf_counter() - begin


def _wait_for(server: Server, count: int, what: str) -> None:
    """Until so many are found."""
    give_up = time.monotonic() + 600
    while time.monotonic() < give_up:
        if len(server.get(f"{what}?limit=1&offset={count - 1}")) > 10:
            return
        time.sleep(0.1)
    raise SystemExit(f"{server.name} does not show what it stored")


def _measures(server: Server, many: int, slices: Sequence[Dataset], seg: Dataset) -> Mapping[str, float]:
    """One round: figures by name. Milliseconds, or per second where the name says so."""
    study = f"studies/{slices[0].StudyInstanceUID}"
    series = f"{study}/series/{slices[0].SeriesInstanceUID}"
    segments = f"studies/{seg.StudyInstanceUID}/series/{seg.SeriesInstanceUID}/metadata"
    frames = [f"{series}/instances/{ds.SOPInstanceUID}/frames/1" for ds in slices]
    name = f"PatientName=*amily{many // 7 % 500}^*"
    mine = Connection(server.port)

    def ask(path: str, times: int) -> float:
        _demand(mine.get(server.root + path))  # what is asked for the first time is another matter
        return _median_ms(lambda: _demand(mine.get(server.root + path)), times)

    found = {
        "study list, 101 of all, ms": ask("studies?limit=101&offset=0", 5),
        "studies by PatientID, ms": ask(f"studies?PatientID=P{many // 2}", 40),
        "a study by its UID, ms": ask(f"studies?StudyInstanceUID={slices[0].StudyInstanceUID}", 40),
        "studies by *name*, ms": ask(f"studies?{name}&limit=101", 20),
        "series of a study, ms": ask(f"{study}/series", 40),
        f"instances of a series of {len(slices)}, ms": ask(f"{series}/instances", 5),
        f"metadata of {len(slices)} slices, ms": ask(f"{series}/metadata", 5),
        f"metadata of {seg.NumberOfFrames} frames, ms": ask(segments, 5),
    }
    mine.close()
    return {**found, **{f"frames/s, {n} connections": _frames_a_second(server, frames, n, 3.0) for n in (1, 8, 32)}}


def main() -> None:
    """Fill both, then ask both in turn."""
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--quick", action="store_true")
    reading.add_argument("--studies", type=int, default=0)
    reading.add_argument("--rounds", type=int, default=0)
    asked = reading.parse_args()
    many, rounds = asked.studies or (500 if asked.quick else 5000), asked.rounds or (2 if asked.quick else 5)
    slices = mr_series(Grid(slices=100 if asked.quick else 500, rows=256, columns=256), name="slices")
    seg = _seg(200 if asked.quick else 975)
    small, large = _studies(many), [to_bytes(ds) for ds in slices]
    with tempfile.TemporaryDirectory(prefix="dicomweb-") as named:
        folder = Path(named)
        with orthanc(folder) as peer, node(folder) as ours:
            series = f"studies/{slices[0].StudyInstanceUID}/series/{slices[0].SeriesInstanceUID}/instances"
            stored: dict[str, float] = {}
            shown: dict[str, float] = {}
            for server in (peer, ours):
                for at in range(0, many, 500):
                    server.store(small[at : at + 500])
                server.store([to_bytes(seg)])
                _wait_for(server, many + 1, "studies")
                begin = time.perf_counter()
                stored[server.name] = sum(map(len, large)) / _store_all(server, large) / 1e6
                _wait_for(server, len(slices), series)
                shown[server.name] = sum(map(len, large)) / (time.perf_counter() - begin) / 1e6
            found: dict[str, list[Mapping[str, float]]] = {peer.name: [], ours.name: []}
            for turn in range(rounds):
                for server in (peer, ours) if turn % 2 else (ours, peer):
                    found[server.name].append(_measures(server, many, slices, seg))
    print(f"{many} studies; medians of {rounds} rounds")
    print(f"{'':34}{'Orthanc':>10}{'node':>10}{'times':>8}")
    rows = {
        name: {who: statistics.median(one[name] for one in each) for who, each in found.items()}
        for name in found["node"][0]
    }
    rows["STOW, MB/s, answered"] = stored
    rows["STOW, MB/s, found by a search"] = shown
    for name, by in rows.items():
        better = by["node"] / by["Orthanc"] if "/s" in name else by["Orthanc"] / by["node"]
        print(f"{name:34}{by['Orthanc']:10.1f}{by['node']:10.1f}{better:8.1f}")


if __name__ == "__main__":
    main()
