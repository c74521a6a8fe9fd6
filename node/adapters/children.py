"""Child processes that read hostile files."""

from __future__ import annotations

import os
import select
from typing import IO

_KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR")


def environment() -> dict[str, str]:
    """What a child needs and nothing secret. More threads would only reserve address space."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def can_be_read(pipe: IO[bytes], seconds: float) -> bool:
    """Whether a child says something, or has ended, within so long.

    Not by select(): it fails for every file descriptor from 1024 on, however few are asked about.
    """
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
