"""A folder of local copies before a bucket. Nothing in it is needed after a restart."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time  # noqa: TID251 # compared with what the file system says

from node.adapters.objects.bucket import Bucket
from node.errors import NodeError, StorageFull

_IN_USE_S = 600.0  # a copy that was used so lately stays: somebody may be about to open it
_MAKE_ROOM_TO = 0.8  # of the limit

Check = Callable[[Path], None]  # raises NodeError for a file that is not what it should be


class Copies:
    """Copies that nobody used for longest make room. Safe for many threads."""

    def __init__(self, root: Path, bucket: Bucket, limit: int) -> None:
        """`limit`: bytes of copies; those in use may exceed it."""
        self.root, self._bucket, self._limit = root, bucket, limit
        self._lock, self._bytes = threading.Lock(), 0
        self._make_room(limit)

    def path(self, name: str, check: Check = lambda _: None) -> Path:
        """The local copy, fetched where there is none. One of what the bucket does not have is not there either.

        Raises StoreUnavailable.
        """
        local = self.root / name
        try:
            os.utime(local)
        except FileNotFoundError:
            self._fetch(name, local, check)
        return local

    def put(self, name: str, content: bytes | None = None) -> None:
        """Put what lies in the local copy already into the bucket; `content` where it is at hand."""
        local = self.root / name
        try:
            self._bucket.put(name, local if content is None else content)
        except NodeError:
            local.unlink(missing_ok=True)
            raise
        self._count(local)

    def _fetch(self, name: str, local: Path, check: Check) -> None:
        unnamed = local.with_name(f".{secrets.token_hex(8)}.part")
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            if self._bucket.fetch(name, unnamed):
                check(unnamed)
                unnamed.replace(local)
                self._count(local)
        except OSError as full:
            raise StorageFull("the local copy of an object cannot be written") from full
        finally:
            unnamed.unlink(missing_ok=True)

    def _count(self, local: Path) -> None:
        try:
            size = local.stat().st_size
        except FileNotFoundError:  # it made room, or was removed, meanwhile
            return
        with self._lock:
            self._bytes += size
            is_full = self._bytes > self._limit
        if is_full:
            self._make_room(int(self._limit * _MAKE_ROOM_TO))

    def _make_room(self, leave: int) -> None:
        with self._lock:
            found = sorted(_found(self.root))
            self._bytes = sum(size for _, size, _ in found)
            lately = time() - _IN_USE_S
            for used, size, path in found:
                if self._bytes <= leave or used > lately:
                    break
                Path(path).unlink(missing_ok=True)
                self._bytes -= size


def _found(root: Path) -> Iterator[tuple[float, int, str]]:
    """When each file was used last, its bytes, its path."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = f"{folder}/{name}"
            try:
                status = os.stat(path)  # noqa: PTH116 # many of them
            except FileNotFoundError:
                continue
            yield status.st_mtime, status.st_size, path
