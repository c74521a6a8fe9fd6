"""What the tests of results share: a model card, an origin, phantoms on a volume, and real series where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.card import Card, Code, Encoding, Input, Segment, Weights
from node.core.dicom import facts
from node.core.results import Origin, inputs_sha256
from node.core.volume import Volume, volumes

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
_SEGMENTS = (
    Segment(1, "Brain", _ANATOMY, Code("12738006", "SCT", "Brain"), (60.0, 40.0, 30.0)),
    Segment(2, "Bright tissue", _ABNORMAL, Code("52988006", "SCT", "Lesion"), (55.0, 70.0, 50.0)),
    Segment(3, "White matter", _ANATOMY, Code("68523003", "SCT", "White matter of brain"), (70.0, -40.0, 40.0)),
    Segment(4, "Ventricle", _ANATOMY, Code("35764002", "SCT", "Brain ventricle"), (50.0, 10.0, -60.0)),
    Segment(5, "Tissue", _ANATOMY, Code("85756007", "SCT", "Body tissue structure"), (80.0, 0.0, 60.0)),
)


def card(segments: int = 2, encoding: Encoding = Encoding.BITS) -> Card:
    """A card with up to five segments."""
    return Card(
        name="mri_core_head",
        version="1.0.0",
        title="MRI-CORE head",
        intended_use="tests",
        limits="none",
        input=Input(("MR",), (), 1, 1000, (), "any"),
        encoding=encoding,
        segments=_SEGMENTS[:segments],
        weights=Weights("weights.bin", "a" * 64, "Example Organisation", "Apache-2.0", 1000),
        algorithm_family=Code("123110", "DCM", "Artificial Intelligence"),
        canary_sha256="b" * 64,
        sha256="c" * 64,
    )


def origin(model: Card | None = None, sources: Sequence[Dataset] = (), **changes: Any) -> Origin:
    """An origin of a result of these sources."""
    inputs = inputs_sha256({str(source.SOPInstanceUID): None for source in sources})
    known: dict[str, Any] = {
        "card": model or card(),
        "rule": "head",
        "rule_set_version": "2025-01",
        "node_version": "0.1.0",
        "device_serial_number": "NODE-1",
        "inputs_sha256": inputs,
    }
    return Origin(**(known | changes))


def volume_of(sources: Sequence[Dataset]) -> Volume:
    """The one volume of a series."""
    (volume,) = volumes([facts(source) for source in sources])
    return volume


def values_of(volume: Volume, sources: Sequence[Dataset]) -> NDArray[np.float32]:
    """The stored values of a volume, float32 (slices, rows, columns)."""
    decoded = {str(source.SOPInstanceUID): source.pixel_array for source in sources}
    planes = [
        decoded[plane.sop_instance_uid] if plane.frame is None else decoded[plane.sop_instance_uid][plane.frame - 1]
        for plane in volume.slices
    ]
    return np.stack(planes).astype(np.float32)


def letter_l(volume: Volume) -> NDArray[np.bool_]:
    """An L with one long and one short arm, and a foot on one slice only: no turn or mirror maps it onto itself."""
    shape = (len(volume.slices), volume.rows, volume.columns)
    drawn = np.zeros(shape, np.bool_)
    rows, columns = volume.rows, volume.columns
    drawn[1:-1, rows // 8 : rows // 2, columns // 8 : columns // 4] = True
    drawn[1:-1, rows // 2 : rows // 2 + 2, columns // 8 : columns * 3 // 4] = True
    drawn[1, rows * 3 // 4 :, columns // 8] = True
    return drawn


def real_series(name: str) -> list[Dataset]:
    """The images of shared/data/mr/<name>, with pixels; skips the test where they are not there."""
    folder = SHARED / "mr" / name
    if not folder.is_dir():
        pytest.skip(f"no real series at {folder}")
    return [dcmread(path) for path in sorted(folder.rglob("*")) if path.is_file()]
