"""multipart/related as it is written: boundaries, parts, and files that are passed on piece by piece."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from node.web.dicomweb.threads import reading

PIECE = 1 << 20  # bytes of a file that are in memory at once


def boundary() -> bytes:
    """One that no part holds, but by a chance of 2 to the 128th."""
    return secrets.token_hex(16).encode()


def related(media_type: str, mark: bytes) -> str:
    return f'multipart/related; type="{media_type}"; boundary={mark.decode()}'


def part_head(mark: bytes, media_type: str, location: str = "", length: int = -1) -> bytes:
    lines = [f"Content-Type: {media_type}"]
    if length >= 0:
        lines.append(f"Content-Length: {length}")
    if location:
        lines.append(f"Content-Location: {location}")
    return b"--" + mark + b"\r\n" + "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"


def part(mark: bytes, media_type: str, content: bytes, location: str = "") -> bytes:
    return b"".join((part_head(mark, media_type, location, len(content)), content, b"\r\n"))


def begun(made: Iterator[bytes]) -> Iterator[bytes]:
    """The same, with its first piece made already: a fault of that is told before anything is sent."""
    first = next(made, None)

    def every() -> Iterator[bytes]:
        if first is not None:
            yield first
        yield from made

    return every()


def pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The next `length` bytes of a file."""
    while length > 0 and (piece := file.read(min(PIECE, length))):
        length -= len(piece)
        yield piece


async def in_threads(blocking: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Pieces that are waited for in a thread of their own; the next is made when the last one was taken.

    A client that goes away ends the iteration, and with it the generator: its `finally` is run.
    """
    each = iter(blocking)
    try:
        while (piece := await reading(next, each, None)) is not None:
            yield piece
    finally:
        close = getattr(each, "close", None)
        if close:
            with suppress(RuntimeError, ValueError):  # it runs in a thread at this moment: it ends with its piece
                close()
