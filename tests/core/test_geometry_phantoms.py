"""A phantom drawn on the source grid is found in the SEG at the same points of the patient, by readers of others.

The phantom is an L that no turn or mirror maps onto itself. Its points are worked out from the source headers alone
(PS3.3 C.7.6.2.1.1), so that a mistake of the Volume would show as well.
"""

from __future__ import annotations

import gzip
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.card import Encoding
from node.core.dicom import facts
from node.core.results import encode, to_bytes, verify, verify_files
from node.core.volume import Volume, volumes
from tests.results import card, letter_l, origin, volume_of
from tests.synthetic import AXIAL, CORONAL, SAGITTAL, Grid, enhanced, mr_series, oblique

Points = NDArray[np.float64]
Labels = NDArray[np.uint8]
DCMQI = Path.home() / ".cache" / "dicom-validators" / "bin" / "segimage2itkimage"

GRIDS: Mapping[str, Grid] = {
    "axial": Grid(orientation=AXIAL),
    "sagittal": Grid(orientation=SAGITTAL),
    "coronal": Grid(orientation=CORONAL),
    "oblique about x": Grid(orientation=oblique(23.0)),
    "oblique about y": Grid(orientation=oblique(-41.0, "y")),
    "anisotropic": Grid(pixel_spacing=(0.31, 2.7), slice_spacing=6.5),
    "61 x 67": Grid(slices=7, rows=61, columns=67),
    "86 x 86": Grid(slices=9, rows=86, columns=86, orientation=SAGITTAL),
    "three slices": Grid(slices=3),
}

# How the slices of a scanner lie in the patient, who lies head or feet first (HF, FF) on the back, the belly, or the
# right or left side (S, P, DR, DL; PS3.3 C.7.3.1.1.2): the rows and columns are those of the table
PATIENT_POSITIONS: Mapping[str, Sequence[float]] = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}
OCTANTS = list(product((0, 1), repeat=3))  # lower or upper half of the slices, rows, columns
needs_dcmqi = pytest.mark.skipif(not DCMQI.exists(), reason="dcmqi is not installed (shared/tools/validate/setup.sh)")


def points_of(sources: Sequence[Dataset], drawn: Mapping[tuple[str, int | None], NDArray[np.bool_]]) -> Points:
    """Where the drawn voxels lie in the patient (mm), sorted."""
    found = []
    for source in sources:
        frames = source.get("PerFrameFunctionalGroupsSequence")
        for number in range(1, len(frames) + 1) if frames else (None,):
            mask = drawn.get((str(source.SOPInstanceUID), number))
            if mask is not None:
                found.append(_plane_points(source, number, mask))
    return _sorted(np.concatenate(found))


def _plane_points(source: Dataset, number: int | None, mask: NDArray[np.bool_]) -> Points:
    def get(sequence: str, keyword: str) -> Points:
        if number is None:
            return np.array(source[keyword].value, float)
        group = source.PerFrameFunctionalGroupsSequence[number - 1]
        group = group if sequence in group else source.SharedFunctionalGroupsSequence[0]
        return np.array(group[sequence].value[0][keyword].value, float)

    orientation = get("PlaneOrientationSequence", "ImageOrientationPatient")
    between_rows, between_columns = get("PixelMeasuresSequence", "PixelSpacing")
    rows, columns = np.nonzero(mask)
    position = get("PlanePositionSequence", "ImagePositionPatient")
    along_row = np.outer(columns * between_columns, orientation[:3])
    along_column = np.outer(rows * between_rows, orientation[3:])
    return np.asarray(position + along_row + along_column)


def _sorted(points: Points) -> Points:
    rounded = np.round(points, 3) + 0.0
    return rounded[np.lexsort(rounded.T)]


def points_read_by_highdicom(path: Path, segment: int) -> Points:
    """The same, as highdicom's own volume reader places them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = hd.seg.segread(path).get_volume(segment_numbers=[segment])
    array = read.array[..., 0] if read.array.ndim == 4 else read.array
    return _sorted(read.map_indices_to_reference(np.argwhere(array)))


def points_read_by_dcmqi(path: Path, segment: int, folder: Path) -> Points:
    """The same, as dcmqi (ITK) places them."""
    made = subprocess.run(
        [DCMQI, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"], capture_output=True
    )
    assert made.returncode == 0, made.stdout[-400:]
    return read_nrrd(folder / f"{segment}.nrrd")


def read_nrrd(path: Path) -> Points:
    """The points of the voxels above zero in an NRRD file in LPS space, which is DICOM's."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    assert fields["space"] == "left-posterior-superior"
    assert fields["encoding"] == "gzip"
    kind = {"short": "<i2", "signed short": "<i2", "unsigned char": "u1", "unsigned short": "<u2"}[fields["type"]]
    sizes = [int(size) for size in fields["sizes"].split()]
    array = np.frombuffer(gzip.decompress(body), kind).reshape(sizes[::-1])
    vectors = [[float(x) for x in item.strip("()").split(",")] for item in fields["space directions"].split()]
    start = [float(x) for x in fields["space origin"].strip("()").split(",")]
    return _sorted(np.argwhere(array)[:, ::-1] @ np.array(vectors) + np.array(start))


