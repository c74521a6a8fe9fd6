"""The facts of an instance that decide about completeness, volumes and decoding.

Classic images and Enhanced multi-frame images are told in the same words: an instance has frames, a classic
one has exactly one. Vendors keep some facts in private elements; the places are the published ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from node.core.dicom.elements import Elements

Vector = tuple[float, float, float]

FRAMES_AT_MOST = 20_000  # more functional groups are not read; the instance is then refused as a volume
MULTI_FRAME = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR Image Storage (PS3.3 A.36.2)
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color Image Storage (A.36.3)
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR Image Storage (A.71)
    }
)
_COMPONENTS = {"MAGNITUDE": "M", "PHASE": "P", "REAL": "R", "IMAGINARY": "I"}
_GE_COMPONENTS = ("M", "P", "R", "I")  # GEMS_PARM_01 (0043,xx2F) raw data type


@dataclass(frozen=True)
class Frame:
    """One plane: where it lies and what tells it from others at the same place. None: not stated."""

    position: Vector | None  # ImagePositionPatient, mm
    orientation: tuple[float, float, float, float, float, float] | None  # ImageOrientationPatient
    pixel_spacing: tuple[float, float] | None  # mm between rows, mm between columns
    image_type: tuple[str, ...]  # ImageType, or FrameType of a multi-frame image
    component: str | None  # M, P, R or I: ComplexImageComponent or the vendor's place
    echo_time: float | None  # ms
    b_value: float | None  # s/mm2
    gradient: Vector | None  # direction of the diffusion gradient
    inversion_time: float | None  # ms
    temporal_position: int | None  # TemporalPositionIdentifier or TemporalPositionIndex
    trigger_time: float | None  # ms
    acquisition_number: int | None
    stack_id: str | None
    collapse: int | None  # GE (0043,xx30): tells kinds of images apart that no standard attribute does


@dataclass(frozen=True)
class Facts:
    """What is remembered of an instance. "" or None: absent, or not a clean value."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    instance_number: int | None
    rows: int | None
    columns: int | None
    number_of_frames: int | None  # as declared; None when the attribute is absent
    samples_per_pixel: int | None
    photometric_interpretation: str
    bits_allocated: int | None
    bits_stored: int | None
    pixel_representation: int | None
    frame_of_reference_uid: str
    image_type: tuple[str, ...]
    protocol_name: str
    images_in_acquisition: int | None  # (0020,1002)
    images_in_series: int | None  # GE (0025,xx07)
    number_of_temporal_positions: int | None  # (0020,0105)
    number_of_slices: int | None  # Philips (2001,xx18), GE (0021,xx4F)
    concatenation_uid: str  # parts of one multi-frame image that was sent as several (PS3.3 C.7.6.16.1.3)
    concatenation_total: int | None  # InConcatenationTotalNumber
    tiles: int | None  # slices tiled into one image (mosaic); 0 when it is one but does not say how many
    has_pixels: bool
    multi_frame: bool
    frames: tuple[Frame, ...]  # () when a multi-frame image has no readable functional groups


def facts(ds: Dataset, *, has_pixels: bool | None = None) -> Facts:
    """Read the facts of a dataset; never raises, whatever the header holds.

    `has_pixels` is for a header that was read without its pixels; otherwise the dataset is looked into.
    """
    read = Elements(ds)
    number_of_frames = read.integer("NumberOfFrames", "IS")
    sop_class_uid = read.first("SOPClassUID")
    multi_frame = sop_class_uid in MULTI_FRAME or (number_of_frames or 1) > 1
    return Facts(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=read.first("SOPInstanceUID"),
        series_instance_uid=read.first("SeriesInstanceUID"),
        study_instance_uid=read.first("StudyInstanceUID"),
        modality=read.first("Modality"),
        instance_number=read.integer("InstanceNumber", "IS"),
        rows=read.integer("Rows", "US"),
        columns=read.integer("Columns", "US"),
        number_of_frames=number_of_frames,
        samples_per_pixel=read.integer("SamplesPerPixel", "US"),
        photometric_interpretation=read.first("PhotometricInterpretation"),
        bits_allocated=read.integer("BitsAllocated", "US"),
        bits_stored=read.integer("BitsStored", "US"),
        pixel_representation=read.integer("PixelRepresentation", "US"),
        frame_of_reference_uid=read.first("FrameOfReferenceUID"),
        image_type=read.texts("ImageType"),
        protocol_name=read.text("ProtocolName").strip(),
        images_in_acquisition=read.integer("ImagesInAcquisition", "IS"),
        images_in_series=read.integer(read.private(0x0025, "GEMS_SERS_01", 0x07), "SL"),
        number_of_temporal_positions=read.integer("NumberOfTemporalPositions", "IS"),
        number_of_slices=_number_of_slices(read),
        concatenation_uid=read.first("ConcatenationUID"),
        concatenation_total=read.integer("InConcatenationTotalNumber", "US"),
        tiles=_tiles(read),
        has_pixels=_has_pixels(ds) if has_pixels is None else has_pixels,
        multi_frame=multi_frame,
        frames=_frames(read) if multi_frame else (_frame(read),),
    )


