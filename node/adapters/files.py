"""Bytes on disk: received instances and made results, durable before anybody is told that they are kept.

No path is ever built from a UID: names are a sha256 and a random part, below a folder per hour.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from node.adapters.forcing import Forcing, sync_folder
from node.errors import NodeError, StorageFull, StoreUnavailable

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED_AT_MOST = 64 << 20  # bytes; a sender that announces any amount is not to have the disk called full
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC


@dataclass(frozen=True)
class Kept:
    """A file that was written. It is durable after `Files.force`."""

    path: str  # relative to the store's root
    sha256: str  # of the data set, without the head
    size: int


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class Files:
    """A folder tree of instances. Safe for many threads."""

    def __init__(self, root: Path, low_watermark: int, free: Callable[[Path], int] = _free) -> None:
        """`low_watermark`: bytes that must stay free; below it nothing more is accepted. `free`: of a folder's disk."""
        self.root, self._low_watermark, self._free = root, low_watermark, free
        self._refused = 0  # bytes of what was refused last, until as much is accepted
        self._forcing = Forcing(root)
        self._made = ""  # the hour whose folder is known to be there
        with _translated():
            root.mkdir(parents=True, exist_ok=True)

    def room(self) -> int:
        """Bytes free above the low watermark, less what was refused last; negative: what comes is refused.

        Refusals keep the disk a little above the watermark, by less than an image: it would never count as full.
        """
        return self._above() - self._refused

    def demand_room(self, size: int) -> None:
        """Raises StorageFull when `size` more bytes would go below the low watermark."""
        if self._above() < size:
            self._refused = min(size, _REFUSED_AT_MOST)
            raise StorageFull("less disk is free than storage.low_watermark: make room or lower it")
        if size >= self._refused:
            self._refused = 0

    def _above(self) -> int:
        with _translated():
            return self._free(self.root) - self._low_watermark

    def writer(self, at: datetime) -> Writer:
        """A new file of the hour `at`, for a data set that comes in pieces."""
        return Writer(self.root, self.root / self._hour(at))

    def write(self, at: datetime, head: bytes, data_set: bytes) -> Kept:
        """Write a file of the hour `at` that is whole in memory."""
        sha256 = hashlib.sha256(data_set).hexdigest()
        path = f"{self._hour(at)}/{sha256}.{secrets.token_hex(8)}.dcm"
        with _translated():
            file = os.open(f"{self.root}/{path}", _NEW, 0o640)
            try:
                written = os.writev(file, (head, data_set))
                if written < len(head) + len(data_set):  # a full disk writes what fits, then says so
                    _write_all(file, memoryview(head + data_set)[written:])
            except OSError:
                os.unlink(f"{self.root}/{path}")  # noqa: PTH108 # strings: this runs for every instance
                raise
            finally:
                os.close(file)
        return Kept(path, sha256, len(data_set))

    def _hour(self, at: datetime) -> str:
        """The folder of an hour, relative to the root; made when it is not there."""
        hour = f"{at:%Y%m%d}/{at:%H}"
        if hour != self._made:
            folder = self.root / hour
            with _translated():
                folder.mkdir(parents=True, exist_ok=True)
                sync_folder(folder.parent)
                sync_folder(self.root)
            self._made = hour
        return hour

    def force(self, kept: Sequence[Kept]) -> None:
        """Make files and their names durable. Called by one thread at a time."""
        if kept:
            with _translated():
                self._forcing.force([one.path for one in kept])

    def scratch(self) -> BinaryIO:
        """An unnamed file on the disk of the instances, gone when it is closed."""
        with _translated():
            return cast("BinaryIO", tempfile.TemporaryFile(dir=self.root))

    def path(self, relative: str) -> Path:
        return self.root / relative

    def local(self, relative: str) -> Path:
        """Where it lies on this machine, if it does: nothing is fetched."""
        return self.root / relative

    def remove(self, relative: str) -> None:
        """Remove a file that no row refers to."""
        with _translated():
            (self.root / relative).unlink(missing_ok=True)


class Writer:
    """One file in the making; the sha256 of the data set grows with it."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        self._digest = hashlib.sha256()
        self._size = 0
        self._unnamed = folder / f"{secrets.token_hex(8)}.part"
        with _translated():
            self._file = os.open(self._unnamed, _NEW, 0o640)

    def write_head(self, head: bytes) -> None:
        """Preamble and file meta information: not part of the data set's digest."""
        self._write(memoryview(head))

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self._digest.update(chunk)
        self._size += len(chunk)
        self._write(memoryview(chunk))

    def _write(self, chunk: memoryview) -> None:
        with self._or_nothing():
            _write_all(self._file, chunk)

    @property
    def size(self) -> int:
        return self._size

    def finish(self) -> Kept:
        """Force the bytes to the disk, which takes a while for a large file, and give the file its name."""
        sha256 = self._digest.hexdigest()
        final = self._folder / f"{sha256}.{self._unnamed.stem}.dcm"
        with self._or_nothing():
            os.fdatasync(self._file)
            self._close()
            self._unnamed.rename(final)
        return Kept(str(final.relative_to(self._root)), sha256, self._size)

    def discard(self) -> None:
        """Forget what was written so far. Harmless when it is forgotten already."""
        with _translated():
            self._close()
            self._unnamed.unlink(missing_ok=True)

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        """A fault leaves neither a file nor an open descriptor: least of all on a disk that is full."""
        with _translated():
            try:
                yield
            except OSError:
                with suppress(NodeError):
                    self.discard()
                raise


def _write_all(file: int, chunk: memoryview) -> None:
    while chunk:
        chunk = chunk[os.write(file, chunk) :]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as broken:
        if broken.errno in _NO_ROOM:
            raise StorageFull("the disk is full") from broken
        raise StoreUnavailable(
            f"the storage folder cannot be used ({errno.errorcode.get(broken.errno or 0)})"
        ) from broken


def write_whole(path: Path, content: bytes) -> str:
    """Write a file that appears whole or not at all, durable on return; its sha256."""
    with _translated():
        path.parent.mkdir(parents=True, exist_ok=True)
        unnamed = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with unnamed.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unnamed.replace(path)
        except OSError:  # least of all on a disk that is full: each attempt would leave its own
            with suppress(OSError):
                unnamed.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        sync_folder(path.parent.parent)
    return hashlib.sha256(content).hexdigest()
