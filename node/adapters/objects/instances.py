"""Received instances in a bucket: written to a local file, put into the bucket, and only then kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from node.adapters.files import Files, Kept, Writer
from node.adapters.objects.bucket import Bucket
from node.adapters.objects.copies import Copies
from node.core.part10 import read_head
from node.errors import BadInstance

_HEAD, _CHUNK = 1 << 16, 1 << 20


class BucketFiles(Files):
    """Files whose folder holds copies."""

    def __init__(self, bucket: Bucket, copies: Copies, low_watermark: int) -> None:
        """`low_watermark` is of the disk that the copies are on."""
        super().__init__(copies.root, low_watermark)
        self._bucket, self._copies = bucket, copies

    def write(self, at: datetime, head: bytes, data_set: bytes) -> Kept:
        kept = super().write(at, head, data_set)
        self._copies.put(kept.path, head + data_set)
        return kept

    def writer(self, at: datetime) -> Writer:
        return _BucketWriter(self.root, self.root / self._hour(at), self._copies.put)

    def force(self, kept: Sequence[Kept]) -> None:
        """The bucket has them already."""

    def path(self, relative: str) -> Path:
        """A local copy. Raises StoreUnavailable; BadInstance when what was fetched is not what was put: a bucket gives
        the same the next time, and nothing else is to wait for it."""
        return self._copies.path(relative, lambda file: _demand(file, Path(relative).name.partition(".")[0]))

    def size(self, relative: str) -> int | None:
        """By the bucket, not by a copy."""
        return self._bucket.size(relative)

    def remove(self, relative: str) -> None:
        super().remove(relative)
        self._bucket.delete(relative)


def kept_size(files: Files, relative: str) -> int | None:
    """Bytes of an instance as they are kept; None when nothing is. Raises StoreUnavailable."""
    if isinstance(files, BucketFiles):
        return files.size(relative)
    path = files.path(relative)
    return path.stat().st_size if path.is_file() else None


class _BucketWriter(Writer):
    """A large instance gathers in a local file and goes to the bucket in parts."""

    def __init__(self, root: Path, folder: Path, put: Callable[[str], None]) -> None:
        super().__init__(root, folder)
        self._put = put

    def finish(self) -> Kept:
        kept = super().finish()
        self._put(kept.path)
        return kept


def _demand(file: Path, sha256: str) -> None:
    """Raises BadInstance when the data set in a file has another digest."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        try:
            opened.seek(read_head(opened.read(_HEAD)).data_set_at)
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
        except BadInstance as damaged:
            raise BadInstance("the bucket gave back what is no DICOM file") from damaged
    if digest.hexdigest() != sha256:
        raise BadInstance("the bucket gave back other bytes than it was given")
