"""The benchmark's commands."""

from __future__ import annotations

import sys

from benchmarks.dicomweb import index, overlay, peers

_PARTS = {"peers": peers.main, "index": index.main, "overlay": overlay.main}

if __name__ == "__main__":
    _PARTS[sys.argv.pop(1)]()
