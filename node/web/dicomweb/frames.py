"""Retrieve frames (PS3.18 10.4.1.1.6), as they are stored or encoded anew; one-bit frames begin at a byte."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from node.adapters.database.index.documents import Held
from node.core.dicomweb.accept import Wish, wishes
from node.core.dicomweb.pixels import PixelPlace, Span, realigned
from node.errors import BadInstance
from node.pipeline.archive import Archive
from node.web.dicomweb.edge import (
    BAD_REQUEST,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    accepted,
    base_url,
    demand_pixels,
    not_there,
    place,
    told,
)
from node.web.dicomweb.media import Refusal
from node.web.dicomweb.parts import boundary, in_threads, part, related
from node.web.dicomweb.syntaxes import EXPLICIT, MADE, OCTETS, frame_syntax, frame_type, is_plain
from node.web.dicomweb.threads import reading

_AT_ONCE = 8  # frames that are decoded by one request to the child
_MOST = 20_000  # in one list
_MOST_AT_ONCE = 1 << 20  # bytes of a frame that is answered without a thread


def frame_routes(archive: Archive) -> list[Route]:
    async def frames(request: Request) -> Response:
        at_once = _at_once(archive, request)
        return at_once if at_once is not None else await reading(_frames, archive, request)

    path = "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}"
    return [Route(path, told(frames), methods=["GET"])]


def _at_once(archive: Archive, request: Request) -> Response | None:
    """A single frame that lies in the system's memory, as it is stored: no thread is worth its change. Else None."""
    numbers = frame_numbers(request.path_params["frames"])
    held = archive.remembered(place(request))
    if held is None or held.place is None or len(numbers) > 1 or numbers[0] > held.place.frames:
        return None
    wish, syntax = _chosen(accepted(request), held, 1)
    where = held.place
    if not _lies(held, syntax) or where.frame_bits > 8 * _MOST_AT_ONCE:
        return None
    spans, shift = (where.spans[numbers[0] - 1], 0) if where.encapsulated else _native(where, numbers[0])
    if (found := _in_memory(str(archive.local(held)), spans)) is None:
        return None
    if shift or where.frame_bits % 8:
        found = realigned(found, shift, where.frame_bits)
    return _answer(request, held, numbers, wish, syntax, iter((found,)))


def _native(where: PixelPlace, number: int) -> tuple[tuple[Span, ...], int]:
    try:
        span, shift = where.native_span(number)
    except IndexError:  # whoever looks closer says it better
        return (), 0
    return (span,), shift


def _in_memory(path: str, spans: Sequence[Span]) -> bytes | None:
    """These bytes of a file, where none of them has to be waited for; None where some have, or are not there."""
    if not spans or sum(size for _, size in spans) > _MOST_AT_ONCE:
        return None
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = []
            for at, size in spans:
                part = bytearray(size)
                if os.preadv(file, (part,), at, os.RWF_NOWAIT) != size:
                    return None
                found.append(part)
        finally:
            os.close(file)
    except (OSError, AttributeError):  # not in memory; a system or a file system that cannot tell
        return None
    return bytes(found[0]) if len(found) == 1 else b"".join(found)


def _frames(archive: Archive, request: Request) -> Response:
    numbers = frame_numbers(request.path_params["frames"])
    held = demand_pixels(archive.held(place(request)))[0]
    if held.place and max(numbers) > held.place.frames:
        raise Refusal(NOT_FOUND, f"the instance has {held.place.frames} frames")
    wish, syntax = _chosen(accepted(request), held, len(numbers))
    return _answer(request, held, numbers, wish, syntax, content(archive, held, numbers, syntax))


