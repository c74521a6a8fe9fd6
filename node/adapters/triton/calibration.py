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
from numpy.typing import NDArray

from node.adapters.triton.repository import Model
from node.core import ood
from node.errors import BadConfiguration

FILE = "calibration.npz"
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
    if path.stat().st_size > _BYTES_AT_MOST:
        raise BadConfiguration(str(path), f"is larger than {_BYTES_AT_MOST >> 20} MiB", _AGAIN)
    content = path.read_bytes()
    try:
        with np.load(BytesIO(content), allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        version, weights = int(arrays["version"]), str(arrays["weights_sha256"])
        found = ood.reference(arrays) if version == ood.VERSION else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as fault:
        raise BadConfiguration(str(path), "is no calibration, or damaged", _AGAIN) from fault
    if found is None:
        raise BadConfiguration(str(path), f"is of version {version}, this release reads {ood.VERSION}", _AGAIN)
    if weights != model.card.weights.sha256:
        raise BadConfiguration(str(path), "was made with other weights than the card's", _AGAIN)
    return Calibration(found, hashlib.sha256(content).hexdigest(), len(found.scores))


def write_calibration(model: Model, reference: ood.Reference) -> Path:
    """Write it beside the card, whole or not at all. Raises BadConfiguration where the folder takes no file."""
    path, content = model.folder / FILE, BytesIO()
    arrays: dict[str, NDArray[Any]] = {
        "version": np.asarray(ood.VERSION),
        "weights_sha256": np.asarray(model.card.weights.sha256),
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
