"""Retrieve rendered pictures and thumbnails (PS3.18 10.4.1.1.3 and 10.4.1.1.7).

A single picture of a study or a series is that of its middle; as multipart/related there is one of every frame.
`overlay` is ours: SOP Instance UIDs of segmentations of the same study that are burnt in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from node.adapters.database.index.documents import Held
from node.adapters.imaging import Picture
from node.core.dicomweb.accept import Offer, best
from node.pipeline.archive import Archive
from node.web.dicomweb.edge import (
    BAD_REQUEST,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    Endpoint,
    accepted,
    demand_pixels,
    parameter,
    parameters,
    place,
    told,
)
from node.web.dicomweb.frames import frame_numbers
from node.web.dicomweb.media import Refusal
from node.web.dicomweb.parts import begun, boundary, in_threads, part, related
from node.web.dicomweb.threads import drawing

_JPEG, _PNG = "image/jpeg", "image/png"
_OFFERS = tuple(Offer(kind, multipart) for multipart in (False, True) for kind in (_JPEG, _PNG))
_FUNCTIONS = {"": "LINEAR", "linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_LEVELS = (
    "/studies/{study}",
    "/studies/{study}/series/{series}",
    "/studies/{study}/series/{series}/instances/{instance}",
    "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
)
_THUMBNAIL = (128, 128)
_MOST_OVERLAYS = 8
_LARGEST = 8192  # columns or rows


def rendered_routes(archive: Archive) -> list[Route]:
    return [
        Route(f"{level}/{name}", told(_endpoint(archive, thumbnail=name == "thumbnail")), methods=["GET"])
        for level in _LEVELS
        for name in ("rendered", "thumbnail")
    ]


def _endpoint(archive: Archive, *, thumbnail: bool) -> Endpoint:
    async def rendered(request: Request) -> Response:
        return await drawing(_rendered, archive, request, thumbnail)

    return rendered


def _rendered(archive: Archive, request: Request, thumbnail: bool) -> Response:
    chosen = best(accepted(request), _OFFERS)
    if chosen is None:
        raise Refusal(NOT_ACCEPTABLE, f"pictures are to be had as {_JPEG} or {_PNG}")
    offer = chosen[0]
    found = demand_pixels(archive.held(place(request)))
    named = request.path_params.get("frames", "")
    numbers = frame_numbers(named) if named else []
    picture = _picture(archive, request, found[0], offer.media_type, thumbnail)
    if offer.multipart and not thumbnail:
        return _many(archive, found, numbers, picture)
    if len(numbers) > 1:
        raise Refusal(NOT_ACCEPTABLE, f'several frames are to be had as multipart/related; type="{_JPEG}"')
    held = found[len(found) // 2]
    frames = held.place.frames if held.place else 1
    number = numbers[0] if numbers else (frames + 1) // 2
    if number > frames:
        raise Refusal(NOT_FOUND, f"the instance has {frames} frames")
    drawn = archive.imaging.draw(archive.path(held), _of(picture, held, number))
    return Response(drawn, media_type=offer.media_type, headers={"Cache-Control": "private, max-age=3600"})


def _of(picture: Picture, held: Held, number: int) -> Picture:
    return replace(picture, frame=number, sop_instance_uid=held.sop_instance_uid)


def _many(archive: Archive, found: Sequence[Held], numbers: Sequence[int], picture: Picture) -> Response:
    mark = boundary()

    def drawn() -> Iterator[bytes]:
        for held in found:
            every = numbers or range(1, (held.place.frames if held.place else 1) + 1)
            for number in every:
                content = archive.imaging.draw(archive.path(held), _of(picture, held, number))
                yield part(mark, picture.media_type, content)
        yield b"--" + mark + b"--\r\n"

    return StreamingResponse(in_threads(begun(drawn())), media_type=related(picture.media_type, mark))


def _picture(archive: Archive, request: Request, held: Held, kind: str, thumbnail: bool) -> Picture:
    """The parameters of table 8.3.5-1, and ours."""
    size, region = _viewport(parameter(request, "viewport"))
    if thumbnail and size is None:
        size = _THUMBNAIL
    quality = parameter(request, "quality") or "90"
    if not (quality.isascii() and quality.isdecimal() and len(quality) <= 3 and 1 <= int(quality) <= 100):
        raise Refusal(BAD_REQUEST, "quality is a whole number from 1 to 100")
    return Picture(
        media_type=kind,
        quality=int(quality),
        window=_window(parameter(request, "window")),
        size=size,
        region=region,
        annotations=_annotations(archive, request, held),
        overlays=_overlays(archive, request, held),
    )


def _numbers(text: str, least: int, most: int, what: str) -> list[float]:
    parts = text.split(",")
    try:
        found = [float(part) if part.strip() else 0.0 for part in parts]
    except ValueError:
        found = []
    if not least <= len(found) <= most or not all(math.isfinite(one) and abs(one) < 1e9 for one in found):
        raise Refusal(BAD_REQUEST, f"{what} (PS3.18 8.3.5.1)")
    return found


def _viewport(text: str) -> tuple[tuple[int, int] | None, tuple[int, int, int, int] | None]:
    if not text:
        return None, None
    what = "viewport is columns,rows, or columns,rows,left,top,width,height"
    found = [int(one) for one in _numbers(text, 2, 6, what)]
    if not (1 <= found[0] <= _LARGEST and 1 <= found[1] <= _LARGEST) or len(found) not in (2, 6):
        raise Refusal(BAD_REQUEST, f"{what}, at most {_LARGEST} (PS3.18 8.3.5.1.3)")
    if len(found) == 2:
        return (found[0], found[1]), None
    left, top, columns, rows = found[2:]
    if min(left, top) < 0 or not (1 <= columns <= 1 << 16 and 1 <= rows <= 1 << 16) or max(left, top) > 1 << 16:
        raise Refusal(BAD_REQUEST, what)
    return (found[0], found[1]), (left, top, columns, rows)


def _window(text: str) -> tuple[float, float, str] | None:
    if not text:
        return None
    centre_width, _, function = text.rpartition(",") if text.count(",") >= 2 else (text, "", "")
    name = _FUNCTIONS.get(function.strip().lower())
    centre, width = _numbers(centre_width, 2, 2, "window is centre,width or centre,width,function")
    if name is None or width < 1e-6:
        raise Refusal(BAD_REQUEST, "window is centre,width,function with linear, linear-exact or sigmoid")
    return centre, width, name


def _annotations(archive: Archive, request: Request, held: Held) -> tuple[str, ...]:
    """`annotation=patient` and `technique` (PS3.18 8.3.5.1.1); others are passed over, as the standard wants it."""
    asked = {part.strip().lower() for part in parameter(request, "annotation").split(",")}
    if not asked & {"patient", "technique"}:
        return ()
    model = next(iter(archive.models((), "", held)))
    tags: list[str] = []
    if "patient" in asked:
        tags += ["00100010", "00100020", "00100030", "00100040", "00080020"]
    if "technique" in asked:
        tags += ["0008103E", "00181030", "00180050", "00180080", "00180081"]
    return tuple(line for tag in tags if (line := _line(model.get(tag, {}))))


def _line(attribute: dict[str, object]) -> str:
    values = attribute.get("Value")
    first = values[0] if isinstance(values, list) and values else None
    text = first.get("Alphabetic", "") if isinstance(first, dict) else first
    return "" if text is None else str(text)


def _overlays(archive: Archive, request: Request, held: Held) -> tuple[str, ...]:
    uids = [uid for name, value in parameters(request) if name == "overlay" for uid in value.split(",") if uid]
    if len(uids) > _MOST_OVERLAYS:
        raise Refusal(BAD_REQUEST, f"at most {_MOST_OVERLAYS} overlays")
    found = archive.find(held.study_instance_uid, uids) if uids else []
    if len(found) != len(set(uids)):
        raise Refusal(NOT_FOUND, "the study has no such segmentation")
    return tuple(str(archive.path(one).absolute()) for one in found)
