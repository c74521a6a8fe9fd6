"""Store of DICOM files: parts that are passed on to the reception as they come."""

from __future__ import annotations

from concurrent.futures import Future

from node.core.arrival import Sender
from node.core.status import CANNOT_UNDERSTAND
from node.errors import BadInstance
from node.pipeline.incoming_file import IncomingFile
from node.web.dicomweb.media import DICOM, MULTIPART, MediaType, Refusal, media_type
from node.web.dicomweb.multipart import MultipartReader
from node.web.dicomweb.store_response import (
    BAD_REQUEST,
    PROCESSING_FAILURE,
    TOO_LARGE,
    UNSUPPORTED,
    Failure,
    StoreResponse,
)
from node.web.dicomweb.stow_desk import AHEAD, TOO_LARGE_SENTENCE, Desk, Outcome, known, outcome, response, unsupported

PART_TYPES = ("", DICOM, "application/octet-stream")  # of a part; "" when its sender did not say
_MOST_PARTS = 100_000  # of one request: what became of each is remembered until its end


class Files:
    """One request. Its parts are read one after the other; several wait for the disk together.

    Blocking; used by one thread at a time.
    """

    def __init__(self, desk: Desk, sender: Sender, study: str, body: MediaType) -> None:
        """`study`: the study that every instance must belong to; "" for any. Raises Refusal for a bad boundary."""
        self._desk, self._sender, self._study = desk, sender, study
        self._reader = MultipartReader(body.boundary, self) if body.name == MULTIPART else None
        self._outcomes: list[Future[Outcome]] = []  # of the parts, in their order
        self._file: IncomingFile | None = None
        self._left = desk.max_request
        self.is_over = False  # nothing more is read
        if self._reader is None:
            self.begin(body.name, "")

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._left -= len(chunk)
        if self._left < 0:
            self._break_off(Failure(PROCESSING_FAILURE, TOO_LARGE_SENTENCE, TOO_LARGE))
        elif self._reader is None:
            self.data(memoryview(chunk))
        else:
            try:
                with self._desk.reception.coming():  # so that its parts are forced to the disk together
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
        return response(self._outcomes, self._sender)

    def abandon(self) -> None:
        """The part that is not finished, if any, is forgotten; finished ones are in the ledger and stay."""
        if self._file:
            self._file.abandon()
            self._file = None

    # What the multipart reader calls.

    def begin(self, content_type: str, _location: str) -> None:
        """A part begins."""
        if len(self._outcomes) >= _MOST_PARTS:
            raise Refusal(TOO_LARGE, f"the request has more than {_MOST_PARTS} parts: send it in several")
        name = media_type(content_type).name
        if name in PART_TYPES:
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
        if len(self._outcomes) > AHEAD:
            self._outcomes[-AHEAD].result()  # a bound for what lies in memory

    def _break_off(self, reason: Failure) -> None:
        self.is_over = True
        self.abandon()
        self._fail(reason)

    def _fail(self, reason: Failure) -> None:
        self._outcomes.append(known(reason))


def _settle(file: IncomingFile) -> Outcome:
    """Store a whole part."""
    try:
        head = file.demand_head()
        if refused := unsupported(head.sop_class_uid, head.sop_instance_uid, head.transfer_syntax_uid):
            file.abandon()
            return refused
        return outcome(file.finish())
    except BadInstance as bad:
        return Failure(CANNOT_UNDERSTAND, str(bad), BAD_REQUEST)
