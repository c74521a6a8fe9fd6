"""A head that nobody has: a T1-weighted phantom with true geometry, for tests, demonstrations and canaries.

Everything is computed from formulas in patient coordinates (LPS, millimetres, origin in the middle of the brain), so
that any plane, spacing and matrix shows the same head. Left and right differ (the left ventricle is the larger one,
the right frontal lobe reaches further), so that a flipped image shows. One seed fixes the folding and the noise.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

Vector = tuple[float, float, float]
Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Grid:
    """Where the voxels lie. `row` and `column` are ImageOrientationPatient (PS3.3 C.7.6.2.1.1)."""

    slices: int = 32
    rows: int = 256
    columns: int = 256
    pixel_spacing: tuple[float, float] = (0.9375, 0.9375)  # mm between rows, mm between columns
    slice_spacing: float = 5.0  # mm between slice centres
    row: Vector = (1.0, 0.0, 0.0)  # direction of growing column index
    column: Vector = (0.0, 1.0, 0.0)  # direction of growing row index
    origin: Vector | None = None  # ImagePositionPatient of slice 0; None centres the head

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector from one slice to the next."""
        normal: NDArray[np.float64] = np.cross(self.row, self.column)
        return normal

    @cached_property
    def position(self) -> NDArray[np.float64]:
        """ImagePositionPatient of slice 0 in mm."""
        if self.origin is not None:
            return np.array(self.origin)
        across = (self.columns - 1) / 2 * self.pixel_spacing[1] * np.array(self.row)
        down = (self.rows - 1) / 2 * self.pixel_spacing[0] * np.array(self.column)
        through = (self.slices - 1) / 2 * self.slice_spacing * self.normal
        return np.array([0.0, -6.0, -2.0]) - across - down - through

    def positions(self, number: int) -> Field:
        """Patient coordinates (3, rows, columns) in mm of the voxels of one slice."""
        start = self.position + number * self.slice_spacing * self.normal
        across = np.multiply.outer(self.row, np.arange(self.columns) * self.pixel_spacing[1])
        down = np.multiply.outer(self.column, np.arange(self.rows) * self.pixel_spacing[0])
        places: Field = (start[:, None, None] + across[:, None, :] + down[:, :, None]).astype(np.float32)
        return places


AXIAL = Grid()
SAGITTAL = Grid(slices=32, row=(0.0, 1.0, 0.0), column=(0.0, 0.0, -1.0))
CORONAL = Grid(slices=40, row=(1.0, 0.0, 0.0), column=(0.0, 0.0, -1.0))


@dataclass(frozen=True)
class Phantom:
    """The image and the truth, each (slices, rows, columns)."""

    array: NDArray[np.uint16]
    head: Mask
    brain: Mask  # the brain with its ventricles and furrows
    grid: Grid


def voxels(grid: Grid = AXIAL, *, seed: int = 1) -> Phantom:
    """Image the head on a grid. The same grid and seed give the same voxels (to a unit or so across processors)."""
    generator = np.random.default_rng(seed)
    folds = _Waves.draw(generator, count=28, wavelength=21.0)
    array = np.empty((grid.slices, grid.rows, grid.columns), np.uint16)
    head, brain = np.empty(array.shape, np.bool_), np.empty(array.shape, np.bool_)
    for number in range(grid.slices):
        place = grid.positions(number)
        anatomy = _Anatomy(place, folds)
        head[number], brain[number] = anatomy.head < 0, anatomy.brain < 0
        array[number] = _acquire(anatomy.signal(), place, generator)
    return Phantom(array, head, brain, grid)


