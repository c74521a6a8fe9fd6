"""Any body of any client is cut into the same parts however it arrives, or refused; nothing else can happen."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.web.dicomweb.media import DICOM_JSON, DICOM_XML, Refusal, acceptable, media_type
from node.web.dicomweb.multipart import MultipartReader

_BOUNDARY = b"xyz"


class _Collected:
    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes]] = []
        self._content_type, self._part = "", bytearray()

    def begin(self, content_type: str, _location: str) -> None:
        self._content_type, self._part = content_type, bytearray()

    def data(self, chunk: memoryview) -> None:
        self._part += chunk

    def end(self) -> None:
        self.parts.append((self._content_type, bytes(self._part)))


def read(body: bytes, chunk: int) -> list[tuple[str, bytes]]:
    """The parts of a body that arrives in pieces of so many bytes."""
    collected = _Collected()
    reader = MultipartReader(_BOUNDARY, collected)
    for at in range(0, len(body), chunk):
        reader.write(body[at : at + chunk])
    reader.finish()
    return collected.parts


# Rich in what a delimiter is made of; a delimiter itself must not be within a part (RFC 2046 5.1.1).
_content = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", b"\r\n--x", b"xy", b"z", b"\0", b"DICM"]))
_part = _content.map(b"".join).filter(lambda part: b"\r\n--xyz" not in b"\r\n" + part + b"\r\n")
_types = st.sampled_from(["", "application/dicom", 'application/dicom; transfer-syntax="*"'])


@given(st.lists(st.tuples(_types, _part), min_size=1, max_size=5), st.integers(1, 40))
@settings(deadline=None)
def test_the_parts_are_the_same_however_the_body_is_cut(parts: list[tuple[str, bytes]], chunk: int) -> None:
    body = b"".join(
        b"--xyz\r\n" + (f"content-TYPE: {name}\r\n".encode() if name else b"") + b"\r\n" + part + b"\r\n"
        for name, part in parts
    )
    assert read(body + b"--xyz--", chunk) == parts


@given(st.lists(st.sampled_from([b"--xyz", b"--", b"\r\n", b":", b"a", b"\0", b" ", b"\xff"])).map(b"".join))
@settings(deadline=None)
def test_bytes_that_are_no_multipart_are_refused_and_never_break_anything(body: bytes) -> None:
    with suppress(Refusal):
        read(body, 7)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_parts_or_a_refusal(body: bytes) -> None:
    with suppress(Refusal):
        read(b"--xyz\r\n" + body, 16)


@pytest.mark.parametrize("header", [b"a: b\r\n" * 1000, b"a: " + b"b" * 100_000 + b"\r\n"])
def test_headers_without_end_are_refused(header: bytes) -> None:
    with pytest.raises(Refusal):
        read(b"--xyz\r\n" + header, 4096)


@given(st.text() | st.text(";='*%\"abc\\ ").map("a/b;".__add__))
@settings(deadline=None)
def test_any_content_type_can_be_read(text: str) -> None:
    media_type(text)


@pytest.mark.parametrize(
    ("accept", "given_form"),
    [
        ("", DICOM_JSON),
        ("*/*", DICOM_JSON),
        ("application/dicom+xml", DICOM_XML),
        ("application/dicom+json;q=0.1, application/dicom+xml ; q=0.9", DICOM_XML),
        ("text/html, application/dicom+json", DICOM_JSON),
        ("application/dicom+xml;q=nonsense", DICOM_JSON),
        ("image/png", DICOM_JSON),
    ],
)
def test_the_form_of_the_answer_is_the_one_that_the_client_likes_best(accept: str, given_form: str) -> None:
    assert acceptable(accept, (DICOM_JSON, DICOM_XML)) == given_form