def frame_numbers(text: str) -> list[int]:
    """A frame list (PS3.18 5.1.1). Raises Refusal for what is none."""
    parts = text.split(",")
    if len(parts) > _MOST or not all(one.isascii() and one.isdecimal() and 0 < len(one) < 8 for one in parts):
        raise Refusal(BAD_REQUEST, "frames are numbers from 1, separated by commas")
    numbers = [int(one) for one in parts]
    if 0 in numbers:
        raise Refusal(BAD_REQUEST, "frames are counted from 1")
    return numbers


def _chosen(accept: str, held: Held, count: int) -> tuple[Wish, str]:
    """The best wish that can be granted, and the transfer syntax that grants it."""
    for wish in wishes(accept):
        if wish.multipart is False and count > 1:
            continue
        syntax = frame_syntax(wish, held.transfer_syntax_uid)
        if syntax is not None:
            return wish, syntax
    raise Refusal(
        NOT_ACCEPTABLE,
        f'frames are to be had as multipart/related; type="{OCTETS}", {", ".join(list(MADE)[1:])}, and as stored '
        "with transfer-syntax=*",
    )


def _answer(
    request: Request, held: Held, numbers: Sequence[int], wish: Wish, syntax: str, frames: Iterator[bytes]
) -> Response:
    kind = OCTETS if wish.media_type == OCTETS else frame_type(syntax)
    typed = f"{kind}; transfer-syntax={syntax}"
    first = next(frames)  # a fault is told before anything is sent
    if wish.multipart is False:
        return Response(first, media_type=typed)
    mark = boundary()
    url = f"{base_url(request)}studies/{held.study_instance_uid}/series/{held.series_instance_uid}/instances/"
    location = f"{url}{held.sop_instance_uid}/frames/"
    if len(numbers) == 1:
        body = part(mark, typed, first, f"{location}{numbers[0]}") + b"--" + mark + b"--\r\n"
        return Response(body, media_type=related(kind, mark))

    def parts() -> Iterator[bytes]:
        yield part(mark, typed, first, f"{location}{numbers[0]}")
        for number, frame in zip(numbers[1:], frames, strict=True):
            yield part(mark, typed, frame, f"{location}{number}")
        yield b"--" + mark + b"--\r\n"

    return StreamingResponse(in_threads(parts()), media_type=related(kind, mark))


def _lies(held: Held, syntax: str) -> bool:
    """Whether frames in a transfer syntax lie in the file as they are to be sent."""
    where, stored = held.place, held.transfer_syntax_uid
    if where is None or (syntax != stored and not (syntax == EXPLICIT and is_plain(stored))):
        return False
    return bool(where.spans) if where.encapsulated else is_plain(stored)


def content(archive: Archive, held: Held, numbers: Sequence[int], syntax: str) -> Iterator[bytes]:
    """The frames, one after the other. Raises BadInstance or Refusal with the first."""
    if _lies(held, syntax):
        yield from _stored(archive, held, numbers)
        return
    if syntax == held.transfer_syntax_uid:  # big endian, deflated, or fragments that nobody can tell apart
        raise BadInstance("its frames cannot be given as they are stored: ask for application/octet-stream")
    for at in range(0, len(numbers), _AT_ONCE):
        yield from archive.imaging.frames(archive.path(held), numbers[at : at + _AT_ONCE], syntax)


def _stored(archive: Archive, held: Held, numbers: Sequence[int]) -> Iterator[bytes]:
    """Frames straight from the file."""
    where = held.place
    if where is None:  # pragma: no cover # for the type checker: the caller looked
        return
    try:
        file = os.open(archive.path(held), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as gone:
        raise not_there() from gone
    try:
        for number in numbers:
            if where.encapsulated:
                yield b"".join(os.pread(file, size, at) for at, size in where.spans[number - 1])
                continue
            (at, size), shift = where.native_span(number)
            found = os.pread(file, size, at)
            one_bit = shift or where.frame_bits % 8
            yield realigned(found, shift, where.frame_bits) if one_bit else found
    except IndexError as absent:
        raise BadInstance("its pixels are shorter than its header says") from absent
    finally:
        os.close(file)
