"""Frames are found in their file; one-bit frames are moved to the border of a byte (PS3.5 8.1.1)."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.dicomweb.pixels import PixelPlace, fragments, frame_spans, realigned


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.randoms(use_true_random=False))
def test_every_one_bit_frame_comes_back_as_it_was_packed(rows: int, columns: int, frames: int, random: object) -> None:
    drawn = np.random.default_rng(rows * 1000 + columns * 10 + frames).integers(
        0, 2, (frames, rows * columns), np.uint8
    )
    packed = np.packbits(drawn.ravel(), bitorder="little").tobytes()
    place = PixelPlace("7FE00010", "OB", frames, rows * columns, 0, len(packed) + len(packed) % 2)
    for number in range(1, frames + 1):
        (at, size), shift = place.native_span(number)
        found = realigned(packed[at : at + size], shift, rows * columns)
        assert len(found) == -(-rows * columns // 8)
        bits = np.unpackbits(np.frombuffer(found, np.uint8), bitorder="little")
        assert (bits[: rows * columns] == drawn[number - 1]).all()
        assert not bits[rows * columns :].any()


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_frame_that_is_not_there_is_not_given(number: int) -> None:
    with pytest.raises(IndexError):
        PixelPlace("7FE00010", "OW", 2, 64, 0, 16).native_span(number)


def test_a_file_that_was_cut_has_fewer_frames_than_it_says() -> None:
    with pytest.raises(IndexError):
        PixelPlace("7FE00010", "OW", 2, 64, 0, 15).native_span(2)


def _items(*contents: bytes) -> bytes:
    items = (struct.pack("<HHL", 0xFFFE, 0xE000, len(one)) + one for one in contents)
    return b"".join(items) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def _found(*contents: bytes) -> tuple[list[tuple[int, int]], bytes]:
    encoded = _items(*contents)
    found = fragments(BytesIO(encoded), len(encoded))
    assert found is not None
    return found


def test_a_fragment_for_each_frame_needs_no_table() -> None:
    assert frame_spans(*_found(b"", b"ab", b"cdef"), 2) == (((16, 2),), ((26, 4),))


def test_the_table_says_which_fragments_are_a_frame() -> None:
    found = _found(struct.pack("<2L", 0, 20), b"ab", b"cd", b"ef")
    assert [[size for _, size in frame] for frame in frame_spans(*found, 2)] == [[2, 2], [2]]


def test_fragments_that_nobody_can_tell_apart_are_no_frames() -> None:
    assert frame_spans(*_found(b"", b"ab", b"cd", b"ef"), 2) == ()
    assert frame_spans(*_found(struct.pack("<2L", 0, 7), b"ab", b"cd", b"ef"), 2) == ()


@given(st.binary(max_size=200), st.integers(1, 5))
def test_any_bytes_are_fragments_or_none(content: bytes, frames: int) -> None:
    found = fragments(BytesIO(content), len(content))
    if found is not None:
        frame_spans(*found, frames)
