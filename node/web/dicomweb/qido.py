"""Search (QIDO-RS, PS3.18 10.6)."""

from __future__ import annotations

import gzip
import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.core.dicomweb.accept import Offer, best
from node.core.dicomweb.attributes import Level
from node.core.dicomweb.query import Query, read_query
from node.core.dicomweb.xml import native
from node.pipeline.archive import Archive
from node.web.dicomweb.edge import NOT_ACCEPTABLE, Endpoint, accepted, base_url, parameters, takes_gzip, told
from node.web.dicomweb.media import DICOM_JSON, DICOM_XML, Refusal
from node.web.dicomweb.parts import boundary, part, related

_RESOURCES = {
    "/studies": Level.STUDY,
    "/series": Level.SERIES,
    "/instances": Level.INSTANCE,
    "/studies/{study}/series": Level.SERIES,
    "/studies/{study}/instances": Level.INSTANCE,
    "/studies/{study}/series/{series}/instances": Level.INSTANCE,
}
_OFFERS = (Offer(DICOM_JSON, False), Offer("application/json", False), Offer(DICOM_XML, True))
_WORTH_PACKING = 1024  # bytes


def search_routes(archive: Archive) -> list[Route]:
    """The six resources that can be searched."""
    return [Route(path, _search(archive, level), methods=["GET"]) for path, level in _RESOURCES.items()]


def _search(archive: Archive, level: Level) -> Endpoint:
    async def search(request: Request) -> Response:
        named = request.path_params
        query = read_query(level, parameters(request), study=named.get("study", ""), series=named.get("series", ""))
        return await run_in_threadpool(_answer, archive, request, query)

    return told(search)


def _answer(archive: Archive, request: Request, query: Query) -> Response:
    chosen = best(accepted(request), _OFFERS)
    if chosen is None:
        raise Refusal(NOT_ACCEPTABLE, f'results are to be had as {DICOM_JSON} or multipart/related; type="{DICOM_XML}"')
    found = archive.search(query, base_url(request))
    if not found.results:
        answer = Response(status_code=204)
    elif chosen[0].media_type == DICOM_XML:
        mark = boundary()
        content = b"".join(part(mark, DICOM_XML, native(one)) for one in found.results) + b"--" + mark + b"--\r\n"
        answer = Response(content, media_type=related(DICOM_XML, mark))
    else:
        content = json.dumps(found.results, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        packed = takes_gzip(request) and len(content) > _WORTH_PACKING
        headers = {"Vary": "Accept, Accept-Encoding", **({"Content-Encoding": "gzip"} if packed else {})}
        body = gzip.compress(content, 1, mtime=0) if packed else content
        answer = Response(body, headers=headers, media_type=chosen[0].media_type)
    _warn(answer, request, query, found.more)
    return answer


def _warn(answer: Response, request: Request, query: Query, more: int) -> None:
    """PS3.18 10.6.3: what was passed over, and that there is more."""
    sentences = list(query.warnings[:5])
    if more:
        sentences.insert(0, f"There are {more} additional results that can be requested")
    service = base_url(request).rstrip("/")
    for sentence in sentences:
        answer.headers.append("Warning", f'299 {service}: "{sentence}"')
