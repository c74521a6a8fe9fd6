"""Draw the outlines of a Segmentation over its source images: python docs/overlay.py SEG SOURCE_DIR OUT.png

Every frame is placed by its own source reference, as a viewer would do it, so a shifted result shows. For looking at
results by eye, and for the picture in the README; needs the extra `test` (Pillow).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

_COLORS = ((255, 196, 64), (64, 200, 255), (255, 96, 160), (120, 255, 120))
_TILES = 8


def main(seg_file: Path, folder: Path, out: Path) -> None:
    seg = dcmread(seg_file)
    sources = {str(ds.SOPInstanceUID): ds for path in sorted(folder.rglob("*")) if (ds := _read(path))}
    masks = _masks(seg)
    ordered = sorted((uid for uid in sources if uid in masks), key=lambda uid: _along(sources[uid]))
    chosen = [ordered[i] for i in np.linspace(0, len(ordered) - 1, _TILES + 2).astype(int)[1:-1]]
    tiles = [_tile(sources[uid], masks[uid]) for uid in chosen]
    rows = [np.concatenate(tiles[start : start + _TILES // 2], axis=1) for start in (0, _TILES // 2)]
    Image.fromarray(np.concatenate(rows)).quantize(96).save(out, optimize=True)


def _read(path: Path) -> Dataset | None:
    if not path.is_file():
        return None
    ds = dcmread(path, force=True)
    return ds if "ImagePositionPatient" in ds else None


def _along(ds: Dataset) -> float:
    orientation = np.array(ds.ImageOrientationPatient, float)
    return float(np.dot(np.cross(orientation[:3], orientation[3:]), np.array(ds.ImagePositionPatient, float)))


def _masks(seg: Dataset) -> dict[str, dict[int, NDArray[np.bool_]]]:
    frames = np.atleast_3d(seg.pixel_array).reshape(-1, seg.Rows, seg.Columns)
    masks: dict[str, dict[int, NDArray[np.bool_]]] = {}
    for frame, group in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        masks.setdefault(str(source), {})[int(number)] = frame.astype(bool)
    return masks


def _tile(ds: Dataset, masks: dict[int, NDArray[np.bool_]]) -> NDArray[np.uint8]:
    pixels = ds.pixel_array.astype(float)
    low, high = np.percentile(pixels, (1, 99.5))
    grey = (np.clip((pixels - low) / max(high - low, 1), 0, 1) * 255).astype(np.uint8)
    colored = np.repeat(grey[..., None], 3, axis=2)
    for number, mask in sorted(masks.items()):
        inner = mask.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                inner &= np.roll(mask, step, axis)
        colored[mask & ~inner] = _COLORS[(number - 1) % len(_COLORS)]
    return np.array(Image.fromarray(colored).resize((256, 256)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