def _acquire(signal: Field, place: Field, generator: np.random.Generator) -> NDArray[np.uint16]:
    """What a scanner makes of the signal: partial volume, uneven coil, Rician noise, whole numbers."""
    x, y, z = place
    coil = 1.0 + 0.10 * (x / 90) - 0.08 * (y / 110) + 0.10 * (z / 100) - 0.10 * ((x / 90) ** 2 + (y / 110) ** 2)
    seen = _blur(signal) * coil
    noise = generator.normal(0.0, 0.014, (2, *signal.shape))
    magnitude = np.hypot(seen + noise[0], noise[1])
    whole: NDArray[np.uint16] = np.rint(np.clip(magnitude, 0.0, 4.0) * 1000).astype(np.uint16)
    return whole


def _blur(image: Field) -> Field:
    """A binomial 3 x 3 point spread: a tissue border is never sharper than a voxel."""
    padded = np.pad(image, 1, mode="edge")
    rows = 0.22 * padded[:-2] + 0.56 * padded[1:-1] + 0.22 * padded[2:]
    spread: Field = 0.22 * rows[:, :-2] + 0.56 * rows[:, 1:-1] + 0.22 * rows[:, 2:]
    return spread


@dataclass(frozen=True)
class _Waves:
    """A sum of plane waves of one length in all directions; its zero lines wind like furrows."""

    vectors: Field  # (count, 3), radians per mm
    phases: Field

    @classmethod
    def draw(cls, generator: np.random.Generator, *, count: int, wavelength: float) -> _Waves:
        directions = generator.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = wavelength * generator.uniform(0.8, 1.25, (count, 1))
        vectors = 2 * np.pi * directions / lengths
        return cls(vectors.astype(np.float32), generator.uniform(0, 2 * np.pi, count).astype(np.float32))

    def at(self, place: Field) -> Field:
        """Values about normally distributed, unit variance."""
        total = np.zeros(place.shape[1:], np.float32)
        for vector, phase in zip(self.vectors, self.phases, strict=True):
            total += np.sin(np.tensordot(vector, place, 1) + phase)
        return total * np.float32(np.sqrt(2 / len(self.phases)))


def _ellipsoid(place: Field, centre: Vector, radii: Vector, power: float = 2.0) -> Field:
    """About the distance in mm to an ellipsoid, negative inside; a power above 2 makes it boxier.

    The implicit function divided by the length of its gradient: exact to first order at the surface.
    """
    scaled = np.stack([np.abs(place[axis] - centre[axis]) / radii[axis] for axis in range(3)]) + np.float32(1e-4)
    norm = np.sum(scaled**power, axis=0) ** (1 / power)
    slopes = (scaled / norm) ** (power - 1) / np.array(radii, np.float32).reshape(3, *[1] * (place.ndim - 1))
    distance: Field = ((norm - 1) / np.sqrt(np.sum(slopes**2, axis=0))).astype(np.float32)
    return distance


def _join(*fields: Field, soft: float = 6.0) -> Field:
    """Union with rounded seams (polynomial smooth minimum over `soft` mm)."""
    joined = fields[0]
    for field in fields[1:]:
        near = np.clip(0.5 + 0.5 * (field - joined) / soft, 0, 1)
        joined = field * (1 - near) + joined * near - soft * near * (1 - near)
    return joined


def _both(place: Field) -> Field:
    """Mirror right to left, for paired organs."""
    return np.stack([np.abs(place[0]), place[1], place[2]])


