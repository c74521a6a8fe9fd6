"""Retrieve a study, a series or an instance as DICOM (PS3.18 10.4.1.1.1), file by file: never in memory as a whole."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from node.adapters.database.index.documents import Held
from node.core.dicomweb.accept import ANY, Wish, wishes
from node.errors import BadInstance
from node.pipeline.archive import Archive
from node.web.dicomweb.bulkdata import pixel_data
from node.web.dicomweb.edge import NOT_ACCEPTABLE, RANGE_NOT_SATISFIABLE, accepted, not_there, place, told
from node.web.dicomweb.media import DICOM, Refusal
from node.web.dicomweb.parts import begun, boundary, in_threads, part_head, pieces, related
from node.web.dicomweb.syntaxes import EXPLICIT, MADE_SYNTAXES, OCTETS
from node.web.dicomweb.threads import reading

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def instance_routes(archive: Archive) -> list[Route]:
    async def retrieve(request: Request) -> Response:
        return await reading(_retrieve, archive, request)

    paths = (
        "/studies/{study}",
        "/studies/{study}/series/{series}",
        "/studies/{study}/series/{series}/instances/{instance}",
    )
    return [Route(path, told(retrieve), methods=["GET"]) for path in paths]


def _retrieve(archive: Archive, request: Request) -> Response:
    where = place(request)
    found = [one for one in archive.held(where) if archive.path(one).is_file()]
    if not found:
        raise not_there()
    for wish in wishes(accepted(request)):
        if wish.media_type == OCTETS and wish.multipart is not False:
            return pixel_data(archive, request, found)
        if wish.media_type not in (DICOM, ANY, "application/*") or not _is_made(wish, found):
            continue
        if wish.multipart is False and not where.instance:
            continue
        if wish.multipart is False:
            return _single(archive, request, found[0], wish)
        mark = boundary()
        every = begun(_parts(archive, found, wish, mark))
        return StreamingResponse(in_threads(every), media_type=related(DICOM, mark))
    raise Refusal(
        NOT_ACCEPTABLE,
        f'instances are to be had as multipart/related; type="{DICOM}", one also as {DICOM}; '
        f"stored with transfer-syntax=*, or in {', '.join(sorted(MADE_SYNTAXES))}",
    )


def _is_made(wish: Wish, found: Sequence[Held]) -> bool:
    asked = wish.transfer_syntax
    return asked in ("", "*") or asked in MADE_SYNTAXES or all(one.transfer_syntax_uid == asked for one in found)


def _single(archive: Archive, request: Request, held: Held, wish: Wish) -> Response:
    with ExitStack() as opening:
        file, size, syntax = opening.enter_context(_opened(archive, held, wish))
        first, length = _span(request.headers.get("range", ""), size)
        opened = opening.pop_all()
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{held.sha256[:32]}-{syntax}"', "Content-Length": str(length)}
    if (first, length) != (0, size):
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"

    def content() -> Iterator[bytes]:
        with opened:
            file.seek(first)
            yield from pieces(file, length)

    status = 206 if "Content-Range" in headers else 200
    return StreamingResponse(in_threads(content()), status, headers, f"{DICOM}; transfer-syntax={syntax}")


def _span(wanted: str, size: int) -> tuple[int, int]:
    """First byte and length of a Range (RFC 9110 14.1.2); the whole for several ranges or ones that cannot be read."""
    found = _RANGE.fullmatch(wanted.replace(" ", ""))
    if not found or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        length = min(int(found[2]), size)
        return size - length, length
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if first >= size or last < first:
        raise Refusal(RANGE_NOT_SATISFIABLE, f"the instance has {size} bytes")
    return first, last - first + 1


def _parts(archive: Archive, found: Sequence[Held], wish: Wish, mark: bytes) -> Iterator[bytes]:
    for held in found:
        with _opened(archive, held, wish) as (file, size, syntax):
            yield part_head(mark, f"{DICOM}; transfer-syntax={syntax}", length=size)
            yield from pieces(file, size)
            yield b"\r\n"
    yield b"--" + mark + b"--\r\n"


@contextmanager
def _opened(archive: Archive, held: Held, wish: Wish) -> Iterator[tuple[BinaryIO, int, str]]:
    """The file that grants a wish, its size and its transfer syntax; one that is made for it is gone afterwards."""
    stored, asked = held.transfer_syntax_uid, _asked(wish, held)
    path = archive.path(held)
    if asked == stored:
        with _there(path) as file:
            yield file, os.fstat(file.fileno()).st_size, stored
        return
    with tempfile.TemporaryDirectory(prefix="mricore-") as folder:
        made = Path(folder) / "instance.dcm"
        try:
            archive.imaging.convert(path, asked, made)
        except BadInstance:
            if wish.transfer_syntax:
                raise
            made, asked = path, stored  # who did not say what he can read is better served with it than with nothing
        with _there(made) as file:
            yield file, os.fstat(file.fileno()).st_size, asked


def _there(path: Path) -> BinaryIO:
    """The open file. Raises Refusal where it was removed at this moment."""
    try:
        return path.open("rb")
    except FileNotFoundError as gone:
        raise not_there() from gone


def _asked(wish: Wish, held: Held) -> str:
    """Explicit VR Little Endian for who does not say (PS3.18 8.7.3.2), except for who takes anything at all."""
    if wish.transfer_syntax == "*" or (wish.media_type == ANY and not wish.transfer_syntax):
        return held.transfer_syntax_uid
    return wish.transfer_syntax or EXPLICIT
