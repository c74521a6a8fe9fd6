"""Pixels of a volume come back in its order, as stored, as modality values and as the rendering for a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.adapters.decoding import Decoder, Pixels
from node.core.dicom import facts
from node.core.volume import Slice, Volume, volume_for, volumes
from tests.real import files, read, series
from tests.synthetic import Grid, enhanced, mr_series, pixels, set_pixels, write


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(memory_bytes=2**30, deadline_s=60) as running:
        yield running


def decoded(decoder: Decoder, datasets: list[Dataset], folder: Path, wanted: str | None = None) -> Pixels:
    volume = volume_for([facts(ds) for ds in datasets], wanted, at_least=1, at_most=999)
    return decoder.decode(volume, write(datasets, folder))


def test_slices_come_in_the_order_of_their_places(decoder: Decoder, tmp_path: Path) -> None:
    grid = Grid(slices=5)
    found = decoded(decoder, mr_series(grid, order="shuffled"), tmp_path)
    assert np.array_equal(found.stored, np.stack([pixels(grid, k, 1.15) for k in range(5)]))
    assert found.values.dtype == np.float32


@pytest.mark.parametrize("order", ["ascending", "shuffled"])
def test_only_the_frames_of_the_volume_are_taken_from_a_multi_frame_image(
    decoder: Decoder, tmp_path: Path, order: str
) -> None:
    grid = Grid(slices=4)
    found = decoded(decoder, [enhanced(grid, echo_times=(5, 9), order=order)], tmp_path, "te=9")
    assert np.array_equal(found.stored, np.stack([pixels(grid, k, 1.2) for k in range(4)]))


def test_rescale_is_applied_image_by_image(decoder: Decoder, tmp_path: Path) -> None:
    datasets = mr_series(Grid(slices=3))
    for number, ds in enumerate(datasets):
        ds.RescaleSlope, ds.RescaleIntercept = 0.5 + number, -1
    found = decoded(decoder, datasets, tmp_path)
    assert found.rescale == ((0.5, -1.0), (1.5, -1.0), (2.5, -1.0))
    assert found.values[2] == pytest.approx(found.stored[2] * 2.5 - 1)


@pytest.mark.parametrize("shared", [True, False])
def test_rescale_is_applied_frame_by_frame(decoder: Decoder, tmp_path: Path, shared: bool) -> None:
    image = enhanced(Grid(slices=3), shared_geometry=shared, rescale=[(2.0, 1.0), (0.5, 0.0)])
    found = decoded(decoder, [image], tmp_path)
    assert found.rescale == ((2.0, 1.0), (0.5, 0.0), (2.0, 1.0))


def test_bits_beyond_bits_stored_are_not_values(decoder: Decoder, tmp_path: Path) -> None:
    (ds,) = mr_series(Grid(slices=1))
    clean = pixels(Grid(slices=1), 0)
    set_pixels(ds, clean | np.uint16(0xA000))
    assert np.array_equal(decoded(decoder, [ds], tmp_path).stored[0], clean)


def test_signed_values_keep_their_sign(decoder: Decoder, tmp_path: Path) -> None:
    (ds,) = mr_series(Grid(slices=1), change={"PixelRepresentation": 1})
    signed = pixels(Grid(slices=1), 0).astype(np.int16) - 300
    set_pixels(ds, signed & np.int16(0x0FFF))
    assert np.array_equal(decoded(decoder, [ds], tmp_path).stored[0], signed)


@pytest.mark.parametrize(
    "name", ["siemens-t1-sag-hfs", "ge-pd-ax-brain", "ge-knee-mese-te1", "derived-fpg-flair-ax", "philips-pcasl-enh"]
)
def test_real_series_decode_to_what_pydicom_decodes(decoder: Decoder, name: str) -> None:
    (volume,) = volumes(series(name))
    sources = {str(read(path).SOPInstanceUID): path for path in files(f"mr/{name}")}
    found = decoder.decode(volume, sources)
    for place in range(0, len(volume.slices), 7):
        one = volume.slices[place]
        image = dcmread(sources[one.sop_instance_uid]).pixel_array
        assert np.array_equal(found.stored[place], image if one.frame is None else image[one.frame - 1])


@pytest.mark.parametrize(
    ("name", "frames"), [("siemens-mosaic-ts", 1), ("toshiba-mr-small-ts", 1), ("emri-small-ts", 10)]
)
def test_one_image_in_many_transfer_syntaxes_is_the_same_image(decoder: Decoder, name: str, frames: int) -> None:
    found = []
    for path in files(f"mr/{name}"):
        ds = read(path)
        numbers = range(1, frames + 1) if frames > 1 else (None,)
        found.append(decoder.decode(plain(ds, [*numbers]), {"1": path}).stored)
    assert len(found) > 3
    assert all(np.array_equal(one, found[0]) for one in found)


def plain(ds: Dataset, frames: list[int | None]) -> Volume:
    """A volume that takes these frames of one file, wherever they lie."""
    rows, columns = int(ds.get("Rows") or 8), int(ds.get("Columns") or 8)
    slices = tuple(Slice("1", "1", frame, (0.0, 0.0, float(k))) for k, frame in enumerate(frames))
    return Volume("", slices, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0), 1.0, rows, columns, "1")


def of(values: Any, rescale: tuple[float, float] = (1.0, 0.0), padding: int | None = None) -> Pixels:
    stored = np.asarray(values, np.int32).reshape(-1, 1, 1)
    return Pixels(stored, (rescale,) * len(stored), padding)


def rendered(found: Pixels) -> list[int]:
    return [int(value) for value in found.as_uint16().ravel()]


def test_the_rendering_keeps_whole_numbers_that_fit() -> None:
    assert rendered(of([-5, 0, 65530])) == [0, 5, 65535]
    assert rendered(of([0, 4095], (0.1, -7.0))) == [0, 4095]
    assert found_dtype(of([1, 2])) == np.uint16


def test_the_rendering_scales_what_does_not_fit() -> None:
    assert rendered(of([0, 100_000, 200_000])) == [0, 32768, 65535]


def test_the_rendering_rises_with_the_value_though_the_slope_is_negative() -> None:
    assert rendered(of([0, 10], (-2.0, 5.0))) == [10, 0]


def test_the_rendering_compares_slices_of_different_rescale_by_their_values() -> None:
    stored = np.asarray([[[10]], [[10]]], np.int32)
    assert rendered(Pixels(stored, ((1.0, 0.0), (3.0, 0.0)), None)) == [0, 20]
    assert rendered(Pixels(stored, ((0.5, 0.1), (3.0, 0.0)), None)) == [0, 65535]


def test_a_constant_volume_is_all_zero() -> None:
    assert rendered(of([7, 7, 7])) == [0, 0, 0]


def test_padding_is_zero_and_leaves_the_range_alone() -> None:
    assert rendered(of([-32768, 100, 300], padding=-32768)) == [0, 0, 200]
    assert rendered(of([5, 5], padding=5)) == [0, 0]


@settings(max_examples=80, deadline=None)
@given(
    arrays.arrays(np.int32, (3, 2, 2), elements=st.integers(-(2**31), 2**31 - 1) | st.integers(-50, 50)),
    st.tuples(st.floats(0.001, 100), st.floats(-1000, 1000)),
)
def test_the_rendering_never_turns_an_order_around(stored: np.ndarray[Any, Any], rescale: tuple[float, float]) -> None:
    found = Pixels(stored, (rescale,) * 3, None)
    order = np.argsort(stored, axis=None, kind="stable")
    assert np.all(np.diff(found.as_uint16().ravel()[order].astype(int)) >= 0)
    same = replace(found, stored=np.full_like(stored, stored[0, 0, 0]))
    assert not same.as_uint16().any()


def found_dtype(found: Pixels) -> np.dtype[Any]:
    return found.as_uint16().dtype
