"""The benchmark's commands."""

from __future__ import annotations

import sys

from benchmarks.dicomweb import peers

_PARTS = {"peers": peers.main}

if __name__ == "__main__":
    _PARTS[sys.argv.pop(1)]()
