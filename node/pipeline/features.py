"""What shared encoders said of a series, kept for the heads to come.

Several heads on one series ask for the same features: the first computes them, the others find them, in this process
or after a restart. They are a function of the images, the encoder's weights and nothing else, and that is their name.
The folder is bounded; what was used longest ago goes first.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import structlog
from numpy.typing import NDArray

from node.adapters.files import write_whole
from node.core.card import Card
from node.errors import StorageFull, StoreUnavailable

_log = structlog.get_logger(__name__)

Arrays = Mapping[str, NDArray[Any]]

_MOST_BYTES = 4 * 2**30
_ASK_EVERY_S = 0.5


class KeptFeatures:
    """A bounded folder of features, safe to use from several threads."""

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], Arrays], still_wanted: Callable[[], None]) -> Arrays:
        """Those of that name, made where there are none; others who want the same wait for them meanwhile.

        Raises what `make` or `still_wanted` raises.
        """
        with self._lock:
            turn = self._turns.setdefault(name, _Turn())
        while not turn.lock.acquire(timeout=_ASK_EVERY_S):
            still_wanted()
        try:
            found = self._find(name)
            if found is None:
                found = make()
                self._keep(name, found)
            return found
        finally:
            turn.lock.release()

    def _find(self, name: str) -> Arrays | None:
        path = self._folder / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as kept:
                found = {key: kept[key] for key in kept.files}
            os.utime(path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None  # never kept, dropped, or damaged: asking the encoder again costs time only
        return found

    def _keep(self, name: str, made: Arrays) -> None:
        """Durable, unless there is more than the whole folder may hold, or no room on the disk: they are made anew."""
        if sum(each.nbytes for each in made.values()) > self._most_bytes:
            return
        content = BytesIO()
        np.savez(content, **made)  # type: ignore[arg-type] # numpy's stub takes the names for its own option
        try:
            write_whole(self._folder / f"{name}.npz", content.getvalue())
            with self._lock:
                self._prune()
        except (StorageFull, StoreUnavailable, OSError) as full:
            _log.warning("features not kept", reason=str(full))

    def _prune(self) -> None:
        """What was used longest ago goes, and what a process that died left half written.

        Another process may prune the same folder: what is gone already is no fault.
        """
        there = sorted(found for path in self._folder.glob("*.npz*") if (found := _aged(path)))
        excess = sum(size for _, size, _ in there) - self._most_bytes
        for _, size, path in there[:-1]:
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size


def _aged(path: Path) -> tuple[int, int, Path] | None:
    """When it was used last, its bytes and itself; None when it is gone."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size, path


class _Turn:
    """A lock that is forgotten with its last holder."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def features_name(encoder: Card, images: str, shown: NDArray[np.bool_]) -> str:
    """Of the encoder, the images (a digest of them, in their order) and which of them it is shown."""
    parts = (encoder.name, encoder.version, encoder.weights.sha256, images, shown.tobytes().hex())
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
