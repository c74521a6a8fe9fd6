"""One process at a time: a lock that ends with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from node.errors import BadConfiguration


@contextmanager
def alone(file: Path, where: str, cure: str) -> Iterator[None]:
    """Hold `file`, which is made and stays. Raises BadConfiguration at `where` when another process holds it.

    The lock is of POSIX: no child inherits it, and so none that outlives a killed node keeps the next one out. Where
    the folder cannot be written, or its file system knows no locks, nobody is kept out.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            _hold(held, where, cure)
        yield
    finally:
        os.close(held)


def _hold(held: int, where: str, cure: str) -> None:
    try:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as taken:  # fcntl(2): EAGAIN or EACCES
        who = os.pread(held, 20, 0).decode("ascii", "replace").strip()
        raise BadConfiguration(where, f"another process works with it{f' ({who})' if who else ''}", cure) from taken
    os.ftruncate(held, 0)
    os.pwrite(held, str(os.getpid()).encode(), 0)
