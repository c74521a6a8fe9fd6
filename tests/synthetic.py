"""Synthetic MR series for tests: right ones, and ones that are wrong on purpose.

Everything is deterministic: the same arguments give the same UIDs and the same bytes. `mr_series` builds
classic single-frame images (PS3.3 A.4), `enhanced` a multi-frame one (A.36); `localizer`, `mosaic` and `color`
are what a scanner also sends and no volume can be made of. The pixels are a bright ball in a dim gradient
along the slices, so that two slices never look alike; every pixel is below 4096.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

Image = np.ndarray[Any, np.dtype[Any]]

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def uid(*parts: object) -> str:
    """The same parts always give the same UID (PS3.5 B.2: below 2.25)."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"


@dataclass(frozen=True)
class Grid:
    """Where the slices lie. Position k is origin + k * slice_spacing * normal, in mm."""

    slices: int = 12
    rows: int = 32
    columns: int = 24
    pixel_spacing: tuple[float, float] = (0.8, 0.7)
    slice_spacing: float = 4.0
    orientation: Sequence[float] = AXIAL
    origin: Sequence[float] = (-10.0, 20.0, -30.0)
    missing: Sequence[int] = ()  # slices, from 0, that were never sent
    shift: Mapping[int, Sequence[float]] | None = None  # mm added to the position of slice k
    shear: float = 0.0  # mm along the rows added per slice: a grid that is not at right angles

    def normal(self) -> Image:
        """Direction in which the slices follow each other (unit vector)."""
        row, column = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        return np.cross(row, column)

    def position(self, k: int) -> list[float]:
        """ImagePositionPatient of slice k, mm."""
        place = np.array(self.origin, float) + k * self.slice_spacing * self.normal()
        place = place + k * self.shear * np.array(self.orientation[:3])
        place = place + np.array((self.shift or {}).get(k, (0.0, 0.0, 0.0)))
        return [float(f"{value:.6f}") for value in place]

    def present(self) -> list[int]:
        """The slices that are sent, from 0."""
        return [k for k in range(self.slices) if k not in self.missing]


