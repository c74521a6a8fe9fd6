"""Retrieve bulk data and pixel data (PS3.18 10.4.1.1.4 and .5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from node.adapters.database.index.documents import Held
from node.core.dicomweb.accept import wishes
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
from node.web.dicomweb.frames import content
from node.web.dicomweb.media import Refusal
from node.web.dicomweb.parts import begun, boundary, in_threads, part, related
from node.web.dicomweb.syntaxes import EXPLICIT, OCTETS, is_plain
from node.web.dicomweb.threads import reading

_PATH = re.compile(r"[0-9A-Fa-f]{8}(\.\d{1,6}\.[0-9A-Fa-f]{8}){0,16}")
_LEVELS = (
    "/studies/{study}",
    "/studies/{study}/series/{series}",
    "/studies/{study}/series/{series}/instances/{instance}",
)
_ANY = ("*/*", "application/*")


def bulk_routes(archive: Archive) -> list[Route]:
    async def bulk(request: Request) -> Response:
        return await reading(_bulk, archive, request)

    async def pixels(request: Request) -> Response:
        return await reading(_pixels, archive, request)

    return [
        Route(f"{_LEVELS[-1]}/bulkdata/{{path}}", told(bulk), methods=["GET"]),
        *(
            Route(f"{level}/{name}", told(pixels), methods=["GET"])
            for level in _LEVELS
            for name in ("pixeldata", "bulkdata")
        ),
    ]


def _bulk(archive: Archive, request: Request) -> Response:
    """One value, by the URI that the metadata names."""
    path = request.path_params["path"]
    if not _PATH.fullmatch(path):
        raise Refusal(BAD_REQUEST, "the path of bulk data is a tag, or tags and item numbers between dots")
    found = archive.held(place(request))
    if not found:
        raise not_there()
    wish = next((one for one in wishes(accepted(request)) if one.media_type in (OCTETS, *_ANY)), None)
    if wish is None:
        raise Refusal(NOT_ACCEPTABLE, f"bulk data is to be had as {OCTETS}")
    held = found[0]
    if held.place and path.upper() == held.place.tag and not (is_plain(held.transfer_syntax_uid)):
        return pixel_data(archive, request, found)
    try:
        value = archive.imaging.bulk(archive.path(held), path.split("."))
    except BadInstance as absent:
        raise Refusal(NOT_FOUND, str(absent)) from absent
    if wish.multipart is not True:
        return Response(value, media_type=OCTETS)
    mark = boundary()
    return Response(part(mark, OCTETS, value) + b"--" + mark + b"--\r\n", media_type=related(OCTETS, mark))


def _pixels(archive: Archive, request: Request) -> Response:
    found = archive.held(place(request))
    if not found:
        raise not_there()
    if not any(one.media_type in (OCTETS, *_ANY) and one.multipart is not False for one in wishes(accepted(request))):
        raise Refusal(NOT_ACCEPTABLE, f'pixel data is to be had as multipart/related; type="{OCTETS}"')
    return pixel_data(archive, request, found)


def pixel_data(archive: Archive, request: Request, found: Sequence[Held]) -> Response:
    """The pixels of instances, frame after frame, uncompressed."""
    mark, base = boundary(), base_url(request)
    with_pixels = demand_pixels(found)

    def parts() -> Iterator[bytes]:
        for held in with_pixels:
            numbers = range(1, (held.place.frames if held.place else 1) + 1)
            url = f"{base}studies/{held.study_instance_uid}/series/{held.series_instance_uid}/instances/"
            for number, frame in zip(numbers, content(archive, held, numbers, EXPLICIT), strict=True):
                location = f"{url}{held.sop_instance_uid}/frames/{number}"
                yield part(mark, f"{OCTETS}; transfer-syntax={EXPLICIT}", frame, location)
        yield b"--" + mark + b"--\r\n"

    return StreamingResponse(in_threads(begun(parts())), media_type=related(OCTETS, mark))
