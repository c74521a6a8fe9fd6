"""Store of metadata with bulk data (PS3.18 10.5.2): JSON or XML, and parts that it names by their Content-Location.

A part says what it is before anybody knows what for, so all of them lie in an unnamed file until the request ends.
Then each instance is encoded and goes the way of every other: bytes, ledger, answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from node.core.arrival import Sender
from node.core.dicomweb.encoding import Encoded, Part, encoded, uid_of
from node.core.dicomweb.model import Json
from node.core.dicomweb.xml_reading import read_native
from node.core.encoded import Uids
from node.core.status import CANNOT_UNDERSTAND, OUT_OF_RESOURCES
from node.errors import BadInstance, NodeError, StoreUnavailable
from node.web.dicomweb.media import DICOM_JSON, DICOM_XML, MULTIPART, MediaType, Refusal, media_type
from node.web.dicomweb.multipart import MultipartReader
from node.web.dicomweb.store_response import (
    BAD_REQUEST,
    PROCESSING_FAILURE,
    TOO_LARGE,
    UNAVAILABLE,
    Failure,
    StoreResponse,
)
from node.web.dicomweb.stow_desk import AHEAD, TOO_LARGE_SENTENCE, Desk, Outcome, known, outcome, response, unsupported

METADATA = frozenset({DICOM_JSON, DICOM_XML})
_MOST_METADATA = 32 << 20  # bytes of a request: in memory they are several times that
_MOST_PARTS = 20_000
_MOST_INSTANCES = 20_000
_PIECE = 1 << 20
_LOOK_AGAIN = 16 << 20  # bytes after which there must still be room


@dataclass
class _Kept:
    """A part, and where its bytes lie."""

    media: MediaType
    location: str
    at: int
    size: int = 0


@dataclass
class _Bulk:
    """Bulk data by its URI, and which of it some instance named."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def find(self, uri: str) -> Sequence[Part]:
        self.named.add(uri)
        return self.parts.get(uri, ())