def drawn_and_encoded(sources: Sequence[Dataset], folder: Path, within: Labels | None = None) -> tuple[Path, Points]:
    """Encode an L, or what is drawn `within`, on the sources; returns the SEG file and where the L was drawn."""
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8) if within is None else within
    return encoded(volume, sources, labels, folder)


def encoded(volume: Volume, sources: Sequence[Dataset], labels: Labels, folder: Path) -> tuple[Path, Points]:
    """The SEG file of labels of a volume of the sources, and where they were drawn."""
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(1), sources))
    path = folder / "seg.dcm"
    path.write_bytes(to_bytes(result.seg))
    assert verify(path.read_bytes(), sources, volume, labels, card(1)) == ()
    assert verify_files(path.read_bytes(), sources) == ()
    slices = {(s.sop_instance_uid, s.frame): mask.astype(bool) for s, mask in zip(volume.slices, labels, strict=True)}
    return path, points_of(sources, slices)


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
@pytest.mark.parametrize("name", GRIDS)
def test_a_phantom_is_found_where_it_was_drawn(name: str, order: str, tmp_path: Path) -> None:
    path, drawn = drawn_and_encoded(mr_series(GRIDS[name], order=order), tmp_path)
    np.testing.assert_allclose(points_read_by_highdicom(path, 1), drawn, atol=2e-3)


@pytest.mark.parametrize("shared", [True, False], ids=["shared geometry", "geometry per frame"])
@pytest.mark.parametrize("name", GRIDS)
def test_a_phantom_on_an_enhanced_image_is_found_where_it_was_drawn(name: str, shared: bool, tmp_path: Path) -> None:
    source = enhanced(GRIDS[name], order="shuffled", shared_geometry=shared)
    path, drawn = drawn_and_encoded([source], tmp_path)
    np.testing.assert_allclose(points_read_by_highdicom(path, 1), drawn, atol=2e-3)


@needs_dcmqi
@pytest.mark.parametrize("name", GRIDS)
def test_dcmqi_finds_the_phantom_where_it_was_drawn(name: str, tmp_path: Path) -> None:
    path, drawn = drawn_and_encoded(mr_series(GRIDS[name], order="shuffled"), tmp_path)
    np.testing.assert_allclose(points_read_by_dcmqi(path, 1, tmp_path), drawn, atol=2e-3)


def found_by_both(path: Path, drawn: Points, folder: Path) -> None:
    """highdicom finds what was drawn, and so does dcmqi where it is installed."""
    np.testing.assert_allclose(points_read_by_highdicom(path, 1), drawn, atol=2e-3)
    if DCMQI.exists():
        np.testing.assert_allclose(points_read_by_dcmqi(path, 1, folder), drawn, atol=2e-3)


