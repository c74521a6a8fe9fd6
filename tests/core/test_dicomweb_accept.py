"""What clients accept is understood however they write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.dicomweb.accept import Offer, Wish, best, wishes

_JSON, _XML = Offer("application/dicom+json", False), Offer("application/dicom+xml", True)
_OCTETS = "application/octet-stream"


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
        'multipart/related;type="application/octet-stream";transfer-syntax=*',
        "Multipart/Related ; Type = application/octet-stream ; Transfer-Syntax = *",
    ],
)
def test_quoted_or_not_it_is_the_same(accept: str) -> None:
    assert wishes(accept) == (Wish(_OCTETS, True, "*", 1.0),)


def test_a_multipart_without_type_takes_any() -> None:
    assert wishes("multipart/related")[0].media_type == "*/*"


def test_the_best_quality_comes_first_and_none_is_none() -> None:
    found = wishes("image/jpeg;q=0.2, image/png, text/html;q=0")
    assert [one.media_type for one in found] == ["image/png", "image/jpeg"]


def test_the_first_offer_is_for_those_who_take_anything() -> None:
    for accept in ("", "*/*", "application/*"):
        found = best(accept, (_JSON, _XML))
        assert found
        assert found[0] == _JSON


def test_ohif_asks_for_metadata_as_json_or_for_octets() -> None:
    found = best("application/dicom+json, multipart/related; type=application/octet-stream", (_JSON, _XML))
    assert found
    assert found[0] == _JSON


def test_what_is_not_offered_is_not_given() -> None:
    assert best("text/html", (_JSON, _XML)) is None
    assert best("application/dicom+xml", (_JSON, _XML)) is None  # XML comes as multipart only


@given(st.text(max_size=200))
def test_any_text_is_read(accept: str) -> None:
    for wish in wishes(accept):
        assert 0 < wish.quality <= 1
