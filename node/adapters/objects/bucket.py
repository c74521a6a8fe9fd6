"""A bucket of S3, or of what speaks its protocol. Who we are is told by the environment (AWS_ACCESS_KEY_ID, …).

Each object goes with its SHA-256, which the store compares; Success means that it has the bytes durably.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from node.errors import BadConfiguration, StoreUnavailable

_LARGE, _AT_ONCE = 8 << 20, 4  # bytes of a part, parts on their way: what a large object needs of memory
_CURE = 'pip install "mricore-node[s3]"'
_ASK_S, _GIVE_UP_S = 30, 60  # for one request; with its repetitions


class Bucket:
    """Objects below one prefix. Safe for many threads."""

    def __init__(self, url: str, endpoint: str = "") -> None:
        """`url`: s3://bucket/prefix. `endpoint`: of a server that is not Amazon's; "": AWS_ENDPOINT_URL, if set.

        Raises BadConfiguration.
        """
        try:
            import obstore
            from obstore.store import S3Store
        except ImportError as missing:
            raise BadConfiguration("storage.url", "S3 needs the package obstore", _CURE) from missing
        self._obstore = obstore
        more: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
        try:
            self._store = S3Store.from_url(
                url,
                checksum_algorithm="sha256",
                client_options={"timeout": f"{_ASK_S}s", "allow_http": True},
                retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=_GIVE_UP_S)},
                **more,
            )
        except (obstore.exceptions.BaseError, ValueError) as wrong:
            cure = "Write s3://bucket/prefix, and AWS_REGION and the rest in the environment; docs/scale-out.md"
            raise BadConfiguration("storage.url", "is not a bucket that this node can open", cure) from wrong

    def demand_there(self) -> None:
        """Raises BadConfiguration when there is no such bucket, StoreUnavailable when nobody knows."""
        with self._translated():
            try:
                next(iter(self._obstore.list(self._store, chunk_size=1)), None)
            except self._obstore.exceptions.BaseError as missing:
                if "NoSuchBucket" not in str(missing):
                    raise
                cure = "Make it, or correct the name"
                raise BadConfiguration("storage.url", "there is no such bucket", cure) from missing

    def put(self, name: str, content: bytes | Path) -> None:
        """Durable on return. Raises StoreUnavailable."""
        with self._translated():
            self._obstore.put(self._store, name, content, chunk_size=_LARGE, max_concurrency=_AT_ONCE)

    def get(self, name: str) -> bytes | None:
        """A small object; None when there is none. Raises StoreUnavailable."""
        with self._translated():
            try:
                return bytes(self._obstore.get(self._store, name).bytes())
            except FileNotFoundError:
                return None

    def fetch(self, name: str, into: Path) -> bool:
        """Write an object to a file; False when there is none. Raises StoreUnavailable, OSError."""
        with self._translated():
            try:
                stream = self._obstore.get(self._store, name).stream(min_chunk_size=_LARGE)
            except FileNotFoundError:
                return False
            with into.open("wb") as file:
                for chunk in stream:
                    file.write(chunk)
        return True

    def size(self, name: str) -> int | None:
        """Bytes of an object; None when there is none. Raises StoreUnavailable."""
        with self._translated():
            try:
                return int(self._obstore.head(self._store, name)["size"])
            except FileNotFoundError:
                return None

    def delete(self, name: str) -> None:
        """Harmless when there is none. Raises StoreUnavailable."""
        with self._translated():
            try:
                self._obstore.delete(self._store, name)
            except FileNotFoundError:
                return

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (self._obstore.exceptions.BaseError, FileNotFoundError, PermissionError) as broken:
            raise StoreUnavailable(f"the bucket does not answer as it should ({type(broken).__name__})") from broken
