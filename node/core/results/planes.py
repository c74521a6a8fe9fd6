"""The planes of a volume as images, and the references back to the images that they really are.

highdicom takes its geometry and Patient attributes from source images, and refuses or misreads many real ones:
per-frame geometry of Enhanced MR, private SOP classes, illegal dates. So it is given one plain MR image,
made from the Volume and the inherited attributes alone. Such a stand-in never leaves this room: `references`
says what a result must point to in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import DSfloat

from node.core.results.hygiene import CHARACTER_SET, Inherited, inherit, legal_text, text_of, uid_of, usable_uid
from node.core.volume import Volume
from node.errors import NotProcessable


@dataclass(frozen=True)
class Other:
    """Another series that a model was given, beside the one that the result lies on."""

    series_instance_uid: str
    headers: tuple[Dataset, ...]  # of the instances that it was given


@dataclass(frozen=True)
class Source:
    """The source series of one volume, as far as results need it."""

    inherited: Inherited
    headers: tuple[Dataset, ...]  # of the instances of the volume, each once, in the order of their slices
    study_instance_uid: str
    series_instance_uid: str
    series_number: int | None
    others: tuple[Other, ...] = ()

    @property
    def series(self) -> tuple[tuple[str, tuple[Dataset, ...]], ...]:
        """Every series behind the result with its headers, the one that it lies on first."""
        return ((self.series_instance_uid, self.headers), *((o.series_instance_uid, o.headers) for o in self.others))


def source_of(volume: Volume, headers: Sequence[Dataset], others: Sequence[Sequence[Dataset]] = ()) -> Source:
    """Match headers, in any order, to the slices of the volume by SOP Instance UID.

    Headers that the volume does not use are left aside. Raises NotProcessable where a slice has no header, where the
    headers are not of one patient, study and series, or where the volume has no frame of reference. `others` are the
    headers of further series of the study, all of them used.
    """
    if not volume.slices:
        raise NotProcessable("The volume has no slices")
    if not usable_uid(volume.frame_of_reference_uid):
        raise NotProcessable("The images have no usable Frame of Reference UID, so no result can be placed on them")
    by_uid = {str(header.get("SOPInstanceUID", "")): header for header in headers}
    used = tuple(_header(by_uid, uid) for uid in dict.fromkeys(plane.sop_instance_uid for plane in volume.slices))
    number = legal_text(used[0], "SeriesNumber")
    return Source(
        inherited=inherit(used),
        headers=used,
        study_instance_uid=uid_of(used[0], "StudyInstanceUID"),
        series_instance_uid=uid_of(used[0], "SeriesInstanceUID"),
        series_number=int(number) if number else None,
        others=tuple(_other(used[0], one) for one in others),
    )


def _other(first: Dataset, headers: Sequence[Dataset]) -> Other:
    """Raises NotProcessable for a series that no result can refer to, or that is of somebody else."""
    used = sorted(headers, key=lambda header: str(header.get("SOPInstanceUID", "")))
    for header in used:
        _header({str(header.get("SOPInstanceUID", "")): header}, str(header.get("SOPInstanceUID", "")))
    inherit(used)
    for keyword in ("PatientID", "StudyInstanceUID"):
        if text_of(used[0], keyword) != text_of(first, keyword):
            raise NotProcessable(f"The series of a study rule differ in {keyword}")
    return Other(uid_of(used[0], "SeriesInstanceUID"), tuple(used))


def stand_in(volume: Volume, source: Source, index: int) -> Dataset:
    """The plain MR image header of one slice."""
    image = _grid(volume, source)
    image.SOPInstanceUID = f"2.25.{index + 1}"
    image.ImagePositionPatient = _decimals(volume.slices[index].position)
    return image


def position_text(volume: Volume, index: int) -> str:
    """Image Position (Patient) of one slice as it is written."""
    return "\\".join(str(number) for number in _decimals(volume.slices[index].position))


def slice_thickness(volume: Volume, source: Source) -> float | None:
    """Slice Thickness in mm as the source says it; the slice spacing where it does not; None for a lone slice.

    Functional groups hold it in Enhanced MR (PS3.3 C.7.6.16.2.1).
    """
    thickness = legal_text(source.headers[0], "SliceThickness") or _enhanced_thickness(volume, source.headers[0])
    if thickness and float(thickness) > 0:
        return float(thickness)
    return volume.slice_spacing or None


def position_reference_indicator(source: Source) -> str:
    """Position Reference Indicator of the source (PS3.3 C.7.4.1), empty where it has none."""
    return legal_text(source.headers[0], "PositionReferenceIndicator")


def lossy(source: Source) -> Mapping[str, str | list[str]]:
    """Lossy compression that the source pixels once went through (PS3.3 C.7.6.1.1.5): it never goes away."""
    for header in source.headers:
        if legal_text(header, "LossyImageCompression") == "01":
            known = ("LossyImageCompressionRatio", "LossyImageCompressionMethod")
            said = {keyword: legal_text(header, keyword) for keyword in known}
            return {"LossyImageCompression": "01"} | {keyword: text for keyword, text in said.items() if text}
    return {"LossyImageCompression": "00"}


def instance_references(source: Source) -> list[Dataset]:
    """One reference (PS3.3 10.3) per source instance."""
    return [_reference(str(header.SOPClassUID), str(header.SOPInstanceUID)) for header in source.headers]


def slice_references(volume: Volume) -> list[Dataset]:
    """One reference (PS3.3 10.3) per slice, with the frame where the source is a multi-frame image."""
    return [_reference(plane.sop_class_uid, plane.sop_instance_uid, plane.frame) for plane in volume.slices]


def _header(by_uid: Mapping[str, Dataset], uid: str) -> Dataset:
    if uid not in by_uid:
        raise NotProcessable("The header of one of the source images is not there")
    if not usable_uid(uid) or not usable_uid(str(by_uid[uid].get("SOPClassUID", ""))):
        raise NotProcessable("A source image has no usable SOP Class or Instance UID, so no result can refer to it")
    return by_uid[uid]


def _reference(sop_class_uid: str, sop_instance_uid: str, frame: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def _grid(volume: Volume, source: Source) -> Dataset:
    """What all stand-ins have in common."""
    image = Dataset()
    image.update(source.inherited.header)
    image.SpecificCharacterSet = CHARACTER_SET
    image.SOPClassUID, image.Modality = MRImageStorage, "MR"
    image.SeriesInstanceUID = source.series_instance_uid
    image.FrameOfReferenceUID = volume.frame_of_reference_uid
    image.PositionReferenceIndicator = position_reference_indicator(source)
    image.Rows, image.Columns = volume.rows, volume.columns
    image.ImageOrientationPatient = _decimals(volume.row_direction + volume.column_direction)
    image.PixelSpacing = _decimals(volume.pixel_spacing)
    thickness = slice_thickness(volume, source)
    image.SliceThickness = None if thickness is None else _decimals([thickness])[0]
    if volume.slice_spacing > 0:
        image.SpacingBetweenSlices = _decimals([volume.slice_spacing])[0]
    return image


def _decimals(numbers: Sequence[float]) -> list[DSfloat]:
    """DS: 16 characters at most (PS3.5 6.2)."""
    return [DSfloat(number, auto_format=True) for number in numbers]


def _enhanced_thickness(volume: Volume, header: Dataset) -> str:
    frame = volume.slices[0].frame
    if frame is None:
        return ""
    groups = [*header.get("SharedFunctionalGroupsSequence", [])[:1]]
    groups += [*header.get("PerFrameFunctionalGroupsSequence", [])[frame - 1 : frame]]
    for group in groups:
        for measures in group.get("PixelMeasuresSequence", []):
            if thickness := legal_text(measures, "SliceThickness"):
                return thickness
    return ""
