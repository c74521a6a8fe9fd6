"""Made results, and what an attempt leaves for the next one: made by one process, delivered by another."""

from __future__ import annotations

from pathlib import Path

from node.adapters.files import write_whole
from node.adapters.objects.bucket import Bucket
from node.adapters.objects.copies import Copies


class ResultFiles:
    """In a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, name: str, content: bytes) -> str:
        """Durable on return, whole or not at all; its sha256. Raises StoreUnavailable, StorageFull."""
        return write_whole(self._root / name, content)

    def path(self, name: str) -> Path:
        """A file to read; not there when there is no such result. Raises StoreUnavailable."""
        return self._root / name

    def local(self, name: str) -> Path:
        """Where it lies on this machine, if it does: nothing is fetched."""
        return self._root / name

    def looks_unmounted(self) -> bool:
        """Nothing at all is there, as where a disk is not mounted: what is missing need not be lost."""
        return not self._root.is_dir() or next(self._root.iterdir(), None) is None

    def drop(self, name: str) -> None:
        """Harmless when there is none. Raises StoreUnavailable."""
        self.path(name).unlink(missing_ok=True)


class BucketResultFiles(ResultFiles):
    """In a bucket, with copies in a folder."""

    def __init__(self, bucket: Bucket, copies: Copies) -> None:
        super().__init__(copies.root)
        self._bucket, self._copies = bucket, copies

    def keep(self, name: str, content: bytes) -> str:
        digest = super().keep(name, content)
        self._copies.put(name, content)
        return digest

    def path(self, name: str) -> Path:
        return self._copies.path(name)

    def looks_unmounted(self) -> bool:
        return False  # the bucket answered

    def drop(self, name: str) -> None:
        (self._copies.root / name).unlink(missing_ok=True)
        self._bucket.delete(name)