class _Anatomy:
    """Distances (mm, negative inside) to the organs at some positions, and the signal of their tissues."""

    AIR, SKIN, FAT, MUSCLE, BONE, MARROW = 0.0, 0.52, 0.98, 0.40, 0.05, 0.50
    FLUID, GREY, WHITE, NUCLEUS = 0.13, 0.47, 0.72, 0.56

    def __init__(self, place: Field, folds: _Waves) -> None:
        self.folds = folds.at(place)
        # A slow warp makes the sides unlike: the right front and the left back reach further (petalia).
        twist = 2.5 * np.sin(place[1] / 45) * np.exp(-((place[2] - 10) ** 2) / 9000)
        self.place = place + np.stack([twist, 0 * twist, 0 * twist]).astype(np.float32)
        self.paired = _both(self.place)
        self.cerebrum = self._cerebrum()
        self.cerebellum = _ellipsoid(self.place, (0, 47, -40), (48, 31, 23), 2.4) + 0.6 * self.folds
        self.stem = self._stem()
        self.brain = np.minimum(np.minimum(self.cerebrum, self.cerebellum), self.stem)
        # The dura follows the unfolded brain at 2 to 4 mm.
        hull = _join(self.cerebrum - 0.7 * self.folds, self.cerebellum - 0.6 * self.folds, self.stem + 1, soft=10)
        self.skull = hull - 2.6
        self.head = self._head()

    def _cerebrum(self) -> Field:
        dome = _ellipsoid(self.place, (0, 2, 4), (66, 85, 68), 2.3)
        front = np.clip((-self.place[1] - 10) / 25, 0, 1)  # over the orbits the floor lies higher
        orbit = 13 * np.exp(-(((self.paired[0] - 30) / 17) ** 2)) - 3 - 0.06 * (self.place[1] + 50)
        floor = -20 + front * orbit - self.place[2]
        temporal = _ellipsoid(self.paired, (43, -3, -24), (21, 40, 21))
        return _join(np.maximum(dome, floor), temporal, soft=8) + 0.7 * self.folds

    def _stem(self) -> Field:
        x, y, z = self.place
        axis = 22 - 0.10 * (z + 40)
        wide = np.where(z > -52, 14 + 4 * np.exp(-((z + 36) ** 2) / 150), 9)
        tube = np.hypot(x, (y - axis) * 1.15) - wide
        stem: Field = np.maximum(np.maximum(tube, z + 8), -95 - z).astype(np.float32)
        return stem

    def _head(self) -> Field:
        vault = _ellipsoid(self.place, (0, 3, 4), (80, 98, 84), 2.2)
        face = _ellipsoid(self.place, (0, -45, -52), (61, 50, 60), 2.5)
        neck = np.hypot(self.place[0] / 58, (self.place[1] - 18) / 62).astype(np.float32) * 58 - 58
        neck = np.maximum(neck, self.place[2] + 40)
        nose = _ellipsoid(self.place, (1, -95, -48), (13, 18, 22))
        ears = _ellipsoid(self.paired, (80, 14, -30), (7, 15, 27))
        whole = _join(np.maximum(vault, -62 - self.place[2]), face, neck, soft=14)
        return _join(whole, nose, ears, soft=5)

    def signal(self) -> Field:
        """T1-weighted signal of every position, 0 .. about 1."""
        signal = np.full(self.head.shape, self.AIR, np.float32)
        signal = self._soft_parts(signal)
        signal = self._face(signal)
        signal = self._vault(signal)
        return self._brain(signal)

    def _soft_parts(self, signal: Field) -> Field:
        depth = -self.head
        texture = self.folds * 0.04
        signal = np.where(depth > 0, self.SKIN, signal)
        fatty = (depth > 1.6) & (depth < 6.5 + 1.5 * self.folds)
        signal = np.where(depth > 1.6, self.MUSCLE + texture, signal)
        return np.where(fatty, self.FAT - 0.15 + texture, signal)

    def _face(self, signal: Field) -> Field:
        x, y, z = self.place
        for centre, radii, value in (
            ((46.0, -44.0, -64.0), (8.0, 22.0, 18.0), self.FAT - 0.25),  # buccal fat
            ((31.0, -62.0, -34.0), (20.0, 27.0, 17.0), self.BONE),  # orbit wall
            ((31.0, -62.0, -34.0), (18.0, 27.0, 15.0), self.FAT - 0.08),  # orbital fat
            ((24.0, -52.0, -34.0), (3.0, 26.0, 3.0), self.MUSCLE),  # optic nerve
            ((43.0, -58.0, -34.0), (2.4, 20.0, 7.0), self.MUSCLE),  # lateral rectus
            ((17.5, -58.0, -34.0), (2.2, 20.0, 7.0), self.MUSCLE),  # medial rectus
            ((32.0, -77.0, -34.0), (13.0, 12.5, 12.5), self.SKIN - 0.15),  # sclera
            ((32.0, -77.0, -34.0), (11.6, 11.2, 11.2), self.FLUID),  # vitreous
            ((32.0, -86.5, -34.0), (5.0, 2.2, 5.0), self.GREY),  # lens
            ((35.0, -60.0, -64.0), (12.0, 15.0, 13.0), self.AIR),  # maxillary sinus
        ):
            signal = np.where(_ellipsoid(self.paired, centre, radii) < 0, value, signal)
        cavity = _ellipsoid(self.place, (0, -64, -54), (15, 32, 21), 2.4)
        signal = np.where(cavity < 2.5, self.BONE, signal)
        conchae = 0.5 + 0.5 * np.sin(np.abs(x) / 1.7 + z / 3.2 + y / 9 + self.folds)
        signal = np.where(cavity < 0, np.where(conchae > 0.62, self.SKIN, self.AIR), signal)
        septum = np.abs(x - 1.5 * np.sin((y + 60) / 14)) < 1.3
        signal = np.where((cavity < 0) & septum, self.SKIN - 0.1, signal)
        throat = _ellipsoid(self.place, (0, -16, -84), (12, 8, 30))
        signal = np.where(throat < 2, self.SKIN - 0.1, signal)
        signal = np.where(throat < 0, self.AIR, signal)
        jaw = np.abs(np.hypot(x / 46, (y + 42) / 42) - 1) * 44
        jaw = np.maximum(jaw - 5, np.maximum(np.abs(z + 88) - 17, y + 24))
        signal = np.where(jaw < 0, np.where(jaw < -2, self.MARROW, self.BONE), signal)
        spine = np.maximum(np.hypot(x / 1.3, y - 4) - 9, z + 62)
        disc = np.abs((z + 66) % 17 - 8.5) > 6.5
        bodies = np.where(spine > -1.5, self.BONE, np.where(disc, self.MUSCLE - 0.12, self.MARROW + 0.12))
        return np.where(spine < 0, bodies, signal).astype(np.float32)

    def _vault(self, signal: Field) -> Field:
        thick = 5.5 + 1.2 * self.folds
        bone = (self.skull > 0) & (self.skull < thick) & (self.head < -3) & (self.place[2] > -68)
        diploe = (self.skull > 1.8) & (self.skull < thick - 1.8) & (self.place[2] > -12)
        signal = np.where(bone, np.where(diploe, self.MARROW, self.BONE), signal)
        petrous = _ellipsoid(self.paired, (48, 20, -42), (22, 10, 9)) < 0
        mastoid = np.where(self.folds > 0, self.BONE, self.AIR)
        signal = np.where(petrous & (self.brain > 1), mastoid, signal)
        frontal = _ellipsoid(self.place, (4, -92, -2), (16, 3.5, 10)) < 0
        signal = np.where(frontal, self.AIR, signal)
        sphenoid = _ellipsoid(self.place, (-2, -26, -36), (13, 12, 9)) < 0
        clivus = _ellipsoid(self.place, (0, -2, -46), (12, 8, 15)) < 0
        inside = np.where(self.skull < 0, self.FLUID, signal)
        inside = np.where(clivus, self.MARROW + 0.15, inside)
        inside = np.where(sphenoid, self.AIR, inside)
        return inside.astype(np.float32)

    def _brain(self, signal: Field) -> Field:
        signal = np.where(self.cerebrum < 0, self._mantle(), signal)
        folia = np.abs(np.sin(np.hypot(self.place[1] - 22, self.place[2] + 34) / 1.9 + 0.4 * self.folds))
        leaf = np.where(folia > 0.35, self.GREY, self.GREY - 0.12)
        arbor = (self.cerebellum < -11 + 2 * self.folds) | ((folia > 0.9) & (self.cerebellum < -4))
        signal = np.where(self.cerebellum < 0, np.where(arbor, self.WHITE - 0.06, leaf), signal)
        signal = np.where(self.stem < 0, self.WHITE - 0.08 + 0.02 * self.folds, signal)
        fourth = _ellipsoid(self.place, (0, 34, -34), (6, 5, 11)) < 0
        return np.where(fourth, self.FLUID, self._deep(signal)).astype(np.float32)

    def _mantle(self) -> Field:
        """Cortex, furrows and white matter of the cerebrum."""
        depth = -self.cerebrum
        x, y, z = self.place
        furrow = np.abs(self.folds) * 3.6 + 0.11 * np.maximum(depth - 1, 0)
        callosum = np.hypot((y - 2) / 46, (z + 4) / 32) < 1
        middle = np.abs(x + 0.5 * self.folds) + np.where(callosum, 99.0, 0.0)
        sylvian = np.abs(z + 4 - 0.18 * (y + 10) + 1.5 * self.folds) + 0.16 * np.maximum(52 - np.abs(x), 0) ** 1.3
        sylvian = np.where((y > -38) & (y < 36), sylvian, 99.0)
        gap = np.minimum(np.minimum(furrow - 0.9, middle - 1.1), sylvian - 1.4)
        core = _ellipsoid(self.place, (0, 4, 8), (34, 46, 27))
        gap = gap + 0.35 * np.maximum(6 - core, 0)
        ribbon = np.minimum(gap * 1.2, depth)
        value = np.where(ribbon < 2.7, self.GREY, self.WHITE)
        return np.where(gap < 0, self.FLUID + 0.06, value).astype(np.float32)

    def _deep(self, signal: Field) -> Field:
        """Nuclei, corpus callosum and ventricles; the left ventricle is the larger one (patient left is +x)."""
        x, y, z = self.place
        for centre, radii in (((11.0, 12.0, 6.0), (9.0, 15.0, 10.0)), ((26.0, -4.0, 4.0), (6.5, 18.0, 13.0))):
            signal = np.where(_ellipsoid(self.paired, centre, radii) < 0, self.NUCLEUS, signal)
        caudate = _ellipsoid(self.paired, (15, -18, 14), (5, 11, 11)) < 0
        signal = np.where(caudate, self.NUCLEUS - 0.02, signal)
        larger = np.where(x > 0, 1.28, 1.0)
        lateral = np.abs(x) - 9 - 0.011 * (y + 2) ** 2 * np.where(y > 0, 1.0, 0.6)
        roof = (z - 19 + 0.009 * (y - 2) ** 2) / 6.5
        body = np.hypot(np.hypot(lateral / 5.2, roof), np.maximum(np.abs(y - 5) - 30, 0) / 9)
        signal = np.where((body < larger) & (self.cerebrum < -6), self.FLUID, signal)
        third = _ellipsoid(self.place, (0, 8, 0), (2.6, 15, 12)) < 0
        return np.where(third, self.FLUID, signal).astype(np.float32)


