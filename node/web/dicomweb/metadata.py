"""Retrieve metadata (PS3.18 10.4.1.1.2): made once, kept packed, sent as it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from node.adapters.database.index.documents import Held, HeldSeries
from node.core.dicomweb.accept import Offer, best
from node.core.dicomweb.xml import native
from node.pipeline.archive import Archive
from node.pipeline.archive.archive import Place, instance_etag, series_etag, unzipped
from node.web.dicomweb.edge import NOT_ACCEPTABLE, accepted, base_url, not_there, place, takes_gzip, told
from node.web.dicomweb.media import DICOM_JSON, DICOM_XML, Refusal
from node.web.dicomweb.parts import boundary, in_threads, part, related
from node.web.dicomweb.threads import reading

_OFFERS = (Offer(DICOM_JSON, False), Offer("application/json", False), Offer(DICOM_XML, True))


def metadata_routes(archive: Archive) -> list[Route]:
    async def metadata(request: Request) -> Response:
        return await reading(_metadata, archive, request)

    paths = (
        "/studies/{study}",
        "/studies/{study}/series/{series}",
        "/studies/{study}/series/{series}/instances/{instance}",
    )
    return [Route(f"{path}/metadata", told(metadata), methods=["GET"]) for path in paths]


def _metadata(archive: Archive, request: Request) -> Response:
    where, base = place(request), base_url(request)
    chosen = best(accepted(request), _OFFERS)
    if chosen is None:
        raise Refusal(NOT_ACCEPTABLE, f'metadata is to be had as {DICOM_JSON} or multipart/related; type="{DICOM_XML}"')
    only, every = _found(archive, where)
    if chosen[0].media_type == DICOM_XML:
        mark = boundary()
        return StreamingResponse(
            in_threads(_documents(archive, every, base, only, mark)), media_type=related(DICOM_XML, mark)
        )
    etag = f'W/"{instance_etag(only, base) if only else series_etag(every, base)}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    kind = chosen[0].media_type
    packed = _packed(archive, every, base, only)
    if takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        if isinstance(packed, bytes):
            return Response(packed, headers=headers, media_type=kind)
        return StreamingResponse(in_threads(packed), headers=headers, media_type=kind)
    plain = unzipped([packed] if isinstance(packed, bytes) else packed)
    return StreamingResponse(in_threads(plain), headers=headers, media_type=kind)


def _found(archive: Archive, where: Place) -> tuple[Held | None, Sequence[HeldSeries]]:
    """The instance, or the series, that are meant."""
    if where.instance:
        held = archive.held(where)
        if not held:
            raise not_there()
        return held[0], ()
    every = archive.series(where)
    if not every:
        raise not_there()
    return None, every


def _packed(archive: Archive, every: Sequence[HeldSeries], base: str, only: Held | None) -> bytes | Iterable[bytes]:
    if only:
        return archive.instance_metadata(only, base)
    if len(every) == 1:
        return archive.series_metadata(every[0], base)
    return archive.study_metadata(every, base)


def _documents(
    archive: Archive, every: Sequence[HeldSeries], base: str, only: Held | None, mark: bytes
) -> Iterator[bytes]:
    for model in archive.models(every, base, only):
        yield part(mark, DICOM_XML, native(model))
    yield b"--" + mark + b"--\r\n"
