"""The identity of an encoded data set, read without decoding it."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian
from pydicom.uid import ImplicitVRLittleEndian as Implicit

from node.core.encoded import HEAD_BYTES, Uids, header, scan
from node.errors import BadInstance
from tests.receiving import encoded
from tests.synthetic import Grid, mr_series

# pydicom warns about bytes that a test damaged; the command line ignores its warnings in the same way
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")
SYNTAXES = [Implicit, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
ONE = mr_series(Grid(slices=1, rows=8, columns=8))[0]
EXPECTED = Uids(str(ONE.SOPClassUID), str(ONE.SOPInstanceUID), str(ONE.StudyInstanceUID), str(ONE.SeriesInstanceUID))
EXPLICIT = encoded(ONE).data_set


def in_syntax(ds: Dataset, syntax: str) -> bytes:
    """The data set encoded so."""
    buffer = BytesIO()
    plain = Dataset({tag: element for tag, element in ds.items() if tag.group != 0x7FE0})
    big, implicit = syntax == ExplicitVRBigEndian, syntax == Implicit
    plain.save_as(buffer, implicit_vr=implicit, little_endian=not big, enforce_file_format=False)
    content = buffer.getvalue()
    if syntax != DeflatedExplicitVRLittleEndian:
        return content
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush()


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_four_uids_are_found_in_every_transfer_syntax(syntax: str) -> None:
    assert scan(in_syntax(ONE, syntax), syntax) == EXPECTED


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_before_the_uids_are_skipped(syntax: str, undefined: bool) -> None:
    ds = Dataset()
    ds.update(ONE)
    inner = Dataset()
    inner.SOPInstanceUID = "1.2.3.not.mine"[:5]
    outer = Dataset()
    outer.ReferencedSOPSequence = Sequence([inner])
    ds.SourceImageSequence = Sequence([outer, Dataset()])
    ds.ReferencedStudySequence = Sequence([])
    for keyword in ("SourceImageSequence", "ReferencedStudySequence"):
        ds[keyword].is_undefined_length = undefined
    assert scan(in_syntax(ds, syntax), syntax) == EXPECTED


@given(st.integers(0, len(EXPLICIT)))
def test_a_cut_anywhere_gives_what_came_before_it(at: int) -> None:
    found = scan(EXPLICIT[:at], ExplicitVRLittleEndian)
    for name, value in vars(found).items():
        assert value in ("", getattr(EXPECTED, name))


@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
def test_any_bytes_are_read_or_refused(content: bytes, syntax: str) -> None:
    try:
        found = scan(content, syntax)
    except BadInstance:
        return
    assert all(isinstance(value, str) for value in vars(found).values())


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
def test_the_header_of_any_bytes_is_a_data_set(content: bytes, syntax: str) -> None:
    assert isinstance(header(content, syntax), Dataset)


@settings(deadline=None)
@given(st.data())
def test_the_header_of_a_damaged_data_set_is_a_data_set(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(EXPLICIT) - 8))
    noise = data.draw(st.binary(min_size=1, max_size=8))
    damaged = EXPLICIT[:at] + noise + EXPLICIT[at + len(noise) :]
    assert isinstance(header(damaged, ExplicitVRLittleEndian), Dataset)


@pytest.mark.parametrize("length", [0xFFFFFFFE, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("tag", [0x00081140, 0x00090010, 0x00100010])
def test_the_header_of_a_data_set_with_an_absurd_length_is_a_data_set(length: int, tag: int) -> None:
    for vr in (b"SQ", b"OB", b"UN", b"UT"):
        element = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, length) + b"abc"
        assert isinstance(header(element, ExplicitVRLittleEndian), Dataset)


def test_the_header_ends_behind_the_series() -> None:
    read = header(EXPLICIT, ExplicitVRLittleEndian)
    assert read.SeriesInstanceUID == ONE.SeriesInstanceUID
    assert read.PatientName == ONE.PatientName
    assert "PixelData" not in read


def test_elements_out_of_order_are_no_data_set() -> None:
    one = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 2) + b"AB"
    other = struct.pack("<HH2sH", 0x0008, 0x0060, b"CS", 2) + b"MR"
    with pytest.raises(BadInstance, match="order"):
        scan(one + other, ExplicitVRLittleEndian)


def test_sequences_nested_without_end_are_refused() -> None:
    sequence = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(BadInstance, match="deep"):
        scan((sequence + item) * 1000, ExplicitVRLittleEndian)


def test_a_deflate_bomb_costs_no_more_than_the_head() -> None:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(bytes(HEAD_BYTES * 8)) + deflater.flush()
    with pytest.raises(BadInstance):
        scan(bomb, DeflatedExplicitVRLittleEndian)


def test_what_cannot_be_inflated_is_no_data_set() -> None:
    with pytest.raises(BadInstance, match="inflated"):
        scan(b"\xff\xff not deflated", DeflatedExplicitVRLittleEndian)


@pytest.mark.parametrize("padding", [b"\0", b" ", b"", b"\0\0"])
def test_padding_is_no_part_of_a_uid(padding: bytes) -> None:
    value = b"1.2.3" + padding
    element = struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", len(value)) + value
    assert scan(element + bytes(0), ExplicitVRLittleEndian).sop_instance_uid == "1.2.3"