def l_in_octant(octant: Sequence[int], shape: tuple[int, int, int]) -> Labels:
    """An L in one eighth of a volume, with a foot on its first slice: no turn or mirror maps it onto itself."""
    labels = np.zeros(shape, np.uint8)
    slices, rows, columns = (size // 2 * half for size, half in zip(shape, octant, strict=True))
    labels[slices + 1 : slices + 4, rows + 2 : rows + 11, columns + 2 : columns + 4] = 1
    labels[slices + 1 : slices + 4, rows + 9 : rows + 11, columns + 4 : columns + 8] = 1
    labels[slices + 1, rows + 3, columns + 4 : columns + 10] = 1
    return labels


@pytest.mark.parametrize("octant", OCTANTS, ids=lambda octant: "".join("-+"[half] for half in octant))
def test_a_phantom_in_one_octant_is_found_in_that_octant(octant: Sequence[int], tmp_path: Path) -> None:
    sources = mr_series(Grid(slices=12, rows=32, columns=24, orientation=oblique(31.0)), order="descending")
    path, drawn = drawn_and_encoded(sources, tmp_path, l_in_octant(octant, (12, 32, 24)))
    found_by_both(path, drawn, tmp_path)


@pytest.mark.parametrize("position", PATIENT_POSITIONS)
def test_a_phantom_in_a_patient_in_any_position_is_found_where_it_was_drawn(position: str, tmp_path: Path) -> None:
    grid = Grid(orientation=PATIENT_POSITIONS[position])
    path, drawn = drawn_and_encoded(mr_series(grid, change={"PatientPosition": position}), tmp_path)
    found_by_both(path, drawn, tmp_path)


@pytest.mark.parametrize("said", [2.0, 30.0], ids=["a gap between slices", "a thickness of more than their distance"])
def test_what_a_header_says_of_thickness_moves_no_slice(said: float, tmp_path: Path) -> None:
    sources = mr_series(Grid(slice_spacing=6.0), change={"SliceThickness": said, "SpacingBetweenSlices": 1.0})
    path, drawn = drawn_and_encoded(sources, tmp_path)
    found_by_both(path, drawn, tmp_path)


@pytest.mark.parametrize("echo", [0, 1, 2])
@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_a_phantom_on_one_of_several_echoes_refers_to_that_echo_alone(kind: str, echo: int, tmp_path: Path) -> None:
    grid, echo_times = Grid(orientation=oblique(-17.0, "y")), (10.0, 30.0, 50.0)
    if kind == "classic":
        series = mr_series(grid, order="shuffled", echo_times=echo_times)
    else:
        series = [enhanced(grid, order="shuffled", echo_times=echo_times)]
    volume = volumes([facts(source) for source in series])[echo]
    taken = {plane.sop_instance_uid for plane in volume.slices}
    sources = [source for source in series if source.SOPInstanceUID in taken]
    path, drawn = encoded(volume, sources, letter_l(volume).astype(np.uint8), tmp_path)
    found_by_both(path, drawn, tmp_path)
    assert echoes_referred_to(path, series) == {echo_times[echo]}


def echoes_referred_to(path: Path, series: Sequence[Dataset]) -> set[float]:
    """The echo times of the images and frames that the frames of a SEG were derived from."""
    by_uid, found = {str(source.SOPInstanceUID): source for source in series}, set()
    for frame in dcmread(path).PerFrameFunctionalGroupsSequence:
        for image in frame.DerivationImageSequence[0].SourceImageSequence:
            source = by_uid[str(image.ReferencedSOPInstanceUID)]
            if "PerFrameFunctionalGroupsSequence" in source:
                group = source.PerFrameFunctionalGroupsSequence[image.ReferencedFrameNumber - 1]
                found.add(float(group.MREchoSequence[0].EffectiveEchoTime))
            else:
                found.add(float(source.EchoTime))
    return found


@needs_dcmqi
@pytest.mark.parametrize("name", GRIDS)
def test_dcmqi_finds_the_phantom_of_an_enhanced_image_where_it_was_drawn(name: str, tmp_path: Path) -> None:
    path, drawn = drawn_and_encoded([enhanced(GRIDS[name], order="shuffled")], tmp_path)
    np.testing.assert_allclose(points_read_by_dcmqi(path, 1, tmp_path), drawn, atol=2e-3)


angles = st.floats(-180, 180)
spacings = st.floats(0.05, 12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(angle=angles, about=st.sampled_from("xy"), row=spacings, column=spacings, between=spacings, seed=st.integers(0))
def test_any_labels_on_any_grid_come_back_voxel_by_voxel(
    angle: float, about: str, row: float, column: float, between: float, seed: int
) -> None:
    grid = Grid(
        slices=4,
        rows=11,
        columns=9,
        pixel_spacing=(round(row, 4), round(column, 4)),
        slice_spacing=round(between, 4),
        orientation=oblique(angle, about),
    )
    sources = mr_series(grid, order="shuffled")
    volume, model = volume_of(sources), card(3, Encoding.BITS)
    labels = np.random.default_rng(seed).integers(0, 8, (4, 11, 9)).astype(np.uint8)
    result = encode(volume, sources, labels, labels.astype(np.float32), origin(model, sources))
    assert verify(to_bytes(result.seg), sources, volume, labels, model) == ()


def test_frames_name_the_exact_frame_of_an_enhanced_source(tmp_path: Path) -> None:
    source = enhanced(Grid(slices=6), order="shuffled", echo_times=(10.0,))
    path, _ = drawn_and_encoded([source], tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seg = hd.seg.segread(path)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (image,) = frame.DerivationImageSequence[0].SourceImageSequence
        named = source.PerFrameFunctionalGroupsSequence[image.ReferencedFrameNumber - 1]
        assert image.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert np.allclose(
            frame.PlanePositionSequence[0].ImagePositionPatient,
            named.PlanePositionSequence[0].ImagePositionPatient,
        )