class Metadata:
    """One request."""

    def __init__(self, desk: Desk, sender: Sender, study: str, body: MediaType) -> None:
        """`study`: the study that every instance must belong to; "" for any. Raises Refusal for a bad boundary."""
        self._desk, self._sender, self._study = desk, sender, study
        self._kind = next(kind for kind in (body.related, body.name) if kind in METADATA)
        self._reader = MultipartReader(body.boundary, self) if body.name == MULTIPART else None
        self._outcomes: list[Future[Outcome]] = []
        self._parts: list[_Kept] = []
        self._file: BinaryIO | None = None
        self._size = self._of_metadata = 0  # bytes so far
        self.is_over = False
        if self._reader is None:
            self.begin(body.name, "")

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._size += len(chunk)
        try:
            self._demand_room(len(chunk))
            if self._reader is None:
                self.data(memoryview(chunk))
            else:
                self._reader.write(chunk)
        except Refusal as refused:
            self._break_off(refused)
        except NodeError as full:
            self._break_off(Refusal(UNAVAILABLE, str(full)))

    def _demand_room(self, more: int) -> None:
        if self._size > self._desk.max_request:
            raise Refusal(TOO_LARGE, TOO_LARGE_SENTENCE)
        if self._size // _LOOK_AGAIN > (self._size - more) // _LOOK_AGAIN:
            self._desk.reception.demand_room()

    def finish(self) -> StoreResponse:
        """The body is here: store what the metadata describes."""
        if not self.is_over:
            try:
                if self._reader is not None:
                    self._reader.finish()
                with self._desk.readers:
                    self._store_all()
            except Refusal as cut:
                self._break_off(cut)
        return response(self._outcomes, self._sender)

    def abandon(self) -> None:
        """Forget the parts."""
        file, self._file = self._file, None
        if file:
            file.close()

    # What the multipart reader calls.

    def begin(self, content_type: str, location: str) -> None:
        """A part begins."""
        if len(self._parts) >= _MOST_PARTS:
            raise Refusal(TOO_LARGE, f"the request has more than {_MOST_PARTS} parts: send it in several")
        media = media_type(content_type)
        self._parts.append(_Kept(media, location, self._parts[-1].at + self._parts[-1].size if self._parts else 0))

    def data(self, chunk: memoryview) -> None:
        """The next bytes of the part."""
        if self._file is None:
            self._file = self._desk.reception.scratch()
        part = self._parts[-1]
        part.size += len(chunk)
        self._of_metadata += len(chunk) if part.media.name == self._kind else 0
        if self._of_metadata > _MOST_METADATA:
            raise Refusal(TOO_LARGE, f"the metadata is larger than {_MOST_METADATA >> 20} MiB: send it in several")
        try:
            self._file.write(chunk)
        except OSError as full:
            raise Refusal(UNAVAILABLE, "there is no room for the request's bulk data") from full

    def end(self) -> None:
        """The part is here."""

    def _break_off(self, refused: Refusal) -> None:
        self.is_over = True
        self.abandon()
        reasons = {UNAVAILABLE: OUT_OF_RESOURCES, TOO_LARGE: PROCESSING_FAILURE}
        reason = reasons.get(refused.status, CANNOT_UNDERSTAND)
        self._outcomes.append(known(Failure(reason, str(refused), refused.status)))

    def _store_all(self) -> None:
        if self._file is not None:
            self._file.flush()
        bulk = _Bulk()
        for one in self._parts:
            if one.media.name != self._kind:
                part = Part(one.media.name, one.media.transfer_syntax, (one.at, one.size))
                bulk.parts.setdefault(one.location, []).append(part)
        try:
            for one in self._parts:
                if one.media.name == self._kind:
                    self._store_described(one, bulk)
        finally:
            wait(self._outcomes)  # before the file is closed
        for _ in bulk.parts.keys() - bulk.named:
            sentence = "a part is named by no BulkDataURI of the metadata: their Content-Location has to be the same"
            self._outcomes.append(known(Failure(CANNOT_UNDERSTAND, sentence, BAD_REQUEST)))

    def _store_described(self, part: _Kept, bulk: _Bulk) -> None:
        try:
            for model in _models(self._kind, self._read(part.at, part.size)):
                self._store(model, bulk)
        except BadInstance as bad:
            self._outcomes.append(known(Failure(CANNOT_UNDERSTAND, str(bad), BAD_REQUEST)))

    def _store(self, model: Json, bulk: _Bulk) -> None:
        if len(self._outcomes) >= _MOST_INSTANCES:
            raise BadInstance(f"the request has more than {_MOST_INSTANCES} instances: send it in several")
        uids = Uids(uid_of(model, "00080016"), uid_of(model, "00080018"), "", "")
        try:
            made = encoded(model, bulk.find, self._read)
        except BadInstance as bad:
            self._outcomes.append(known(Failure(CANNOT_UNDERSTAND, str(bad), BAD_REQUEST, uids)))
            return
        self._outcomes.append(self._desk.threads.submit(self._settle, made, uids))
        if len(self._outcomes) > AHEAD:
            self._outcomes[-AHEAD].result()  # a bound for what lies in memory

    def _settle(self, made: Encoded, uids: Uids) -> Outcome:
        sop_class_uid, sop_instance_uid = uids.sop_class_uid, uids.sop_instance_uid
        refused = unsupported(sop_class_uid, sop_instance_uid, made.transfer_syntax_uid)
        if refused:
            return refused
        incoming = self._desk.reception.incoming(
            self._sender, sop_class_uid, sop_instance_uid, made.transfer_syntax_uid, self._study
        )
        try:
            for piece in made.pieces:
                for chunk in [piece] if isinstance(piece, bytes) else self._pieces(*piece):
                    incoming.write(chunk)
        except NodeError as broken:
            incoming.abandon()
            return Failure(OUT_OF_RESOURCES, str(broken), UNAVAILABLE, uids)
        return outcome(incoming.finish())

    def _pieces(self, at: int, size: int) -> Iterator[bytes]:
        for begin in range(at, at + size, _PIECE):
            yield self._read(begin, min(_PIECE, at + size - begin))

    def _read(self, at: int, size: int) -> bytes:
        if not size:
            return b""
        found = os.pread(self._file.fileno(), size, at) if self._file else b""
        if len(found) != size:
            raise StoreUnavailable("the request's bulk data cannot be read again")
        return found


def _models(kind: str, content: bytes) -> list[Json]:
    """The instances of a part of metadata. Raises BadInstance when it is not what it says."""
    if kind == DICOM_XML:
        return [read_native(content)]
    try:
        found = json.loads(content, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError) as malformed:  # also bytes that are no UTF-8
        raise BadInstance("the metadata is no JSON that can be read") from malformed
    every = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in every):
        raise BadInstance("the metadata is no array of instances (PS3.18 F.2.1)")
    return every


def _refuse(constant: str) -> float:
    raise ValueError(constant)  # NaN and Infinity are no JSON


def _once(pairs: list[tuple[str, Any]]) -> Json:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return made