def _has_pixels(ds: Dataset) -> bool:
    return any(keyword in ds for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))


def _number_of_slices(read: Elements) -> int | None:
    philips = read.integer(read.private(0x2001, "Philips Imaging DD 001", 0x18), "SL")
    return philips or read.integer(read.private(0x0021, "GEMS_RELA_01", 0x4F), "SS")


def _tiles(read: Elements) -> int | None:
    image_type = read.texts("ImageType")
    siemens = read.integer(read.private(0x0019, "SIEMENS MR HEADER", 0x0A), "US") or 0
    if "MOSAIC" in image_type or siemens > 1:
        return math.ceil(math.sqrt(siemens)) ** 2 if 0 < siemens < 10_000 else 0  # tiles fill a square
    if "VFRAME" in image_type:
        return read.integer(read.private(0x0065, "Image Private Header", 0x50), "DS") or 0
    return None


def _frame(read: Elements) -> Frame:
    """The one frame of a classic image (PS3.3 C.8.3.1)."""
    image_type = read.texts("ImageType")
    return Frame(
        position=_vector(read.numbers("ImagePositionPatient", "DS")),
        orientation=_six(read.numbers("ImageOrientationPatient", "DS")),
        pixel_spacing=_pair(read.numbers("PixelSpacing", "DS")),
        image_type=image_type,
        component=_component(read, image_type),
        echo_time=read.number("EchoTime", "DS"),
        b_value=_b_value(read),
        gradient=_gradient(read),
        inversion_time=read.number("InversionTime", "DS"),
        temporal_position=read.integer("TemporalPositionIdentifier", "IS"),
        trigger_time=read.number("TriggerTime", "DS"),
        acquisition_number=read.integer("AcquisitionNumber", "IS"),
        stack_id=read.first("StackID") or None,
        collapse=read.integer(read.private(0x0043, "GEMS_PARM_01", 0x30), "SS"),
    )


def _component(read: Elements, image_type: tuple[str, ...]) -> str | None:
    stated = _COMPONENTS.get(read.first("ComplexImageComponent"))
    if stated:
        return stated
    for value in image_type[2:]:
        if value in _COMPONENTS.values() or value in _COMPONENTS:
            return _COMPONENTS.get(value, value)
    ge = read.integer(read.private(0x0043, "GEMS_PARM_01", 0x2F), "SS")
    return _GE_COMPONENTS[ge] if ge is not None and 0 <= ge < len(_GE_COMPONENTS) else None


def _b_value(read: Elements) -> float | None:
    places: tuple[tuple[str | BaseTag, str], ...] = (
        ("DiffusionBValue", "FD"),
        (read.private(0x0019, "SIEMENS MR HEADER", 0x0C), "IS"),
        (read.private(0x2001, "Philips Imaging DD 001", 0x03), "FL"),
        (read.private(0x0065, "Image Private Header", 0x09), "FD"),  # United Imaging
    )
    for place, vr in places:
        value = read.number(place, vr)
        if value is not None:
            return value
    ge = read.number(read.private(0x0043, "GEMS_PARM_01", 0x39), "IS")
    return ge % 100_000 if ge is not None and ge >= 0 else None  # GE adds 1e9 to some of them


