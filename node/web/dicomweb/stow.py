"""Store (STOW-RS, PS3.18 10.5): instances over HTTP into the same ledger as by C-STORE."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import structlog
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.core.arrival import Sender
from node.core.encoded import Uids
from node.core.part10 import Head
from node.core.status import CANNOT_UNDERSTAND, SUCCESS
from node.errors import BadInstance
from node.pipeline.incoming_file import IncomingFile
from node.pipeline.reception import Reception
from node.web.dicomweb.edge import base_url
from node.web.dicomweb.media import DICOM, MULTIPART, MediaType, Refusal, acceptable, media_type
from node.web.dicomweb.multipart import MultipartReader
from node.web.dicomweb.store_response import (
    BAD_REQUEST,
    CONFLICT,
    FORMS,
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
    TOO_LARGE,
    TRANSFER_SYNTAX_NOT_SUPPORTED,
    UNAVAILABLE,
    UNSUPPORTED,
    Failure,
    StoreResponse,
    encode,
    failure,
)

_log = structlog.get_logger(__name__)

_HOP_BYTES = 1 << 18  # of a request that go to a worker thread at once
_HEARD_OUT = 32 << 20  # bytes of a refused request that are read, so that its sender gets to the answer
_MOST_PARTS = 100_000  # of one request: what became of each is remembered until its end
_RETRY_AFTER_S = 30
_AT_ONCE = 8  # parts that wait for the disk and the ledger together, of all requests
_AHEAD = 8  # parts of one request that may wait
_MOST_SENTENCES = 5  # in Warning headers
_PART_TYPES = ("", DICOM, "application/octet-stream")  # of a part; "" when its sender did not say


def store_routes(reception: Reception, max_request: int, *, retrieves: bool = False) -> list[Route]:
    """The routes of the Store transaction; `max_request` bounds the bytes of one request.

    `retrieves`: what is stored is to be had from this service too.
    """
    desk = _Desk(reception, ThreadPoolExecutor(_AT_ONCE, "stow"), max_request, retrieves)

    async def store(request: Request) -> Response:
        return await _store(request, desk)

    return [Route("/studies", store, methods=["POST"]), Route("/studies/{study}", store, methods=["POST"])]


@dataclass(frozen=True)
class _Desk:
    """What all requests share."""

    reception: Reception
    threads: Executor  # in which whole parts are stored while the next ones are read
    max_request: int
    retrieves: bool


async def _store(request: Request, desk: _Desk) -> Response:
    transaction: Store | None = None
    try:
        base = base_url(request) if desk.retrieves else ""  # before anything is stored: it may be refused
        body = _demand_readable(request, desk.max_request)
        transaction = Store(desk, _sender(request), request.path_params.get("study", ""), body)
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
    if found.name not in (MULTIPART, DICOM):
        raise Refusal(UNSUPPORTED, f'send multipart/related; type="{DICOM}" or {DICOM}')
    if found.related not in _PART_TYPES:
        raise Refusal(UNSUPPORTED, f'of multipart/related this node takes type="{DICOM}" only')
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_request:
        raise Refusal(TOO_LARGE, _TOO_LARGE)
    return found


_TOO_LARGE = "the request is larger than http.max_request: send it in several"


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


class Store:
    """One request. Its parts are read one after the other; several wait for the disk together.

    Blocking; used by one thread at a time.
    """

    def __init__(self, desk: _Desk, sender: Sender, study: str, body: MediaType) -> None:
        """`study`: the study that every instance must belong to; "" for any. Raises Refusal for a bad boundary."""
        self._desk, self._sender, self._study = desk, sender, study
        self._reader = MultipartReader(body.boundary, self) if body.name == MULTIPART else None
        self._outcomes: list[Future[Uids | Failure]] = []  # of the parts, in their order
        self._file: IncomingFile | None = None
        self._left = desk.max_request
        self.is_over = False  # nothing more is read
        if self._reader is None:
            self.begin(body.name)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._left -= len(chunk)
        if self._left < 0:
            self._break_off(Failure(PROCESSING_FAILURE, _TOO_LARGE, TOO_LARGE))
        elif self._reader is None:
            self.data(memoryview(chunk))
        else:
            try:
                self._reader.write(chunk)
            except Refusal as malformed:
                self._break_off(Failure(CANNOT_UNDERSTAND, str(malformed), malformed.status))

    def finish(self) -> StoreResponse:
        """The body is here: say what became of each part."""
        if not self.is_over:
            try:
                self.end() if self._reader is None else self._reader.finish()
            except Refusal as cut:
                self._break_off(Failure(CANNOT_UNDERSTAND, str(cut), cut.status))
        if not self._outcomes:
            self._fail(Failure(CANNOT_UNDERSTAND, "the request holds no instance", BAD_REQUEST))
        outcomes = [one.result() for one in self._outcomes]
        failures = tuple(one for one in outcomes if isinstance(one, Failure))
        for one in failures:
            self._log_failure(one)
        return StoreResponse(tuple(one for one in outcomes if isinstance(one, Uids)), failures)

    def abandon(self) -> None:
        """The part that is not finished, if any, is forgotten; finished ones are in the ledger and stay."""
        if self._file:
            self._file.abandon()
            self._file = None

    # What the multipart reader calls.

    def begin(self, content_type: str) -> None:
        """A part begins."""
        if len(self._outcomes) >= _MOST_PARTS:
            raise Refusal(TOO_LARGE, f"the request has more than {_MOST_PARTS} parts: send it in several")
        name = media_type(content_type).name
        if name in _PART_TYPES:
            self._file = IncomingFile(self._desk.reception, self._sender, self._study)
        else:
            self._fail(Failure(CANNOT_UNDERSTAND, f"a part is not {DICOM}", UNSUPPORTED))

    def data(self, chunk: memoryview) -> None:
        """The next bytes of the part."""
        if self._file:
            try:
                self._file.write(chunk)
            except BadInstance as bad:
                self._file = None
                self._fail(Failure(CANNOT_UNDERSTAND, str(bad), BAD_REQUEST))

    def end(self) -> None:
        """The part is here: store it."""
        file, self._file = self._file, None
        if file is None:
            return
        self._outcomes.append(self._desk.threads.submit(_settle, file))
        if len(self._outcomes) > _AHEAD:
            self._outcomes[-_AHEAD].result()  # a bound for what lies in memory

    def _break_off(self, reason: Failure) -> None:
        self.is_over = True
        self.abandon()
        self._fail(reason)

    def _fail(self, reason: Failure) -> None:
        known: Future[Uids | Failure] = Future()
        known.set_result(reason)
        self._outcomes.append(known)

    def _log_failure(self, reason: Failure) -> None:
        _log.warning(
            "instance not stored",
            channel="stow",
            association=self._sender.association,
            host=self._sender.host,
            reason=reason.sentence,
        )


def _settle(file: IncomingFile) -> Uids | Failure:
    """Store a whole part."""
    try:
        if unsupported := _unsupported(file.demand_head()):
            file.abandon()
            return unsupported
        answer = file.finish()
    except BadInstance as bad:
        return Failure(CANNOT_UNDERSTAND, str(bad), BAD_REQUEST)
    return answer.uids if answer.status == SUCCESS else failure(answer.status, answer.reason, answer.uids)


def _unsupported(head: Head) -> Failure | None:
    """What an association would have refused with its presentation context (PS3.8 table 9-18)."""
    uids = Uids(head.sop_class_uid, head.sop_instance_uid, "", "")
    if head.sop_class_uid and head.sop_class_uid not in _storage_classes():
        return Failure(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not one of storage", CONFLICT, uids)
    if head.transfer_syntax_uid not in AllTransferSyntaxes:
        return Failure(TRANSFER_SYNTAX_NOT_SUPPORTED, "the transfer syntax is not known", CONFLICT, uids)
    return None


@cache
def _storage_classes() -> frozenset[str]:
    return frozenset(str(one.abstract_syntax) for one in AllStoragePresentationContexts)
