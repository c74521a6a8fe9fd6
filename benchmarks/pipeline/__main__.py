"""The benchmark's commands."""

from __future__ import annotations

import sys

from benchmarks.pipeline import latency, many, noop

_PARTS = {"noop": noop.main, "latency": latency.main, "many": many.main}

if __name__ == "__main__":
    _PARTS[sys.argv[1]](*(int(one) for one in sys.argv[2:]))
