"""Store (STOW-RS, PS3.18 10.5): instances over HTTP into the same ledger as by C-STORE."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Semaphore

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.core.arrival import Sender
from node.pipeline.reception import Reception
from node.web.dicomweb.edge import base_url
from node.web.dicomweb.media import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    MULTIPART,
    MediaType,
    Refusal,
    acceptable,
    media_type,
)
from node.web.dicomweb.store_response import (
    BAD_REQUEST,
    FORMS,
    TOO_LARGE,
    UNAVAILABLE,
    UNSUPPORTED,
    StoreResponse,
    encode,
)
from node.web.dicomweb.stow_desk import TOO_LARGE_SENTENCE, Desk, Transaction
from node.web.dicomweb.stow_files import PART_TYPES, Files
from node.web.dicomweb.stow_metadata import METADATA, Metadata

_HOP_BYTES = 1 << 19  # of a request that go to a worker thread at once
_READERS = 2  # requests whose metadata is in memory at once
_HEARD_OUT = 32 << 20  # bytes of a refused request that are read, so that its sender gets to the answer
_RETRY_AFTER_S = 30
_AT_ONCE = 48  # parts that wait for the disk and the ledger together, of all requests
_MOST_SENTENCES = 5  # in Warning headers


def store_routes(reception: Reception, max_request: int, *, retrieves: bool = False) -> list[Route]:
    """The routes of the Store transaction; `max_request` bounds the bytes of one request.

    `retrieves`: what is stored is to be had from this service too.
    """
    desk = Desk(reception, ThreadPoolExecutor(_AT_ONCE, "stow"), max_request, retrieves, Semaphore(_READERS))

    async def store(request: Request) -> Response:
        return await _store(request, desk)

    return [Route("/studies", store, methods=["POST"]), Route("/studies/{study}", store, methods=["POST"])]


async def _store(request: Request, desk: Desk) -> Response:
    transaction: Transaction | None = None
    try:
        base = base_url(request) if desk.retrieves else ""  # before anything is stored: it may be refused
        body = _demand_readable(request, desk.max_request)
        transaction = _begun(desk, _sender(request), request.path_params.get("study", ""), body)
        async for chunk in _gathered(request):
            await run_in_threadpool(transaction.write, chunk)
            if transaction.is_over:
                await _hear_out(request)
                break
        response = await run_in_threadpool(transaction.finish)
    except Refusal as refusal:
        await _hear_out(request)
        return JSONResponse({"reason": str(refusal)}, status_code=refusal.status)
    except ClientDisconnect:
        return Response(status_code=BAD_REQUEST)  # nobody is there to read it
    finally:
        if transaction is not None:
            transaction.abandon()
    return _answer(request, response, base)


def _demand_readable(request: Request, max_request: int) -> MediaType:
    """Raises Refusal for a body that this node does not take."""
    found = media_type(request.headers.get("content-type", ""))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(UNSUPPORTED, "a compressed request body is not taken: send it without Content-Encoding")
    if found.name not in (MULTIPART, DICOM, *METADATA):
        raise Refusal(UNSUPPORTED, f'send multipart/related; type="{DICOM}" or {DICOM}')
    if found.related not in (*PART_TYPES, *METADATA):
        raise Refusal(UNSUPPORTED, f'of multipart/related this node takes type="{DICOM}", {DICOM_JSON} or {DICOM_XML}')
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_request:
        raise Refusal(TOO_LARGE, TOO_LARGE_SENTENCE)
    return found


def _begun(desk: Desk, sender: Sender, study: str, body: MediaType) -> Transaction:
    """Raises Refusal for a bad boundary."""
    kind = Metadata if METADATA & {body.name, body.related} else Files
    return kind(desk, sender, study, body)


def _sender(request: Request) -> Sender:
    host = request.client.host if request.client else ""
    return Sender("stow", calling_ae="STOW", called_ae="", host=host, association=f"stow-{secrets.token_hex(8)}")


async def _gathered(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a change of thread."""
    gathered = bytearray()
    async for chunk in request.stream():
        gathered += chunk
        if len(gathered) >= _HOP_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def _hear_out(request: Request) -> None:
    """Many clients read no answer before they have sent everything."""
    left = _HEARD_OUT
    with suppress(ClientDisconnect, RuntimeError):  # RuntimeError: the stream was read before
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                return


def _answer(request: Request, response: StoreResponse, base: str) -> Response:
    wanted = request.query_params.get("accept") or request.headers.get("accept", "")
    form = acceptable(wanted, tuple(FORMS))
    answer = Response(encode(response, form, base), response.status, media_type=form)
    for sentence in response.sentences[:_MOST_SENTENCES]:
        text = sentence.replace('"', "'").encode("ascii", "replace").decode()
        answer.headers.append("Warning", f'299 mricore-node "{text}"')
    if response.status == UNAVAILABLE:
        answer.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return answer
