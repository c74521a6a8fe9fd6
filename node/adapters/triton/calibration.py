"""calibration.npz in a model's folder: what a site's usual series look like to that model (node/core/ood.py).

It belongs to a site and not to the model: the card does not know of it. It names the weights that it was made with.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from node.adapters.triton.repository import Model
from node.core import ood
from node.errors import BadConfiguration

_log = structlog.get_logger(__name__)

FILE = "calibration.npz"
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
_BYTES_AT_MOST = 64 * 2**20
_AGAIN = "Make it again: mricore-node models calibrate"


@dataclass(frozen=True)
class Calibration:
    """A reference and where it comes from."""

    reference: ood.Reference
    sha256: str  # of the file
    series: int


def read_calibration(model: Model) -> Calibration | None:
    """The calibration of a model; None where there is none. Raises BadConfiguration for one that does not fit it."""
    path = model.folder / FILE
    if not path.exists():
        return None
    try:
        if path.stat().st_size > _BYTES_AT_MOST:
            raise BadConfiguration(str(path), f"is larger than {_BYTES_AT_MOST >> 20} MiB", _AGAIN)
        content = path.read_bytes()
    except OSError as fault:
        raise BadConfiguration(str(path), f"cannot be read: {fault.strerror}", _AGAIN) from fault
    try:
        with np.load(BytesIO(content), allow_pickle=False) as kept:
            if sum(entry.file_size for entry in kept.zip.infolist()) > _BYTES_AT_MOST:  # a bomb
                raise ValueError("unpacks to too much")
            arrays = {name: kept[name] for name in kept.files}
        version, weights = int(arrays["version"]), str(arrays["weights_sha256"])
        found = ood.reference(arrays) if version == ood.VERSION else None
    except (*_DAMAGED, AttributeError, MemoryError) as fault:
        raise BadConfiguration(str(path), "is no calibration, or damaged", _AGAIN) from fault
    if found is None:
        raise BadConfiguration(str(path), f"is of version {version}, this release reads {ood.VERSION}", _AGAIN)
    if weights != _embedded_by(model):
        raise BadConfiguration(str(path), "was made with other weights than the card's", _AGAIN)
    return Calibration(found, hashlib.sha256(content).hexdigest(), len(found.scores))


def _embedded_by(model: Model) -> str:
    """SHA-256 of the weights that make a model's embeddings: its encoder's where it shares one."""
    return model.card.shared.weights_sha256 if model.card.shared else model.card.weights.sha256


class LiveCalibration:
    """A model's calibration as the file was at the last look, for a node that runs on while it is made anew.

    One that is damaged, or belongs to other weights, counts as none, and the log says so: what it would add is a
    judgement about answers, and the answers need no judge.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._seen: tuple[int, ...] | None = None  # the file's inode, size and time; None: there is none
        self._now: Calibration | None = None
        self.look()

    @property
    def now(self) -> Calibration | None:
        """None where there is none that fits."""
        return self._now

    def look(self) -> None:
        """Read the file again if it is another one than at the last look."""
        seen = self._stated()
        if seen == self._seen:
            return
        try:
            found = read_calibration(self._model)
        except BadConfiguration as unfit:
            _log.error("series are not judged", model=self._model.card.name, reason=str(unfit))
            found = None
        else:
            _log.info("calibration", model=self._model.card.name, series=found.series if found else 0)
        self._seen, self._now = seen, found

    def _stated(self) -> tuple[int, ...] | None:
        try:
            stat = (self._model.folder / FILE).stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def write_calibration(model: Model, reference: ood.Reference) -> Path:
    """Write it beside the card, whole or not at all. Raises BadConfiguration where the folder takes no file."""
    path, content = model.folder / FILE, BytesIO()
    arrays: dict[str, NDArray[Any]] = {
        "version": np.asarray(ood.VERSION),
        "weights_sha256": np.asarray(_embedded_by(model)),
        **reference.arrays(),
    }
    np.savez_compressed(content, allow_pickle=False, **arrays)
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(content.getvalue())
        partial.replace(path)
    except OSError as fault:
        raise BadConfiguration(str(path), f"cannot be written: {fault.strerror}") from fault
    return path
