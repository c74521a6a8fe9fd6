"""A watched folder: files that are whole are received, then moved aside or deleted.

    seen ─▶ unchanged for a while, or renamed from a temporary name ─▶ read ─┬─▶ in the ledger: .received/ or deleted
                                                                             └─▶ refused: .refused/, with the reason

Looks again and again rather than being told: that works on network shares, and after a restart. Everything is
opened relative to folders that are open already and no link is followed, so nothing outside can be reached.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from node.core.arrival import Sender
from node.core.status import OUT_OF_RESOURCES, SUCCESS
from node.errors import BadInstance, SourceUnavailable, StorageFull
from node.pipeline.incoming_file import IncomingFile
from node.pipeline.reception import Answer, Reception

_log = structlog.get_logger(__name__)

RECEIVED, REFUSED = ".received", ".refused"  # beside the file; names with a dot in front are never looked at
_OF_THE_DISK = "lost+found"  # root's alone, at the top of a file system
_TEMPORARY = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart")
_CHUNK = 1 << 20
_LONGEST_NAME = 200  # bytes, with room for what is put behind it


@dataclass(frozen=True)
class FolderSource:
    """Which folder, and how it is treated."""

    name: str
    path: Path
    settle: timedelta  # a file that did not change for so long is whole
    poll_seconds: float
    delete: bool  # what was received; else it is moved


@dataclass(frozen=True)
class _Look:
    """A file as it was seen."""

    size: int
    changed: int  # modification time, ns
    since: datetime  # when it was first seen so
    temporary: bool  # under a name that says that it is being written


@dataclass(frozen=True)
class _Entry:
    """A file in an open folder."""

    folder: int  # descriptor
    name: str
    status: os.stat_result

    @property
    def is_temporary(self) -> bool:
        return self.name.startswith(".") or self.name.lower().endswith(_TEMPORARY)


class _UnfinishedError(Exception):
    """The file changed while it was read."""


class WatchedFolder:
    """One folder and those below it."""

    def __init__(self, source: FolderSource, reception: Reception, clock: Callable[[], datetime]) -> None:
        self._source, self._reception, self._clock = source, reception, clock
        self._looks: dict[int, _Look] = {}  # by inode, which a file keeps when it is renamed
        self._unreadable = 0

    @property
    def name(self) -> str:
        return self._source.name

    def step(self, is_stopping: Callable[[], bool]) -> float:
        """Receive the files that are whole."""
        looks: dict[int, _Look] = {}
        self._unreadable = 0
        for entry in self._entries():
            if is_stopping():
                return 0.0
            look = self._look(entry)
            if not self._is_received(entry, look):
                looks[entry.status.st_ino] = look
        self._looks = looks
        if self._unreadable:
            raise SourceUnavailable(
                f"{self._unreadable} files or folders of the watched folder cannot be read or moved"
            )
        return self._source.poll_seconds

    def _entries(self) -> Iterator[_Entry]:
        """Every regular file below the folder, also under a temporary name."""
        with self._opened() as root:
            walk = os.fwalk(".", dir_fd=root, follow_symlinks=False, onerror=self._pass_over)
            for _, folders, names, descriptor in walk:
                folders[:] = sorted(one for one in folders if not one.startswith(".") and one != _OF_THE_DISK)
                for name in sorted(names):
                    try:
                        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    except OSError as unusable:
                        self._pass_over(unusable)
                        continue
                    if stat.S_ISREG(status.st_mode):
                        yield _Entry(descriptor, name, status)

    def _pass_over(self, unusable: OSError) -> None:
        """What cannot be looked at is told of and keeps nothing else back; what was taken away meanwhile is nothing."""
        if not isinstance(unusable, FileNotFoundError):
            self._unreadable += 1
            _log.error("file not received", loop=self.name, reason=unusable.strerror or "")

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            root = os.open(self._source.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as absent:
            raise SourceUnavailable(f"the watched folder cannot be opened ({absent.strerror})") from absent
        try:
            yield root
        finally:
            os.close(root)

    def _look(self, entry: _Entry) -> _Look:
        """What is known of the file now: since when it has been as it is."""
        status, before = entry.status, self._looks.get(entry.status.st_ino)
        same = before is not None and (before.size, before.changed) == (status.st_size, status.st_mtime_ns)
        since = before.since if before and same else self._clock()
        return _Look(status.st_size, status.st_mtime_ns, since, entry.is_temporary)

    def _is_received(self, entry: _Entry, look: _Look) -> bool:
        """Whether the file is whole and was dealt with."""
        before = self._looks.get(entry.status.st_ino)
        renamed = before is not None and before.temporary and look.size >= before.size
        if look.temporary or not (renamed or self._clock() - look.since >= self._source.settle):
            return False
        try:
            self._receive(entry)
        except _UnfinishedError:
            return False
        except OSError as unusable:
            self._unreadable += 1
            _log.error("file not received", loop=self.name, reason=unusable.strerror or "")
            return False
        return True

    def _receive(self, entry: _Entry) -> None:
        boxes = {name: _box(entry.folder, name) for name in (RECEIVED, REFUSED)}  # before anything is read
        try:
            refused = self._refusal(entry)
            if refused:
                moved = _move(entry, boxes[REFUSED])
                if moved:
                    _write(boxes[REFUSED], f"{moved}.reason.txt", refused + "\n")
                _log.warning("file refused", loop=self.name, channel="folder", reason=refused)
            else:
                moved = _move(entry, boxes[RECEIVED])
                if self._source.delete and moved:
                    os.unlink(moved, dir_fd=boxes[RECEIVED])
        finally:
            for box in boxes.values():
                os.close(box)

    def _refusal(self, entry: _Entry) -> str:
        """Why the file was not received; "" when it was."""
        try:
            answer = self._read(entry)
        except BadInstance as bad:
            return str(bad)
        if answer.status == OUT_OF_RESOURCES:
            raise StorageFull(answer.reason)
        return "" if answer.status == SUCCESS else answer.reason

    def _read(self, entry: _Entry) -> Answer:
        sender = Sender("folder", self.name, "", "", f"folder-{secrets.token_hex(8)}")
        file = IncomingFile(self._reception, sender)
        try:
            descriptor = os.open(
                entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=entry.folder
            )
            with os.fdopen(descriptor, "rb", buffering=0) as opened:
                while chunk := opened.read(_CHUNK):
                    file.write(chunk)
                _demand_same(entry.status, os.fstat(descriptor))
        except BaseException:
            file.abandon()
            raise
        return file.finish()


def _demand_same(seen: os.stat_result, read: os.stat_result) -> None:
    """Raises _UnfinishedError when what was read is not, or not any more, what was seen."""
    for what in ("st_dev", "st_ino", "st_size", "st_mtime_ns"):
        if getattr(seen, what) != getattr(read, what):
            raise _UnfinishedError


def _box(folder: int, name: str) -> int:
    """A folder beside the files, opened; made where it is not there."""
    with suppress(FileExistsError):
        os.mkdir(name, 0o750, dir_fd=folder)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)


def _move(entry: _Entry, box: int) -> str:
    """Move the file that was read; its name there. "" when another one has taken its name: that one stays."""
    name = os.fsdecode(os.fsencode(entry.name)[:_LONGEST_NAME])
    if _exists(name, box):
        name = f"{name}~{secrets.token_hex(4)}"
    os.rename(entry.name, name, src_dir_fd=entry.folder, dst_dir_fd=box)
    moved = os.stat(name, dir_fd=box, follow_symlinks=False)
    if (moved.st_dev, moved.st_ino) == (entry.status.st_dev, entry.status.st_ino):
        return name
    os.rename(name, entry.name, src_dir_fd=box, dst_dir_fd=entry.folder)
    return ""


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write(folder: int, name: str, text: str) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640, dir_fd=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
