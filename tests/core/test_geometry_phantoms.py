"""A phantom drawn on the source grid is found in the SEG at the same points of the patient, by readers of others.

The phantom is an L that no turn or mirror maps onto itself. Its points are worked out from the source headers alone
(PS3.3 C.7.6.2.1.1), so that a mistake of the Volume would show as well.
"""

from __future__ import annotations

import gzip
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.card import Encoding
from node.core.results import encode, to_bytes, verify, verify_files
from tests.results import card, letter_l, origin, volume_of
from tests.synthetic import AXIAL, CORONAL, SAGITTAL, Grid, enhanced, mr_series, oblique

Points = NDArray[np.float64]
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


def drawn_and_encoded(sources: Sequence[Dataset], folder: Path) -> tuple[Path, Points]:
    """Encode an L on the sources; returns the SEG file and where the L was drawn."""
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8)
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


@pytest.mark.skipif(not DCMQI.exists(), reason="dcmqi is not installed (shared/tools/validate/setup.sh)")
@pytest.mark.parametrize("name", GRIDS)
def test_dcmqi_finds_the_phantom_where_it_was_drawn(name: str, tmp_path: Path) -> None:
    path, drawn = drawn_and_encoded(mr_series(GRIDS[name], order="shuffled"), tmp_path)
    np.testing.assert_allclose(points_read_by_dcmqi(path, 1, tmp_path), drawn, atol=2e-3)


angles = st.floats(-180, 180)
spacings = st.floats(0.05, 12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
