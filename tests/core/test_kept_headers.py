"""What is kept of headers answers every rule as the headers did."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from node.core.kept import KeptSubject, kept_cells, kept_facts, pack
from node.core.kept.collect import CUT_TO, KEYS_AT_MOST, SERIES_AT_MOST
from node.core.kept.columns import columns_of, packed_column, unpacked_column
from node.core.rules import FactValue, Subject
from node.core.rules.attributes import Operand, named
from node.core.rules.mistakes import Wrong
from node.core.rules.reading import Known, Reading, Unknown
from tests.synthetic import Grid, enhanced, mr_series, to_bytes


def operand(text: str) -> Operand:
    found = named(text)
    assert not isinstance(found, Wrong)
    return found


ASKED = [
    operand(text)
    for text in (
        "SeriesDescription", "PatientName", "EchoTime", "ImageType", "Rows", "StudyDate", "PatientAge", "SOPClassUID",
        "InstanceNumber", "RequestAttributesSequence", "RequestAttributesSequence.RequestedProcedureDescription",
        "RequestAttributesSequence.ScheduledProtocolCodeSequence.CodeValue", "(0019,xx0C) SIEMENS MR HEADER",
        "(0019,xx0D) SIEMENS MR HEADER", "TransferSyntaxUID", "PixelSpacing", "ImagePositionPatient",
        "SharedFunctionalGroupsSequence.PixelMeasuresSequence.SliceThickness", "SliceThickness",
        "RedPaletteColorLookupTableData",
    )
]  # fmt: skip
TAGS = [0x0008103E, 0x00100010, 0x00180081, 0x00080008, 0x00280010, 0x00080020, 0x00101010, 0x00281201, 0x00400275]
VRS = ["LO", "PN", "DS", "CS", "US", "DA", "AS", "UN", "SQ", "OW", "FL", None]
VALUES = st.one_of(
    st.sampled_from(
        [b"", b"T1 ", b"3.5", b"3.50", b"1\\2", b"NaN", b"042Y", b"20240231", b"Sch\xe4del", b"\xe5\xb1\xb1", b"\x03\0",
         b"\x1b$B;3ED\x1b(B", b"\xfe\xff\x00\xe0\x08\0\0\0\x40\0\x07\0\0\0\0\0"]
    ),
    st.binary(max_size=40),
)  # fmt: skip
ELEMENT = st.tuples(st.sampled_from(TAGS), st.sampled_from(VRS), VALUES, st.booleans(), st.booleans())
CHARSETS = st.sampled_from([None, b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 87", b"ISO_IR 13"])
PRIVATE = st.sampled_from([None, (0x10, b"SIEMENS MR HEADER"), (0x11, b"SIEMENS MR HEADER"), (0x10, b"OTHER")])


ITEMS = st.one_of(st.none(), st.lists(st.sampled_from(["MR brain", "knee", ""]), max_size=2))
INSTANCE = st.tuples(st.lists(ELEMENT, max_size=6), CHARSETS, PRIVATE, ITEMS)


def header(
    elements: list[Any], charset: bytes | None, private: tuple[int, bytes] | None, items: list[str] | None
) -> Dataset:
    """A header with anything in it, as pydicom hands it over unread."""
    found = {Tag(number): raw(number, vr, value, implicit, little) for number, vr, value, implicit, little in elements}
    if charset is not None:
        found[Tag(0x00080005)] = raw(0x00080005, "CS", charset)
    if private is not None:
        block, creator = private
        found[Tag(0x0019, block)] = raw(0x00190000 | block, "LO", creator)
        found[Tag(0x0019, block << 8 | 0x0C)] = raw(0x0019000C | block << 8, "UN", b"1000")
    if items is not None:  # a sequence of undefined length: pydicom takes it apart at once
        inside = [Dataset({Tag(0x00321060): raw(0x00321060, "LO", one.encode())}) for one in items]
        found[Tag(0x00400275)] = DataElement(0x00400275, "SQ", Sequence(inside))
    return Dataset(found)


def raw(number: int, vr: str | None, value: bytes, implicit: bool = False, little: bool = True) -> Any:
    return RawDataElement(Tag(number), vr, len(value), value, 0, implicit, little)


@settings(deadline=None, max_examples=150)
@given(st.lists(INSTANCE, min_size=1, max_size=4))
def test_every_reading_of_a_series_is_the_same_from_what_was_kept(instances: list[Any]) -> None:
    series = [header(*one) for one in instances]
    live, kept = Subject(series), KeptSubject(kept_cells(series))
    for asked in ASKED:
        assert set(kept.every(asked)) == set(live.every(asked)), asked.text
        assert alike(kept.reading(asked), live.reading(asked)), asked.text


def alike(one: Reading, other: Reading) -> bool:
    """The same value, or unknown alike: how many instances lack it is said, and decides nothing."""
    if isinstance(one, Known) or isinstance(other, Known):
        return one == other
    return one.present == other.present


def read_back(series: list[Dataset]) -> list[Dataset]:
    return [dcmread(BytesIO(to_bytes(ds)), stop_before_pixels=True) for ds in series]


def test_a_multi_frame_image_is_kept_with_what_stands_in_its_functional_groups() -> None:
    for shared in (True, False):
        series = read_back([enhanced(Grid(slices=4), echo_times=(10.0, 90.0), shared_geometry=shared)])
        live, kept = Subject(series), KeptSubject(kept_cells(series))
        for text in ("EffectiveEchoTime", "PixelSpacing", "SliceThickness", "ImageOrientationPatient", "FrameType"):
            assert set(kept.every(operand(text))) == set(live.every(operand(text))), text
            assert alike(kept.reading(operand(text)), live.reading(operand(text))), text


def test_pixels_are_not_kept() -> None:
    (ds,) = mr_series(Grid(slices=1, rows=64, columns=64))
    assert len(pack(kept_cells([ds]))) < 4096


def test_a_value_that_differs_too_often_is_cut_and_says_so_instead_of_no() -> None:
    series = [Dataset() for _ in range(400)]
    for number, ds in enumerate(series):
        ds.ImageComments = f"comment {number} of the series, and a little more"
    kept = KeptSubject(kept_cells(series))
    found = kept.every(operand("ImageComments"))
    assert len(found) == CUT_TO + 1
    assert found[-1] == Unknown("was not kept with the header")


def test_what_is_kept_of_a_hostile_series_is_bounded() -> None:
    ds = Dataset()
    for number in range(2 * KEYS_AT_MOST):
        tag = Tag(0x0041 + 2 * (number // 250), 0x1000 + number % 250)
        block = Tag(tag.group, 0x10)
        ds[block], ds[tag] = raw(block, "LO", b"A"), raw(tag, "UN", bytes(4000))
    cells = kept_cells([ds])
    assert len(cells) <= KEYS_AT_MOST + 1
    assert sum(map(len, cells.values())) < 8 * SERIES_AT_MOST
    lost = KeptSubject(cells).reading(operand("SeriesDescription"))
    assert lost == Unknown("was not kept with the header")


def test_facts_are_kept_as_they_were() -> None:
    facts: dict[str, FactValue] = {
        "series.instances": 24, "series.sop_class": ["1.2", "1.3"], "series.is_3d": True, "series.spacing": None,
    }  # fmt: skip
    live, kept = Subject((), facts), KeptSubject(kept_facts(facts))
    for name in facts:
        assert kept.reading(operand(name)) == live.reading(operand(name))


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=5).map(json.dumps)), max_size=8), st.data())
def test_columns_hold_every_cell_of_every_series(rows: list[dict[str, str]], data: st.DataObject) -> None:
    columns = {key: unpacked_column(packed_column(column)) for key, column in columns_of(rows).items()}
    assert [
        {key: cell for key, column in columns.items() if (cell := column.at(row))} for row in range(len(rows))
    ] == rows
    some = data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True)) if rows else []
    for key, column in columns.items():
        left = column.only(some)
        assert [left.at(place) for place in range(len(some))] == [rows[row].get(key) for row in some]
        assert len(set(left.texts)) == len(left.texts)
