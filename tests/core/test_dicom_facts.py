"""Facts are read from any header, clean or dirty, and survive storage without loss."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from node.core.dicom import facts, from_json, to_json
from node.errors import BadInstance
from tests.real import files, read
from tests.synthetic import Grid, enhanced, mosaic, mr_series, to_bytes


def one(**changes: Any) -> Dataset:
    (ds,) = mr_series(Grid(slices=1), change=changes)
    return ds


def dirty(keyword: str, vr: str, value: bytes) -> Dataset:
    """An image with the given bytes in one element, as a file would have them."""
    ds = one()
    tag = Tag(keyword)
    ds._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)  # nothing public writes dirt
    return ds


def test_a_classic_image_has_one_frame_with_its_facts() -> None:
    found = facts(one(DiffusionBValue=800.0, TriggerTime=12.5, InversionTime=150))
    (frame,) = found.frames
    assert (found.rows, found.columns, found.modality, found.multi_frame) == (32, 24, "MR", False)
    assert (frame.position, frame.pixel_spacing) == ((-10.0, 20.0, -30.0), (0.8, 0.7))
    assert (frame.echo_time, frame.b_value, frame.trigger_time, frame.inversion_time) == (10.0, 800.0, 12.5, 150.0)
    assert (frame.component, found.has_pixels, found.tiles) == ("M", True, None)


@pytest.mark.parametrize("shared", [True, False])
def test_an_enhanced_image_has_a_frame_for_each_plane(shared: bool) -> None:
    found = facts(enhanced(shared_geometry=shared, echo_times=(5, 9)))
    assert (len(found.frames), found.number_of_frames, found.multi_frame) == (24, 24, True)
    assert {frame.echo_time for frame in found.frames} == {5.0, 9.0}
    assert {frame.pixel_spacing for frame in found.frames} == {(0.8, 0.7)}
    assert found.frames[1].position == (-10.0, 20.0, -26.0)


def test_values_read_from_a_file_are_the_values_of_the_dataset() -> None:
    for ds in (*mr_series(Grid(slices=2), b_values=(0, 900)), enhanced(), mosaic()[0]):
        assert facts(dcmread(BytesIO(to_bytes(ds)))) == facts(ds)


def test_a_mosaic_tells_its_tiles() -> None:
    assert facts(mosaic(images_in_mosaic=35)[0]).tiles == 36
    assert facts(mosaic(images_in_mosaic=0)[0]).tiles == 0


@pytest.mark.parametrize(
    ("group", "creator", "offset", "vr", "value", "expected"),
    [
        (0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "1000", 1000.0),
        (0x2001, "Philips Imaging DD 001", 0x03, "FL", 800.0, 800.0),
        (0x0043, "GEMS_PARM_01", 0x39, "IS", ["1000000700", "8", "0", "0"], 700.0),
        (0x0065, "Image Private Header", 0x09, "FD", 929.75, 929.75),
        (0x0043, "SOMEBODY ELSE", 0x39, "IS", ["1000000700", "8", "0", "0"], None),
    ],
)
def test_the_vendors_places_of_the_b_value(
    group: int, creator: str, offset: int, vr: str, value: object, expected: float | None
) -> None:
    ds = one()
    ds.private_block(group, "FILLER", create=True).add_new(1, "LO", "first block")
    ds.private_block(group, creator, create=True).add_new(offset, vr, value)
    assert facts(dcmread(BytesIO(to_bytes(ds)))).frames[0].b_value == expected


def test_ge_components_and_counts_come_from_its_private_elements() -> None:
    ds = one(ImageType=["ORIGINAL", "PRIMARY", "OTHER"], ImagesInAcquisition=32)
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)
    ds.private_block(0x0025, "GEMS_SERS_01", create=True).add_new(0x07, "SL", 32)
    found = facts(ds)
    assert (found.frames[0].component, found.images_in_acquisition, found.images_in_series) == ("P", 32, 32)


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("ImagePositionPatient", "DS", b"1\\2\\nan"),
        ("ImagePositionPatient", "DS", b"1\\2"),
        ("ImagePositionPatient", "DS", b"1\\2\\1e999"),
        ("ImagePositionPatient", "DS", b"left\\up\\front"),
        ("ImagePositionPatient", "DS", b"1_0\\2\\3"),
        ("ImagePositionPatient", "DS", b""),
        ("ImagePositionPatient", "DS", b"\xff\xfe\\\x00\\3"),
    ],
)
def test_a_position_that_is_not_three_numbers_is_absent(keyword: str, vr: str, value: bytes) -> None:
    assert facts(dirty(keyword, vr, value)).frames[0].position is None


@pytest.mark.parametrize(
    ("keyword", "vr", "value", "name", "expected"),
    [
        ("Rows", "US", b"\x01", "rows", None),
        ("Rows", "UN", b"\x20\x00", "rows", 32),
        ("NumberOfFrames", "IS", b"1A", "number_of_frames", None),
        ("Modality", "CS", b"MR\0\0", "modality", "MR"),
        ("SeriesInstanceUID", "UI", b"1.2.3\0", "series_instance_uid", "1.2.3"),
        ("ProtocolName", "LO", b"T1 \xff\xfe ", "protocol_name", "T1 \ufffd\ufffd"),
    ],
)
def test_dirty_values_read_as_absent_or_as_what_they_mean(
    keyword: str, vr: str, value: bytes, name: str, expected: object
) -> None:
    assert getattr(facts(dirty(keyword, vr, value)), name) == expected


@settings(max_examples=150, deadline=None)
@given(
    keyword=st.sampled_from(["EchoTime", "Rows", "ImageType", "PixelSpacing", "PatientName", "DiffusionBValue"]),
    vr=st.sampled_from(["DS", "US", "CS", "FD", "UN", "OB", "SQ", "LO"]),
    value=st.binary(max_size=40),
)
def test_no_bytes_in_an_element_raise(keyword: str, vr: str, value: bytes) -> None:
    found = facts(dirty(keyword, vr, value))
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


def test_facts_survive_json_without_loss() -> None:
    for ds in (*mr_series(echo_times=(5, 9)), enhanced(echo_times=(5, 9), order="shuffled"), Dataset()):
        found = facts(ds)
        assert from_json(json.loads(json.dumps(to_json(found)))) == found


def test_frames_are_stored_compactly() -> None:
    found = facts(enhanced(Grid(slices=300, rows=2, columns=2)))
    assert len(json.dumps(to_json(found))) < 300 * 60


@pytest.mark.parametrize(
    "record", [{}, {"version": 0}, {"version": 1}, {"version": 1, "frames": 3, "frame_count": "x"}]
)
def test_damaged_records_are_told(record: dict[str, object]) -> None:
    with pytest.raises(BadInstance, match="stored facts"):
        from_json(record)


@pytest.mark.parametrize("folder", ["bad/crafted", "bad/pydicom", "charset/mr-names", "charset/pydicom-charsets"])
def test_every_bad_file_that_can_be_parsed_has_facts(folder: str) -> None:
    for path in files(folder):
        try:
            ds = read(path)
        except (MemoryError, NotImplementedError, ValueError):  # not a header at all: the parser's answer
            continue
        found = facts(ds)
        assert from_json(to_json(found)) == found
