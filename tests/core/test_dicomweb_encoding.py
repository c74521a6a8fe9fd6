"""The JSON Model that somebody sends becomes the data set that it describes, or is refused; nothing else can happen."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments
from pydicom.filereader import read_dataset
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from node.core.dicomweb.codestreams import codestream
from node.core.dicomweb.encoding import EXPLICIT, OCTETS, Encoded, Part, encoded
from node.core.dicomweb.model import Json, model
from node.core.dicomweb.xml import native
from node.core.dicomweb.xml_reading import read_native
from node.errors import BadInstance
from tests.synthetic import Grid, enhanced, mr_series, to_bytes


def joined(made: Encoded, came: bytes = b"") -> bytes:
    pieces = [piece if isinstance(piece, bytes) else came[piece[0] : sum(piece)] for piece in made.pieces]
    return b"".join(pieces)


def encode(sent: Json, *frames: bytes, media_type: str = OCTETS, syntax: str = "") -> tuple[Encoded, bytes]:
    """The data set; `frames` come as the parts of the URI "b"."""
    came = b"".join(frames)
    parts: list[Part] = []
    for frame in frames:
        parts.append(Part(media_type, syntax, (sum(part.span[1] for part in parts), len(frame))))
    made = encoded(sent, {"b": parts}.get, lambda at, size: came[at : at + size])  # type: ignore[arg-type]
    return made, joined(made, came)


def read(content: bytes) -> Dataset:
    return read_dataset(BytesIO(content), is_implicit_VR=False, is_little_endian=True)


def described(ds: Dataset, uri: str = "b") -> Json:
    """The model of a data set, its pixels by URI."""
    found = model(read_dataset(BytesIO(data_set(ds)), is_implicit_VR=False, is_little_endian=True), "x")
    found["7FE00010"] = {"vr": "OW", "BulkDataURI": uri}
    return found


def data_set(ds: Dataset) -> bytes:
    content = to_bytes(ds)
    (length,) = struct.unpack_from("<L", content, 140)
    return content[144 + length :]


@pytest.mark.parametrize("ds", [mr_series(Grid(slices=1))[0], enhanced(Grid(slices=5))], ids=["classic", "enhanced"])
def test_a_data_set_comes_back_from_its_model(ds: Dataset) -> None:
    made, content = encode(described(ds), ds.PixelData)
    assert made.transfer_syntax_uid == EXPLICIT
    found = read(content)
    assert found.PixelData == ds.PixelData
    assert {**model(found, "x"), "00080005": None} == {**described(ds), "00080005": None, "7FE00010": ANY}


@pytest.mark.parametrize("ds", [mr_series(Grid(slices=1))[0], enhanced(Grid(slices=3))], ids=["classic", "enhanced"])
def test_xml_says_the_same_as_json(ds: Dataset) -> None:
    sent = described(ds)
    assert encode(read_native(native(sent)), ds.PixelData)[1] == encode(sent, ds.PixelData)[1]


_text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\="), max_size=20).map(str.strip)
_plain = st.text(st.sampled_from("ABC 019_."), max_size=16).map(str.strip)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "LO": _text, "SH": _text, "UC": _text, "CS": _plain, "AE": _plain,
    "PN": st.dictionaries(st.sampled_from(["Alphabetic", "Ideographic", "Phonetic"]), _text.filter(bool), min_size=1),
    "US": st.integers(0, 65535), "SS": st.integers(-32768, 32767), "UL": st.integers(0, 2**32 - 1),
    "SL": st.integers(-(2**31), 2**31 - 1), "UV": st.integers(0, 2**64 - 1), "SV": st.integers(-(2**63), 2**63 - 1),
    "FL": st.floats(width=32, allow_nan=False, allow_infinity=False), "FD": st.floats(allow_nan=False,
                                                                                     allow_infinity=False),
    "IS": st.integers(-(2**31), 2**31 - 1), "DS": st.integers(-(10**14), 10**14),
    "AT": st.from_regex(r"[0-9A-F]{8}", fullmatch=True), "UI": st.from_regex(r"[1-9](\.[1-9]){0,9}", fullmatch=True),
}  # fmt: skip


def _with_values(vr: str, values: Sequence[Any]) -> Json:
    kept = list(values)
    return {"vr": vr, "Value": kept} if any(value not in (None, "") for value in kept) else {"vr": vr}


def _models(depth: int = 2) -> st.SearchStrategy[Json]:
    """Models of private attributes, so that any VR may stand under any tag."""
    leaf = st.sampled_from(sorted(_VALUES)).flatmap(
        lambda vr: st.lists(_VALUES[vr], max_size=3).map(lambda values: _with_values(vr, values))
    )
    nested = (
        st.lists(_models(depth - 1), min_size=1, max_size=2).map(lambda items: {"vr": "SQ", "Value": items})
        if depth
        else leaf
    )
    tags = st.integers(0x1000, 0x1010).map(lambda element: f"0099{element:04X}")
    return st.dictionaries(tags, leaf | nested, max_size=4)


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normal(one) for name, one in value.items() if name != "00080005"}
    if isinstance(value, list):
        return [None if one == "" else _normal(one) for one in value]
    return value


@settings(deadline=None)
@given(_models())
def test_any_model_comes_back_as_it_was(sent: Json) -> None:
    _, content = encode(json.loads(json.dumps(sent)))
    assert _normal(model(read(content), "x")) == _normal(sent)


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["OB", "b", "PN"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["vr", "Value", "BulkDataURI", "InlineBinary"]) | st.text(max_size=8), inner)
    ),
    max_leaves=12,
)
_tags = st.sampled_from(["7FE00010", "00080018", "00280010", "00280008", "00100010", "00081115", "0020000D", "x"])
_attributes = st.fixed_dictionaries(
    {"vr": st.sampled_from([*sorted(_VALUES), "SQ", "OW", "OB", "UN", "LT", "XX"])},
    optional={"Value": _anything, "BulkDataURI": st.just("b"), "InlineBinary": _anything},
)


@settings(deadline=None)
@given(st.dictionaries(_tags, _attributes | _anything, max_size=5) | _anything, st.binary(max_size=90), st.sampled_from(
    ["", OCTETS, "image/jp2", "image/jls", "image/jpeg", "image/dicom-rle", "image/jphc", "a/b"]))  # fmt: skip
def test_whatever_is_sent_is_encoded_or_refused(sent: Any, frame: bytes, media_type: str) -> None:
    with suppress(BadInstance):
        _, content = encode(sent, frame, media_type=media_type)
        read(content)


@given(st.binary(max_size=200) | st.text(max_size=99).map(lambda text: f"<NativeDicomModel>{text}".encode()))
def test_whatever_is_sent_as_xml_is_read_or_refused(document: bytes) -> None:
    with suppress(BadInstance):
        read_native(document)


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY b "bb">]><NativeDicomModel>&b;</NativeDicomModel>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><NativeDicomModel/>',
        "<NativeDicomModel>" + "<DicomAttribute tag='00081115' vr='SQ'><Item>" * 100,
        "<html/>",
        "<NativeDicomModel><Value/></NativeDicomModel>",
        "<NativeDicomModel><DicomAttribute tag='00100010'><Value number='9999999'/></DicomAttribute>"
        "</NativeDicomModel>",
    ],
)
def test_xml_that_unfolds_reaches_out_or_is_another_document_is_refused(document: str) -> None:
    with pytest.raises(BadInstance):
        read_native(document.encode())


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [
        ({"vr": "US", "Value": [70000]}, "no number that a US can be"),
        ({"vr": "US", "Value": [1.5]}, "no whole number"),
        ({"vr": "DS", "Value": [math.inf]}, "no number that a DS can be"),
        ({"vr": "CS", "Value": ["\u00e4"]}, "letters that its VR does not allow"),
        ({"vr": "LO", "Value": ["a\\b"]}, "a backslash within a value"),
        ({"vr": "LO", "Value": ["a\x00b"]}, "control characters"),
        ({"vr": "LO", "Value": "a"}, "no array"),
        ({"vr": "ST", "Value": ["a", "b"]}, "several values"),
        ({"vr": "OW", "InlineBinary": "AAA="[:3]}, "not base64"),
        ({"vr": "OW", "InlineBinary": "AA=="}, "whole values"),
        ({"vr": "OW", "Value": [1]}, "wants InlineBinary"),
        ({"vr": "OB", "BulkDataURI": "elsewhere"}, "names bulk data that did not come"),
        ({"vr": "OB", "BulkDataURI": "b", "Value": []}, "in more than one way"),
        ({"vr": "ZZ"}, "no VR of the standard"),
        ({"vr": "SH", "Value": ["x" * 70000]}, "longer than its VR allows"),
        ({"vr": "SQ", "BulkDataURI": "b"}, "no sequence"),
        ({"vr": "PN", "Value": [{"Alphabetic": "a=b"}]}, "no name"),
    ],
)
def test_what_a_vr_does_not_allow_is_refused_by_its_tag(attribute: Json, sentence: str) -> None:
    with pytest.raises(BadInstance, match=rf"\(0099,1001\) .*{sentence}"):
        encode({"00991001": attribute})


def test_long_decimals_are_cut_to_what_a_ds_can_hold() -> None:
    _, content = encode({"00991001": {"vr": "DS", "Value": [math.pi * 1e-7, 10**300, 1 / 3]}})
    texts = read(content)[0x00991001].value
    assert [len(str(one)) <= 16 for one in texts] == [True] * 3
    assert [float(one) for one in texts] == pytest.approx([math.pi * 1e-7, 1e300, 1 / 3], rel=1e-9)


def test_fewer_pixels_than_the_header_says_are_refused() -> None:
    (ds,) = mr_series(Grid(slices=1))
    with pytest.raises(BadInstance, match="fewer bytes"):
        encode(described(ds), ds.PixelData[:-2])


_KINDS = {
    "image/jls": (JPEGLSLossless, JPEGLSNearLossless), "image/jp2": (JPEG2000Lossless, JPEG2000),
    "image/dicom-rle": (RLELossless,),
}  # fmt: skip


def compressed(ds: Dataset, syntax: UID, frame: np.ndarray[Any, Any]) -> bytes:
    encoder = get_encoder(syntax)
    options: dict[str, Any] = {"jls_error": 3} if syntax == JPEGLSNearLossless else {}
    options |= {"j2k_cr": [8]} if syntax == JPEG2000 else {}
    return encoder.encode(
        frame, rows=frame.shape[0], columns=frame.shape[1], samples_per_pixel=1, bits_allocated=16, bits_stored=12,
        pixel_representation=0, photometric_interpretation="MONOCHROME2", number_of_frames=1, **options,
    )  # fmt: skip


FRAMES = np.random.default_rng(5).integers(0, 4096, (3, 70, 66), np.uint16)


@pytest.mark.parametrize(("kind", "syntax"), [(kind, syntax) for kind, each in _KINDS.items() for syntax in each])
@pytest.mark.parametrize("said", [True, False], ids=["said", "unsaid"])
def test_compressed_frames_become_fragments_in_the_transfer_syntax_that_they_show(
    kind: str, syntax: UID, said: bool
) -> None:
    ds = enhanced(Grid(slices=3, rows=70, columns=66))
    ds.BitsStored, ds.HighBit = 12, 11
    frames = [compressed(ds, syntax, frame) for frame in FRAMES]
    made, content = encode(described(ds), *frames, media_type=kind, syntax=str(syntax) if said else "")
    assert made.transfer_syntax_uid == syntax
    stored = read(content).PixelData
    assert [one.rstrip(b"\0") for one in list(generate_fragments(stored))[1:]] == [one.rstrip(b"\0") for one in frames]
    made, _ = encode(described(ds), *frames, syntax=str(syntax))
    assert made.transfer_syntax_uid == syntax


def test_a_lossless_frame_may_be_called_by_the_transfer_syntax_that_allows_loss_but_not_by_another() -> None:
    (ds,) = mr_series(Grid(slices=1, rows=70, columns=66))
    frame = compressed(ds, JPEG2000Lossless, FRAMES[0])
    assert codestream("image/jp2", str(JPEG2000), frame).transfer_syntax_uid == JPEG2000
    for kind, syntax in (("image/jp2", JPEGLSLossless), ("image/jls", ""), ("image/jpeg", ""), ("image/gif", "")):
        with pytest.raises(BadInstance):
            codestream(kind, syntax, frame)


def test_what_describes_the_pixels_is_taken_from_them_where_it_is_missing() -> None:
    (ds,) = mr_series(Grid(slices=1, rows=70, columns=66))
    sent = described(ds)
    for tag in [tag for tag in sent if tag.startswith("0028") and tag != "00280030"]:
        del sent[tag]
    _, content = encode(sent, compressed(ds, JPEGLSLossless, FRAMES[0]), media_type="image/jls")
    found = read(content)
    assert (found.Rows, found.Columns, found.BitsAllocated, found.BitsStored) == (70, 66, 16, 12)
    assert (found.SamplesPerPixel, found.PhotometricInterpretation) == (1, "MONOCHROME2")
    with pytest.raises(BadInstance, match="the compressed pixels do not tell it"):
        encode(sent, compressed(ds, RLELossless, FRAMES[0]), media_type="image/dicom-rle")


def test_compressed_pixels_that_are_not_what_the_metadata_says_are_refused() -> None:
    (ds,) = mr_series(Grid(slices=1, rows=70, columns=65))
    with pytest.raises(BadInstance, match="something else than the compressed pixels"):
        encode(described(ds), compressed(ds, JPEGLSLossless, FRAMES[0]), media_type="image/jls")
    with pytest.raises(BadInstance, match="another number of parts"):
        encode(described(ds), *[compressed(ds, JPEGLSLossless, FRAMES[0])] * 2, media_type="image/jls")
    with pytest.raises(BadInstance, match="another number of RLE segments"):
        encode({**described(ds), "00280100": {"vr": "US", "Value": [8]}},
               compressed(ds, RLELossless, FRAMES[0]), media_type="image/dicom-rle")  # fmt: skip


_starts = st.sampled_from(
    [b"", b"\xff\xd8", b"\xff\xd8\xff\xc3\0\x0b", b"\xff\x4f\xff\x51\0\x29", b"\xff\xd8\xff\xf7\0\x0b"]
)


@settings(deadline=None)
@given(st.sampled_from(["image/jpeg", "image/jls", "image/jp2", "image/jphc", "image/dicom-rle"]), _starts, st.binary())
def test_any_bytes_are_a_frame_or_a_refusal(kind: str, begin: bytes, content: bytes) -> None:
    with suppress(BadInstance):
        codestream(kind, "", begin + content)
