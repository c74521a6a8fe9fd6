"""The benchmark's commands."""

from __future__ import annotations

import sys

from benchmarks import pipeline
from benchmarks.pipeline import latency, many, noop

_PARTS = {"noop": noop.main, "latency": latency.main, "many": many.main}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in _PARTS:
        sys.exit(pipeline.__doc__)
    _PARTS[sys.argv[1]](*(int(one) for one in sys.argv[2:]))