def oblique(degrees: float, about: str = "x") -> tuple[float, ...]:
    """An axial orientation tilted by so many degrees about the patient's x or y axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return (1.0, 0.0, 0.0, 0.0, c, s) if about == "x" else (c, 0.0, -s, 0.0, 1.0, 0.0)


def pixels(grid: Grid, k: int, level: float = 1.0) -> Image:
    """Slice k as uint16 (rows, columns): a ball in the middle, brighter with k and with the level."""
    row, column = np.mgrid[0 : grid.rows, 0 : grid.columns]
    away = ((row - grid.rows / 2) / grid.rows) ** 2 + ((column - grid.columns / 2) / grid.columns) ** 2
    away = away + ((k - grid.slices / 2) / max(grid.slices, 1)) ** 2
    return np.asarray((10 + 3 * k + np.where(away < 0.16, 700, 0)) * level, np.uint16)


def mr_series(
    grid: Grid | None = None,
    *,
    name: str = "series",
    order: str = "ascending",
    echo_times: Sequence[float] = (10.0,),
    b_values: Sequence[float] = (),
    phases: int = 1,
    components: Sequence[str] = ("M",),
    absent: Sequence[str] = (),
    change: Mapping[str, object] | None = None,
) -> list[Dataset]:
    """Classic MR images: one for every position, echo, b-value, phase and component.

    `order` is ascending, descending or shuffled along the normal. `absent` names attributes to leave out,
    `change` gives attributes another value in every image.
    """
    grid = grid or Grid()
    made: list[Dataset] = []
    variants = product(enumerate(echo_times, 1), tuple(b_values) or (None,), range(1, phases + 1), components)
    for (echo, echo_time), b_value, phase, component in variants:
        for k in grid.present():
            ds = _image(grid, name, (k, echo, b_value, phase, component))
            ds.ImagePositionPatient = grid.position(k)
            ds.ImageOrientationPatient = list(grid.orientation)
            ds.ImageType = ["ORIGINAL", "PRIMARY", component, "NONE"]
            ds.EchoTime, ds.EchoNumbers, ds.TemporalPositionIdentifier = echo_time, echo, phase
            ds.NumberOfTemporalPositions = phases
            if b_value is not None:
                ds.DiffusionBValue = b_value
            set_pixels(ds, pixels(grid, k, 1.0 + 0.1 * echo + 0.05 * phase))
            made.append(ds)
    for ds in made:
        _alter(ds, absent, change or {})
    return _ordered(made, order)


def localizer(name: str = "localizer", each: int = 3) -> list[Dataset]:
    """Three planes in one series."""
    made: list[Dataset] = []
    for orientation in (AXIAL, SAGITTAL, CORONAL):
        for ds in mr_series(Grid(slices=each, slice_spacing=20.0, orientation=orientation), name=name):
            ds.SOPInstanceUID = uid(name, orientation, ds.SOPInstanceUID)
            ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
            made.append(ds)
    return made


def mosaic(name: str = "mosaic", volumes: int = 2, images_in_mosaic: int = 35) -> list[Dataset]:
    """Siemens mosaics: all slices of a volume as tiles of one image, one image a time point."""
    made = mr_series(Grid(slices=1, rows=96, columns=96), name=name, phases=volumes)
    for ds in made:
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
        ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", images_in_mosaic)
    return made


def color(name: str = "color", slices: int = 3) -> list[Dataset]:
    """RGB secondary captures (PS3.3 A.8), for example a derived colour map."""
    made = mr_series(Grid(slices=slices), name=name)
    for ds in made:
        ds.SOPClassUID = UID(SECONDARY_CAPTURE)
        ds.file_meta.MediaStorageSOPClassUID = UID(SECONDARY_CAPTURE)
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
        ds.PixelData = bytes(int(ds.Rows) * int(ds.Columns) * 3)
        ds["PixelData"].VR = "OB"
    return made


def enhanced(
    grid: Grid | None = None,
    *,
    name: str = "enhanced",
    order: str = "ascending",
    echo_times: Sequence[float] = (10.0,),
    shared_geometry: bool = False,
    rescale: Sequence[tuple[float, float]] = (),
    absent: Sequence[str] = (),
    change: Mapping[str, object] | None = None,
) -> Dataset:
    """One Enhanced MR image with a frame for every position and echo.

    The vendors put orientation and pixel measures into every frame; `shared_geometry` puts them into the
    shared functional groups instead. `rescale` gives (slope, intercept) frame by frame, cycling.
    """
    grid = grid or Grid()
    ds = _image(grid, name, ("enhanced",))
    ds.SOPClassUID = UID(ENHANCED_MR_IMAGE_STORAGE)
    ds.file_meta.MediaStorageSOPClassUID = UID(ENHANCED_MR_IMAGE_STORAGE)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
    del ds.PixelSpacing, ds.SliceThickness
    planes = _ordered([(echo, k) for echo in range(len(echo_times)) for k in grid.present()], order)
    shared, frames, images = Dataset(), [], []
    if shared_geometry:
        _geometry(shared, grid)
    for number, (echo, k) in enumerate(planes):
        frame = Dataset()
        if not shared_geometry:
            _geometry(frame, grid)
        frame.PlanePositionSequence = [_item(ImagePositionPatient=grid.position(k))]
        frame.MREchoSequence = [_item(EffectiveEchoTime=echo_times[echo])]
        frame.FrameContentSequence = [
            _item(StackID="1", InStackPositionNumber=k + 1, TemporalPositionIndex=1, DimensionIndexValues=[1, k + 1])
        ]
        frame.MRImageFrameTypeSequence = [
            _item(FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"], ComplexImageComponent="MAGNITUDE")
        ]
        slope, intercept = rescale[number % len(rescale)] if rescale else (1.0, 0.0)
        frame.PixelValueTransformationSequence = [_item(RescaleSlope=slope, RescaleIntercept=intercept)]
        frames.append(frame)
        images.append(pixels(grid, k, 1.0 + 0.1 * (echo + 1)))
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], frames
    ds.NumberOfFrames = len(frames)
    set_pixels(ds, np.stack(images))
    _alter(ds, absent, change or {})
    return ds


def to_bytes(ds: Dataset) -> bytes:
    """The Part 10 file (PS3.10) of a dataset."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write(datasets: Sequence[Dataset], folder: Path) -> dict[str, Path]:
    """Write Part 10 files into the folder; returns SOPInstanceUID -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    for number, ds in enumerate(datasets, 1):
        path = folder / f"{number:04d}.dcm"
        path.write_bytes(to_bytes(ds))
        paths[str(ds.SOPInstanceUID)] = path
    return paths


def set_pixels(ds: Dataset, values: Image) -> None:
    """Store (rows, columns) or (frames, rows, columns) as native 16-bit pixels."""
    ds.Rows, ds.Columns = values.shape[-2:]
    ds.PixelData = np.ascontiguousarray(values).astype("<i2" if ds.PixelRepresentation else "<u2").tobytes()
    ds["PixelData"].VR = "OW"


def _image(grid: Grid, name: str, which: tuple[object, ...]) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = UID(MR_IMAGE_STORAGE), UID(uid(name, *which))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = UID(uid(name, "study")), UID(uid(name, "series"))
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = UID(uid(name, "frame of reference")), ""
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Synthetic^Person", "SYN1", "19700101", "O"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20250102", "101112", "1", "A1"
    ds.StudyDescription, ds.SeriesDescription, ds.ProtocolName = "Brain", name, "t1_synthetic"
    ds.ReferringPhysicianName, ds.Manufacturer, ds.BodyPartExamined = "", "Synthetic", "BRAIN"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = "MR", 3, 1, 1
    ds.Laterality, ds.PatientPosition = "", "HFS"
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "SE", "NONE", "", "2D"
    ds.RepetitionTime, ds.EchoTrainLength, ds.SliceThickness = 500.0, 1, grid.slice_spacing
    ds.PixelSpacing = list(grid.pixel_spacing)
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = grid.rows, grid.columns, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    if isinstance(which[0], int):
        ds.InstanceNumber = which[0] + 1
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = UID(MR_IMAGE_STORAGE)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _geometry(group: Dataset, grid: Grid) -> None:
    group.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(grid.orientation))]
    group.PixelMeasuresSequence = [_item(PixelSpacing=list(grid.pixel_spacing), SliceThickness=grid.slice_spacing)]


def _alter(ds: Dataset, absent: Sequence[str], change: Mapping[str, object]) -> None:
    for keyword in absent:
        if keyword in ds:
            delattr(ds, keyword)
    for keyword, value in change.items():
        setattr(ds, keyword, value)


def _ordered(made: list[Any], order: str) -> list[Any]:
    if order == "descending":
        return made[::-1]
    if order == "shuffled":
        random.Random(7).shuffle(made)
    return made
