"""A node with a million series: how long it takes to start, what it does when there is nothing to do, how long every
address takes that is read while it receives, and the commands of an operator.

    python -m benchmarks.scale                          a minute to fill, four to measure
    python -m benchmarks.scale --folder /tmp/scale      keep what was filled there for the next time

No Triton is there, so jobs wait. Exit status 1 when an address takes longer than 200 ms in 95 of 100 cases.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx

from benchmarks.pages.asked import CEILING_S
from benchmarks.pages.filling import PER_STUDY, fill
from benchmarks.pages.serving import node, receiving
from benchmarks.scale.asked import addresses

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--series", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path, help="kept, and used again")
    options.add_argument("--times", type=int, default=20, help="how often each address is asked for")
    options.add_argument("--idle", type=float, default=30, help="seconds for which nothing is asked")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-", dir=os.environ.get("BENCHMARK_DIR")) as made:
        folder = chosen.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        _timed(f"{chosen.series} series filled", lambda: fill(folder, chosen.series))
        begin = time.perf_counter()
        with node(folder) as served:
            print(f"{'start, until it listens':<40}{time.perf_counter() - begin:>8.1f} s")
            time.sleep(30)  # the ledger is counted, the last day is read
            print(f"{'idle: of one processor':<40}{_share(served.process, chosen.idle):>8.1f} %")
            with receiving(served.base):
                slow = _measure(served.base, chosen.series, chosen.times)
            stop = time.perf_counter()
        print(f"{'stop':<40}{time.perf_counter() - stop:>8.1f} s")
        _commands(folder)
    sys.exit(1 if slow else 0)


def _measure(base: str, number: int, times: int) -> list[str]:
    """The addresses that are too slow."""
    slow = []
    print(f"{'address':<70}{'first ms':>9}{'p50 ms':>8}{'p95 ms':>8}  status")
    with httpx.Client(base_url=base, timeout=120, trust_env=False) as client:
        for address in addresses(client):
            seconds, status = [], 0
            for turn in range(times + 1):
                begin = time.perf_counter()
                status = client.get(_numbered(address, turn, number)).status_code
                seconds.append(time.perf_counter() - begin)
            first, p50 = seconds[0], statistics.median(seconds[1:])
            p95 = statistics.quantiles(seconds[1:], n=20)[-1]
            print(f"{address[:68]:<70}{first * 1e3:>9.0f}{p50 * 1e3:>8.0f}{p95 * 1e3:>8.0f}  {status}")
            if p95 > CEILING_S:
                slow.append(address)
    print("too slow: " + ", ".join(slow) if slow else f"every address within {CEILING_S * 1e3:.0f} ms")
    return slow


def _numbered(address: str, turn: int, number: int) -> str:
    """With a number that is some series' and job's."""
    return address.replace("{}", str(turn * 7919 % max(1, number // PER_STUDY - 1) + 1))


def _share(process: int, seconds: float) -> float:
    """Of one processor, in percent, that a process takes."""
    before = _ticks(process)
    time.sleep(seconds)
    return 100 * (_ticks(process) - before) / _TICKS / seconds


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _commands(folder: Path) -> None:
    """Those that look at the whole node."""
    kept = folder / "backup"
    for said, command in _asked(folder, kept):
        _timed(said, partial(subprocess.run, command, capture_output=True, check=False))
    shutil.rmtree(kept, ignore_errors=True)


def _asked(folder: Path, kept: Path) -> Iterator[tuple[str, list[str]]]:
    mricore = [sys.executable, "-m", "node"]
    config = ["--config", str(folder / "node.toml")]
    yield "check", [*mricore, "check", *config]
    yield "backup, the first", [*mricore, "backup", str(kept), *config]
    yield "backup, the second", [*mricore, "backup", str(kept), *config]
    yield "support", [*mricore, "support", "--out", str(folder / "support.zip"), *config]


def _timed(said: str, what: Callable[[], object]) -> None:
    begin = time.perf_counter()
    what()
    print(f"{said:<40}{time.perf_counter() - begin:>8.1f} s", flush=True)


if __name__ == "__main__":
    main()