def _gradient(read: Elements) -> Vector | None:
    places: tuple[str | BaseTag, ...] = (
        "DiffusionGradientOrientation",
        read.private(0x0019, "SIEMENS MR HEADER", 0x0E),
        read.private(0x0065, "Image Private Header", 0x37),
    )
    for place in places:
        found = _vector(read.numbers(place, "FD"))
        if found:
            return found
    return _three(read, 0x2005, "Philips MR Imaging DD 001", 0xB0, "FL") or _three(
        read, 0x0019, "GEMS_ACQU_01", 0xBB, "DS"
    )


def _three(read: Elements, group: int, creator: str, offset: int, vr: str) -> Vector | None:
    """A direction whose x, y and z are three neighbouring private elements."""
    values = [read.number(read.private(group, creator, offset + axis), vr) for axis in range(3)]
    return _vector(tuple(value for value in values if value is not None))


def _frames(read: Elements) -> tuple[Frame, ...]:
    """The frames of a multi-frame image (PS3.3 C.7.6.16): own functional groups first, then the shared ones."""
    if read.length("PerFrameFunctionalGroupsSequence") > FRAMES_AT_MOST:
        return ()
    shared = next(iter(read.items("SharedFunctionalGroupsSequence")), None)
    outer = _frame(read)
    same: dict[Frame, Frame] = {}
    groups = read.items("PerFrameFunctionalGroupsSequence", FRAMES_AT_MOST)
    return tuple(same.setdefault(frame, frame) for frame in (_Groups(own, shared).frame(outer) for own in groups))


_ABSENT = Elements(Dataset())


class _Groups:
    """The functional groups of one frame."""

    def __init__(self, own: Elements, shared: Elements | None) -> None:
        self._places = (own, shared) if shared is not None else (own,)

    def _group(self, keyword: str) -> Elements:
        for place in self._places:
            for item in place.items(keyword):
                return item
        return _ABSENT

    def frame(self, outer: Frame) -> Frame:
        """Functional group macros of PS3.3 C.7.6.16.2 and C.8.13.5; `outer` fills what only the image says."""
        content, kind = self._group("FrameContentSequence"), self._group("MRImageFrameTypeSequence")
        diffusion = self._group("MRDiffusionSequence")
        direction = next(iter(diffusion.items("DiffusionGradientDirectionSequence")), diffusion)
        image_type = kind.texts("FrameType") or outer.image_type
        number = content.integer("FrameAcquisitionNumber", "US")
        return Frame(
            position=_vector(self._group("PlanePositionSequence").numbers("ImagePositionPatient", "DS")),
            orientation=_six(self._group("PlaneOrientationSequence").numbers("ImageOrientationPatient", "DS")),
            pixel_spacing=_pair(self._group("PixelMeasuresSequence").numbers("PixelSpacing", "DS")),
            image_type=image_type,
            component=_component(kind, image_type) or outer.component,
            echo_time=self._group("MREchoSequence").number("EffectiveEchoTime", "FD"),
            b_value=diffusion.number("DiffusionBValue", "FD"),
            gradient=_vector(direction.numbers("DiffusionGradientOrientation", "FD")),
            inversion_time=self._inversion_time(),
            temporal_position=content.integer("TemporalPositionIndex", "UL"),
            trigger_time=self._group("CardiacSynchronizationSequence").number("NominalCardiacTriggerDelayTime", "FD"),
            acquisition_number=number if number is not None else outer.acquisition_number,
            stack_id=content.first("StackID") or None,
            collapse=None,
        )

    def _inversion_time(self) -> float | None:
        times = self._group("MRModifierSequence").numbers("InversionTimes", "FD")
        return times[0] if len(times) == 1 else None


def _vector(values: tuple[float, ...]) -> Vector | None:
    return (values[0], values[1], values[2]) if len(values) == 3 else None


def _pair(values: tuple[float, ...]) -> tuple[float, float] | None:
    return (values[0], values[1]) if len(values) == 2 else None


def _six(values: tuple[float, ...]) -> tuple[float, float, float, float, float, float] | None:
    return (values[0], values[1], values[2], values[3], values[4], values[5]) if len(values) == 6 else None