def instances(
    phantom: Phantom,
    *,
    when: datetime,
    seed: str = "phantom",
    patient_name: str = "Phantom^Head",
    patient_id: str = "PHANTOM",
    accession_number: str = "",
    study_instance_uid: str = "",
    series_instance_uid: str = "",
    study_description: str = "MR HEAD",
    series_description: str = "T1 PHANTOM",
    series_number: int = 1,
) -> list[Dataset]:
    """Classic MR instances (PS3.3 A.4), one a slice, with file meta information, Explicit VR Little Endian.

    Every UID that is not given is `2.25.` and 128 bits of a hash of `seed` (PS3.5 B.2), so the same arguments give
    the same instances.
    """
    study = study_instance_uid or uid(seed, "study")
    series = series_instance_uid or uid(seed, study, "series", series_number)
    made = []
    for number, pixels in enumerate(phantom.array):
        dataset = Dataset()
        _patient_and_study(dataset, when, patient_name, patient_id, accession_number, study, study_description)
        _series(dataset, when, series, series_description, series_number)
        _equipment_and_acquisition(dataset, phantom.grid)
        _plane(dataset, phantom.grid, number)
        dataset.FrameOfReferenceUID = uid(seed, study, "frame of reference")
        dataset.SOPInstanceUID = uid(seed, series, "instance", number)
        _pixels(dataset, pixels)
        dataset.file_meta = _file_meta(dataset)
        made.append(dataset)
    return made


