"""Child processes that read hostile files."""

from __future__ import annotations

import os

_KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR")


def environment() -> dict[str, str]:
    """What a child needs and nothing secret. More threads would only reserve address space."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
