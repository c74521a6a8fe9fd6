"""The planes of a series, and what forbids any volume: judged image by image, before splitting.

Reasons are sentences for the people who run the scanner and the PACS, with the numbers that they can check.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.core.dicom import Facts, Frame
from node.core.volume.geometry import cross, dot, unit
from node.core.volume.model import Vector
from node.errors import NotProcessable

LARGEST = 100_000.0  # mm: no coordinate or spacing of a patient is beyond


@dataclass(frozen=True)
class Plane:
    """One image plane whose geometry is known to be sound."""

    facts: Facts
    number: int | None  # of the frame, from 1; None in a single-frame image
    frame: Frame
    position: Vector
    row_direction: Vector
    column_direction: Vector
    pixel_spacing: tuple[float, float]

    @property
    def normal(self) -> Vector:
        """Unit vector along which slices are counted."""
        return cross(self.row_direction, self.column_direction)


def planes(instances: Sequence[Facts]) -> list[Plane]:
    """All planes in an order that does not depend on arrival. Raises NotProcessable when one cannot be placed."""
    images = _distinct(instances)
    for fault in (_no_image, _several_series, _mosaic, _no_pixels, _color, _matrix, _frames, _parts, _reference):
        reason = fault(images)
        if reason:
            raise NotProcessable(reason)
    shown = [(image, frame, number) for image in images for number, frame in enumerate(image.frames, 1)]
    for absent in (_unplaced, _skewed):
        reason = absent([frame for _, frame, _ in shown])
        if reason:
            raise NotProcessable(reason)
    return [_plane(image, frame, number) for image, frame, number in shown]


def _plane(image: Facts, frame: Frame, number: int) -> Plane:
    position, o, spacing = frame.position, frame.orientation, frame.pixel_spacing
    if position is None or o is None or spacing is None:  # pragma: no cover # refused before
        raise NotProcessable("an image has no place")
    return Plane(
        facts=image,
        number=number if image.multi_frame else None,
        frame=frame,
        position=position,
        row_direction=unit((o[0], o[1], o[2])),
        column_direction=unit((o[3], o[4], o[5])),
        pixel_spacing=spacing,
    )


def _distinct(instances: Sequence[Facts]) -> list[Facts]:
    """The same instance counts once, however often it came."""
    found: dict[str, Facts] = {}
    for image in instances:
        known = found.setdefault(image.sop_instance_uid, image)
        if known != image:
            raise NotProcessable("two images with the same SOPInstanceUID say different things: one must be wrong")
    return [found[uid] for uid in sorted(found)]


def _no_image(images: Sequence[Facts]) -> str | None:
    if not images:
        return "the series has no image"
    return None if all(image.sop_instance_uid for image in images) else "SOPInstanceUID is absent"


def _several_series(images: Sequence[Facts]) -> str | None:
    series = {(image.study_instance_uid, image.series_instance_uid) for image in images}
    return None if len(series) == 1 else f"images of {len(series)} series: a volume comes from one"


def _mosaic(images: Sequence[Facts]) -> str | None:
    tiles = max((image.tiles for image in images if image.tiles is not None), default=None)
    if tiles is None:
        return None
    count = f"{tiles} tiles" if tiles else "several tiles"
    return f"{count} in one image (mosaic): needs de-mosaicking, which this node does not do"


def _no_pixels(images: Sequence[Facts]) -> str | None:
    without = sum(not image.has_pixels for image in images)
    return f"{without} of {len(images)} instances have no pixels" if without else None


def _color(images: Sequence[Facts]) -> str | None:
    for image in images:
        kind = image.photometric_interpretation
        if (image.samples_per_pixel or 1) != 1 or kind not in ("MONOCHROME1", "MONOCHROME2"):
            return f"PhotometricInterpretation is {_shown(kind) or 'absent'}: not an image of MR signal intensities"
    return None


def _matrix(images: Sequence[Facts]) -> str | None:
    without = sum(not image.rows or not image.columns for image in images)
    return f"Rows or Columns is absent or zero in {without} of {len(images)} images" if without else None


def _frames(images: Sequence[Facts]) -> str | None:
    for image in images:
        if image.multi_frame and len(image.frames) != image.number_of_frames:
            return _frame_fault(image)
    return None


def _frame_fault(image: Facts) -> str:
    if not image.frames:
        return (
            f"a multi-frame image of {image.number_of_frames} frames has no readable "
            "PerFrameFunctionalGroupsSequence: nothing says where its frames lie"
        )
    return f"a multi-frame image declares {image.number_of_frames} frames and describes {len(image.frames)}"


def _parts(images: Sequence[Facts]) -> str | None:
    """A multi-frame image that was sent in parts must have them all: an end would go missing unseen."""
    for uid in sorted({image.concatenation_uid for image in images} - {""}):
        members = [image for image in images if image.concatenation_uid == uid]
        total = max(image.concatenation_total or 0 for image in members)
        if len(members) < total:
            return f"{len(members)} of the {total} parts of a concatenation are here"
    return None


def _reference(images: Sequence[Facts]) -> str | None:
    references = {image.frame_of_reference_uid for image in images}
    if "" in references:
        return "FrameOfReferenceUID is absent: a result could not be placed"
    return None if len(references) == 1 else f"{len(references)} frames of reference in one series"


def _unplaced(frames: Sequence[Frame]) -> str | None:
    wanted: dict[str, Callable[[Frame], object]] = {
        "ImagePositionPatient is absent or not three numbers": lambda frame: frame.position,
        "ImageOrientationPatient is absent or not six numbers": lambda frame: frame.orientation,
        "PixelSpacing is absent or not two numbers": lambda frame: frame.pixel_spacing,
    }
    for sentence, value in wanted.items():
        without = sum(value(frame) is None for frame in frames)
        if without:
            return f"{sentence} in {without} of {len(frames)} images"
    for frame in frames:
        if not all(0 < spacing < LARGEST for spacing in frame.pixel_spacing or ()):
            return f"PixelSpacing is {' and '.join(f'{value:g}' for value in frame.pixel_spacing or ())} mm"
        if not all(abs(value) < LARGEST for value in frame.position or ()):
            return f"ImagePositionPatient is more than {LARGEST / 1000:.0f} m away"
    return None


def _skewed(frames: Sequence[Frame]) -> str | None:
    for orientation in Counter(frame.orientation for frame in frames):
        if orientation is None:
            continue
        row, column = orientation[:3], orientation[3:]
        lengths = (math.sqrt(dot(row, row)), math.sqrt(dot(column, column)))
        # rounding to three decimals is seen in the field; lengths are normalised afterwards, angles are not
        if any(abs(length - 1.0) > 0.01 for length in lengths):
            return f"ImageOrientationPatient has vectors of length {lengths[0]:.3f} and {lengths[1]:.3f} instead of 1"
        if abs(dot(row, column)) > 0.001 * lengths[0] * lengths[1]:
            angle = math.degrees(math.acos(dot(row, column) / (lengths[0] * lengths[1])))
            return f"ImageOrientationPatient has rows and columns at {angle:.1f} instead of 90 degrees"
    return None


def _shown(value: str) -> str:
    """At most 16 harmless characters of a value that may hold anything."""
    return "".join(c for c in value[:16] if c.isascii() and (c.isalnum() or c in " _")).strip()
