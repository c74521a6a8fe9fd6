"""Pages with a million series in the database, while the node receives: p50 and p95 of each.

    python -m benchmarks.pages                        a minute to fill, two to measure
    python -m benchmarks.pages --series 50000 --folder /tmp/pages   keep what was filled there for the next time

A node of its own serves and receives: one instance after the other comes by STOW-RS, each a new series. No Triton is
there, so jobs wait. Exit status 1 when a page takes longer than 200 ms in 95 of 100 cases.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.pages.asked import CEILING_S, Asked, numbered, pages
from benchmarks.pages.filling import fill
from benchmarks.pages.serving import node, receiving


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--series", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path, help="kept, and used again")
    options.add_argument("--times", type=int, default=40, help="how often each page is asked for")
    options.add_argument("--only", default="", help="only pages whose name contains this")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="pages-", dir=os.environ.get("BENCHMARK_DIR")) as made:
        folder = chosen.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        fill(folder, chosen.series)
        print(f"{chosen.series} series filled in {time.perf_counter() - begin:.0f} s")
        with node(folder) as served, receiving(served.base) as received:
            slow = _measure(served.base, chosen.series, chosen.times, chosen.only)
            print(f"received meanwhile: {len(received)} series")
    sys.exit(1 if slow else 0)


def _measure(base: str, number: int, times: int, only: str) -> list[str]:
    """The names of pages that are too slow."""
    slow = []
    print(f"{'page':<32}{'p50 ms':>8}{'p95 ms':>8}{'kB':>7}  status")
    with httpx.Client(base_url=base, timeout=120, trust_env=False) as client:
        for name, asked in pages(number).items():
            if only not in name:
                continue
            _ask(client, asked, 0, number)  # what is compiled or read once
            seconds, answer = [], None
            for turn in range(times):
                begin = time.perf_counter()
                answer = _ask(client, asked, turn, number)
                seconds.append(time.perf_counter() - begin)
            assert answer is not None
            p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
            print(
                f"{name:<32}{p50 * 1e3:>8.0f}{p95 * 1e3:>8.0f}{len(answer.content) / 1e3:>7.0f}  {answer.status_code}"
            )
            if p95 > CEILING_S:
                slow.append(name)
    print("too slow: " + ", ".join(slow) if slow else f"every page within {CEILING_S * 1e3:.0f} ms")
    return slow


def _ask(client: httpx.Client, asked: Asked, turn: int, number: int) -> httpx.Response:
    address = numbered(asked.address, turn, number)
    if asked.text is not None:
        return client.post(address, json={"text": asked.text})
    return client.get(address, headers={"Accept": "text/html"}, follow_redirects=True)


if __name__ == "__main__":
    main()
