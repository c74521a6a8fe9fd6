"""Files carried from one place to another: as a link where that is enough, else byte by byte and compared."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.core.part10 import read_head
from node.errors import BadInstance, StorageFull, StoreUnavailable

_HEAD, _CHUNK = 1 << 16, 1 << 20
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES})
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def carry(source: Path, target: Path, sha256: str, *, is_instance: bool, link: bool) -> bool:
    """Have the source's bytes at the target, whole or not at all; whether there was anything to do.

    `sha256` is of the file, of an instance of the data set in it. A file that is there with the source's size stays.
    Raises FileNotFoundError when the source is not there, BadInstance when it is not what it was, StorageFull and
    StoreUnavailable. What was carried is durable after a `sync`.
    """
    with _translated():
        size = source.stat().st_size
        if target.is_file() and target.stat().st_size == size:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        unnamed = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            if not (link and _linked(source, unnamed)):
                _copy(source, unnamed, sha256, is_instance=is_instance)
            unnamed.replace(target)
        finally:
            unnamed.unlink(missing_ok=True)
    return True


def is_whole(file: Path, sha256: str, *, is_instance: bool) -> bool:
    """Whether a file is there with what it should hold."""
    try:
        with file.open("rb") as opened:
            start = opened.read(_HEAD)
            digest = hashlib.sha256(start[_begin(start, is_instance) :])
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    except (OSError, BadInstance):
        return False
    return digest.hexdigest() == sha256


def sync() -> None:
    """Force what was carried to the disk."""
    os.sync()


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError as refused:
        if refused.errno in _NO_LINK:
            return False
        raise
    return True


def _copy(source: Path, target: Path, sha256: str, *, is_instance: bool) -> None:
    with source.open("rb") as old, target.open("xb") as new:
        start = old.read(_HEAD)
        digest = hashlib.sha256(start[_begin(start, is_instance) :])
        new.write(start)
        while chunk := old.read(_CHUNK):
            digest.update(chunk)
            new.write(chunk)
    if digest.hexdigest() != sha256:
        raise BadInstance(f"{source.name} is not what was kept under this name")


def _begin(start: bytes, is_instance: bool) -> int:
    """Where the bytes begin that the digest is of."""
    return read_head(start).data_set_at if is_instance else 0


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as broken:
        if broken.errno in _NO_ROOM:
            raise StorageFull("the disk is full") from broken
        raise StoreUnavailable(f"a file cannot be carried ({broken.strerror})") from broken
