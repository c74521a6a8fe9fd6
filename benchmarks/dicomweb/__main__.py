"""The benchmark's commands."""

from __future__ import annotations

import sys

from benchmarks import dicomweb
from benchmarks.dicomweb import index, overlay, peers

_PARTS = {"peers": peers.main, "index": index.main, "overlay": overlay.main}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in _PARTS:
        sys.exit(dicomweb.__doc__)
    _PARTS[sys.argv.pop(1)]()
