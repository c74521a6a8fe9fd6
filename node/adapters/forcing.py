"""Forcing files to the disk, in the way that is quicker here.

A new file costs the file system a commit of its journal when it is forced, its name in the folder another. `syncfs`
makes do with one for any number of files, but writes out whatever else is waiting on that file system, which may be
much on a disk that is shared. Which is quicker is measured as it goes. Both leave bytes and names durable (syncfs tells
of failed writes since Linux 5.8; before that it is not used).
"""

from __future__ import annotations

import ctypes
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_REMEMBER = 0.9  # weight of what was measured before
_PROBE_EVERY = 50  # forcings after which the other way is measured again


def _syncfs() -> Callable[[int], int] | None:
    """The system call where it reports errors; None elsewhere."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if os.uname().sysname != "Linux" or release is None or (int(release[1]), int(release[2])) < (5, 8):
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return found


_SYNCFS = _syncfs()


class Forcing:
    """Forces files below one folder. Used by one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._since_probe = 0
        self._was_whole = self._again = False
        self._whole_s = 0.0 if _SYNCFS else float("inf")  # what one syncfs takes
        self._each_s = 0.0  # what one file takes on its own

    def force(self, paths: Sequence[str]) -> None:
        """Make files and their names durable; `paths` are relative to the root. Raises OSError."""
        whole = self._again or self._is_whole_quicker(len(paths))
        begin = time.perf_counter()
        if whole:
            self._force_whole()
            if self._was_whole:  # the first one also wrote out what others had left to gather: the second tells
                self._whole_s = _blend(self._whole_s, time.perf_counter() - begin)
        else:
            self._force_each(paths)
            self._each_s = _blend(self._each_s, (time.perf_counter() - begin) / len(paths))
        self._again, self._was_whole = whole and not self._was_whole, whole

    def _is_whole_quicker(self, files: int) -> bool:
        """By what was measured; the other way is measured again the more rarely the slower it was."""
        whole, each = self._whole_s, self._each_s * files
        self._since_probe += 1
        faster, slower = sorted((whole, each))
        if _SYNCFS and self._since_probe > _PROBE_EVERY * max(1.0, slower / max(faster, 1e-6)):
            self._since_probe = 0
            return whole > each
        return whole <= each

    def _force_whole(self) -> None:
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _SYNCFS is None or _SYNCFS(folder) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        finally:
            os.close(folder)

    def _force_each(self, paths: Sequence[str]) -> None:
        files = [os.open(f"{self._root}/{path}", os.O_RDONLY | os.O_CLOEXEC) for path in paths]
        try:
            for file in files:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)  # begins to write, and does not wait
            for file in files:
                os.fdatasync(file)
        finally:
            for file in files:
                os.close(file)
        for folder in {path.rpartition("/")[0] for path in paths}:
            sync_folder(f"{self._root}/{folder}")


def _blend(before: float, now: float) -> float:
    return now if before == 0.0 else _REMEMBER * before + (1 - _REMEMBER) * now


def sync_folder(folder: str | Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