def uid(*parts: object) -> str:
    """A UID from 128 bits of the SHA-256 of some words: the same words, the same UID (PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _patient_and_study(
    dataset: Dataset, when: datetime, name: str, patient_id: str, accession_number: str, study: str, description: str
) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = name, patient_id
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.StudyInstanceUID, dataset.StudyID = study, "1"
    dataset.StudyDate, dataset.StudyTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    dataset.AccessionNumber, dataset.StudyDescription = accession_number, description
    dataset.ReferringPhysicianName = ""


def _series(dataset: Dataset, when: datetime, series: str, description: str, number: int) -> None:
    dataset.Modality, dataset.SeriesInstanceUID = "MR", series
    dataset.SeriesDescription, dataset.SeriesNumber = description, number
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, dataset.StudyTime
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.StudyDate, dataset.StudyTime
    dataset.ContentDate, dataset.ContentTime = dataset.StudyDate, dataset.StudyTime
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    dataset.BodyPartExamined, dataset.PatientPosition = "HEAD", "HFS"
    dataset.ProtocolName = "PHANTOM"


def _equipment_and_acquisition(dataset: Dataset, grid: Grid) -> None:
    """General Equipment and MR Image modules (PS3.3 C.7.5.1, C.8.3.1); a plausible 2D spin echo."""
    dataset.Manufacturer, dataset.ManufacturerModelName = "mricore-node", "phantom"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "0", "1"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "SE", "NONE", ""
    dataset.MRAcquisitionType, dataset.SequenceName = "2D", "se2d1"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = "500", "9", "1"
    dataset.FlipAngle, dataset.MagneticFieldStrength, dataset.NumberOfAverages = "90", "1.5", "1"
    dataset.ImagedNucleus, dataset.ImagingFrequency, dataset.EchoNumbers = "1H", "63.87", "1"
    dataset.ImagesInAcquisition, dataset.AcquisitionNumber = str(grid.slices), "1"


def _plane(dataset: Dataset, grid: Grid, number: int) -> None:
    """Image Plane module (PS3.3 C.7.6.2)."""
    place = grid.position + number * grid.slice_spacing * grid.normal
    dataset.InstanceNumber = number + 1
    dataset.ImageOrientationPatient = [_decimal(value) for value in (*grid.row, *grid.column)]
    dataset.ImagePositionPatient = [_decimal(value) for value in place]
    dataset.PixelSpacing = [_decimal(value) for value in grid.pixel_spacing]
    dataset.SliceThickness = dataset.SpacingBetweenSlices = _decimal(grid.slice_spacing)
    dataset.SliceLocation = _decimal(float(place @ grid.normal))
    dataset.PositionReferenceIndicator = ""


def _decimal(value: float) -> str:
    """A Decimal String of 16 bytes at most (PS3.5 6.2)."""
    return f"{round(float(value), 6) + 0.0:.10g}"


def _pixels(dataset: Dataset, pixels: NDArray[np.uint16]) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.SmallestImagePixelValue, dataset.LargestImagePixelValue = int(pixels.min()), int(pixels.max())
    dataset.WindowCenter, dataset.WindowWidth = "450", "900"
    dataset.PixelData = pixels.astype("<u2").tobytes()


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    dataset.SOPClassUID = MRImageStorage
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta
