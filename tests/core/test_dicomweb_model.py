"""Headers become the DICOM JSON Model as pydicom would write it, only faster, and whatever they hold."""

from __future__ import annotations

import json
import warnings
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.dicomweb.model import BASE, based, model, written
from node.core.dicomweb.xml import native
from node.core.encoded import IMPLICIT_LITTLE_ENDIAN, header
from tests.real import files
from tests.synthetic import enhanced, mr_series, to_bytes


def _read(ds: Dataset) -> Dataset:
    return dcmread(BytesIO(to_bytes(ds)))


def _plain(value: Any) -> Any:
    """Numbers as numbers, so that 500 and 500.0 are one."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key != "BulkDataURI"}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, int | float) else value


def _demand_same(ds: Dataset) -> None:
    ours = model(ds, f"{BASE}x/")  # first: pydicom converts what it looks at
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ds.to_json_dict(bulk_data_threshold=257, bulk_data_element_handler=lambda _: "")
    theirs.pop("00080005", None)
    ours.pop("00080005", None)
    assert ours.keys() == theirs.keys()
    for tag, attribute in theirs.items():
        if "InlineBinary" not in attribute and tag != "7FE00010":
            assert _plain(ours[tag]) == _plain(attribute), tag


def test_a_classic_image_is_written_as_pydicom_writes_it() -> None:
    _demand_same(_read(mr_series()[0]))


def test_what_was_looked_at_before_is_written_all_the_same() -> None:
    ds = _read(mr_series(change={"FrameIncrementPointer": 0x00182002})[0])
    untouched = model(_read(ds), f"{BASE}x/")
    ds.decode()
    for tag in ("00280103", "00280010", "00280009"):  # Pixel Representation, Rows, Frame Increment Pointer
        assert model(ds, f"{BASE}x/")[tag] == untouched[tag]


def test_functional_groups_are_written_as_pydicom_writes_them() -> None:
    _demand_same(_read(enhanced(rescale=[(1.5, -3.0)])))


@pytest.mark.parametrize("folder", ["mr/ge-pd-ax-brain", "mr/siemens-xa30-t1-enh", "mr/philips-pcasl-classic"])
def test_a_real_image_has_the_same_attributes_as_pydicom_finds(folder: str) -> None:
    ds = dcmread(files(folder)[0])
    ours = set(model(ds, BASE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = set(
            ds.to_json_dict(bulk_data_threshold=1, bulk_data_element_handler=lambda _: "", suppress_invalid_tags=True)
        )
    assert theirs <= ours


def test_large_values_are_named_by_uri_and_the_uri_begins_where_the_node_is() -> None:
    ds = _read(mr_series()[0])
    content = based(written(model(ds, f"{BASE}studies/1/bulkdata/")), "http://node/dicom-web/")
    assert json.loads(content)["7FE00010"]["BulkDataURI"] == "http://node/dicom-web/studies/1/bulkdata/7FE00010"


@pytest.mark.parametrize("text", ["\\u0001", "\x01studies", '"\\u0001', "\\\\u0001"])
def test_no_text_of_a_header_is_taken_for_the_place_of_the_node(text: str) -> None:
    ds = mr_series()[0]
    ds.StudyDescription = text
    content = based(written(model(_read(ds), BASE)), "http://node/")
    found = json.loads(content)["00081030"].get("Value", [""])
    assert "http://node/" not in str(found)


def test_names_have_their_groups_and_text_is_utf_8() -> None:
    ds = mr_series()[0]
    ds.SpecificCharacterSet = ["ISO 2022 IR 6", "ISO 2022 IR 87"]
    ds.PatientName = "Yamada^Tarou=山田^太郎"
    found = model(_read(ds), BASE)
    assert found["00100010"]["Value"] == [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]
    assert found["00080005"]["Value"] == ["ISO_IR 192"]


@given(st.binary(max_size=400))
def test_any_bytes_become_json_and_xml(content: bytes) -> None:
    ds = header(to_bytes(mr_series()[0])[330:600] + content, IMPLICIT_LITTLE_ENDIAN, stop_when=lambda *_: False)
    found = model(ds, BASE)
    assert json.loads(written(found)) is not None
    assert native(found)
