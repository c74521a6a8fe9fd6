"""Reception: the one function that every way into the node ends in.

    bytes on disk, forced ─▶ ledger, instance and series rows, committed ─▶ Success

Associations write and force their own files side by side; one thread, the scribe, commits what has gathered since
its last commit as one transaction. So the cost of a commit is shared, and nobody is told Success before it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO

import structlog

from node.adapters.database import Database
from node.adapters.database.ledger import Ledger
from node.adapters.files import Files, Kept, Writer
from node.core.arrival import Arrival, Sender
from node.core.dicom import Identity, identity
from node.core.encoded import HEAD_BYTES, UNKNOWN, Uids, header, scan
from node.core.ledger import Disposition, Receipt
from node.core.part10 import file_head, read_head
from node.core.status import CANNOT_UNDERSTAND, DATA_SET_DOES_NOT_MATCH, OUT_OF_RESOURCES, SUCCESS
from node.errors import BadInstance, NodeError

_log = structlog.get_logger(__name__)

_IN_MEMORY = 1 << 20  # bytes of a data set that are gathered before its file is opened
_LOOK_AGAIN = 16 << 20  # bytes of a data set after which there must still be room
_BATCH = 256  # arrivals in one transaction
_LINGER_S = 0.002  # how long a commit waits for instances whose bytes are being forced; a commit takes about as long
_KNOWN_SERIES = 10_000
_MAX_UID = 128


@dataclass(frozen=True)
class Answer:
    """What the sender is told."""

    status: int
    reason: str = ""
    uids: Uids = UNKNOWN  # what is known of the instance


@dataclass
class _Pending:
    arrival: Arrival
    kept: Kept | None
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer = field(default_factory=lambda: Answer(OUT_OF_RESOURCES, "the node is stopping"))


class Reception:
    """Receives instances for all edges. Safe for many threads."""

    def __init__(
        self,
        database: Database,
        files: Files,
        clock: Callable[[], datetime],
        *,
        chain: str,
        settle: timedelta = timedelta(seconds=1),
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        """`stored` is called after each commit: somebody may want to look at the series."""
        self._files, self._clock, self._stored = files, clock, stored
        self._ledger = Ledger(database, chain, settle)
        self._pending: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._known_series: dict[str, None] = {}
        self._door, self._closed = threading.Lock(), False
        self._coming = 0  # instances whose bytes are being forced: they will be with the scribe in a moment
        self._scribe = threading.Thread(target=self._write_ledger, name="scribe", daemon=True)
        self._scribe.start()

    def close(self) -> None:
        """Finish what was begun; answers everything else with Out of Resources."""
        with self._door:
            self._closed = True
            self._pending.put(None)
        self._scribe.join()
        self._ledger.close()

    def incoming(
        self,
        sender: Sender,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        study_instance_uid: str = "",
    ) -> Incoming:
        """Begin to receive one instance. The UIDs are those of the command, the request or the file meta information.

        An instance that contradicts one of them is refused; "" says nothing.
        """
        command = Uids(sop_class_uid, sop_instance_uid, study_instance_uid, "")
        return Incoming(self, sender, command, transfer_syntax_uid)

    def receive(
        self, sender: Sender, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, data_set: bytes
    ) -> Answer:
        """Receive one instance that is whole in memory."""
        incoming = self.incoming(sender, sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        incoming.write(data_set)
        return incoming.finish()

    # What Incoming and the scribe need.

    def now(self) -> datetime:
        return self._clock()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Tell the scribe that an instance is about to be ready: a commit that waits a moment serves it too."""
        with self._door:
            self._coming += 1
        try:
            yield
        finally:
            with self._door:
                self._coming -= 1

    def write_file(self, head: bytes, data_set: bytes) -> Kept:
        self._files.demand_room(len(data_set))
        return self._files.write(self._clock(), head, data_set)

    def demand_room(self) -> None:
        self._files.demand_room(_IN_MEMORY)

    def scratch(self) -> BinaryIO:
        """An unnamed file for what cannot be stored yet, gone when it is closed. Raises StorageFull."""
        self.demand_room()
        return self._files.scratch()

    def open_file(self) -> Writer:
        self.demand_room()
        return self._files.writer(self._clock())

    def commit(self, receipt: Receipt, head: bytes, kept: Kept | None) -> Answer:
        """Hand one arrival to the scribe and wait for the commit."""
        who: Identity | None = None
        identify = partial(_identity, head, receipt.transfer_syntax_uid)
        if receipt.status == SUCCESS and receipt.series_instance_uid not in self._known_series:
            who = identify()
        pending = _Pending(Arrival(receipt, who, identify), kept)
        with self._door:  # whatever went in before it closed is written
            closed = self._closed
            if not closed:
                self._pending.put(pending)
        if closed:
            self._give_up([pending], pending.answer)
        pending.done.wait()
        return pending.answer

    def _write_ledger(self) -> None:
        stopping = False
        while not stopping:
            batch: list[_Pending] = []
            first = self._pending.get()
            while first is not None:
                batch.append(first)
                if len(batch) == _BATCH:
                    break
                try:
                    first = self._pending.get(timeout=_LINGER_S if self._coming > 0 else 0)
                except queue.Empty:
                    break
            stopping = first is None
            if batch:
                self._write_batch(batch)

    def _write_batch(self, batch: list[_Pending]) -> None:
        try:
            self._files.force([one.kept for one in batch if one.kept])
        except NodeError as failed:
            _log.error("instances not forced to the disk", instances=len(batch), reason=str(failed))
            self._give_up(batch, Answer(OUT_OF_RESOURCES, str(failed)))
            return
        try:
            lines = self._ledger.record([one.arrival for one in batch])
        except NodeError as failed:
            _log.error("receipts not written", instances=len(batch), reason=str(failed))
            self._give_up(batch, Answer(OUT_OF_RESOURCES, str(failed)), self._perhaps_written(batch))
            return
        except Exception:  # noqa: BLE001 # the scribe outlives every fault; nobody was told Success
            if len(batch) > 1:  # one arrival that the database will not take must not cost the others
                for one in batch:
                    self._write_batch([one])
                return
            _log.exception("receipt not written", sop_instance_uid=batch[0].arrival.receipt.sop_instance_uid)
            self._give_up(batch, Answer(OUT_OF_RESOURCES, "the ledger could not be written"))
            return
        for one, line in zip(batch, lines, strict=True):
            if one.kept and not line.path:
                with suppress(NodeError):  # a duplicate's bytes: no row names them, so left over they do no harm
                    self._files.remove(one.kept.path)
            one.answer = Answer(line.status, line.reason)
            one.done.set()
            if line.disposition in (Disposition.STORED, Disposition.DUPLICATE, Disposition.CORRECTED):
                self._know(line.series_instance_uid)
        self._stored()

    def _perhaps_written(self, batch: list[_Pending]) -> frozenset[str]:
        """Paths that a row may name although the commit failed: its answer can get lost when the work is done.

        Such a file stays. Without it, the sender's next try would be a duplicate of something that is gone.
        """
        paths = frozenset(one.kept.path for one in batch if one.kept)
        try:
            return self._ledger.named(paths)
        except NodeError:
            return paths

    def _give_up(self, batch: list[_Pending], answer: Answer, stay: frozenset[str] = frozenset()) -> None:
        for one in batch:
            if one.kept and one.kept.path not in stay:
                with suppress(NodeError):
                    self._files.remove(one.kept.path)
            one.answer = answer
            one.done.set()

    def _know(self, series_instance_uid: str) -> None:
        self._known_series[series_instance_uid] = None
        if len(self._known_series) > _KNOWN_SERIES:
            self._known_series.pop(next(iter(self._known_series)))


def _identity(head: bytes, transfer_syntax_uid: str) -> Identity:
    return identity(header(head, transfer_syntax_uid))


class Incoming:
    """One instance on its way in: small ones gather in memory, large ones stream to their file."""

    def __init__(self, reception: Reception, sender: Sender, command: Uids, transfer_syntax_uid: str) -> None:
        self._reception, self._sender, self._command = reception, sender, command
        self._transfer_syntax_uid = transfer_syntax_uid
        self._uids = UNKNOWN
        self._head = bytearray()  # the first HEAD_BYTES of the data set
        self._writer: Writer | None = None
        self._failed: NodeError | None = None
        self._size = 0

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the data set. A full disk is told by `finish`: the sender must be heard out."""
        self._size += len(chunk)
        if self._failed:
            return
        try:
            if self._writer is None and self._size > _IN_MEMORY:
                self._writer = self._begin(bytes(self._head))
            if self._writer:
                self._demand_room(self._writer, len(chunk))
                self._writer.write(chunk)
        except NodeError as failed:
            self._fail(failed)
        room = HEAD_BYTES - len(self._head)
        if room > 0:
            self._head += chunk[:room]

    def _demand_room(self, writer: Writer, more: int) -> None:
        """An instance does not say beforehand how large it is: look again now and then while it streams."""
        if (writer.size + more) // _LOOK_AGAIN > writer.size // _LOOK_AGAIN:
            self._reception.demand_room()

    def _begin(self, so_far: bytes) -> Writer:
        writer = self._reception.open_file()
        writer.write_head(self._file_head())
        writer.write(so_far)
        return writer

    def _file_head(self) -> bytes:
        command = self._command
        sop_class_uid, sop_instance_uid = command.sop_class_uid[:_MAX_UID], command.sop_instance_uid[:_MAX_UID]
        return file_head(sop_class_uid, sop_instance_uid, self._transfer_syntax_uid)

    def _fail(self, failed: NodeError) -> None:
        self._failed = failed
        if self._writer:
            with suppress(NodeError):
                self._writer.discard()
            self._writer = None

    def abandon(self) -> None:
        """The sender went away in the middle: nothing was acknowledged, nothing is kept."""
        if self._writer:
            with suppress(NodeError):
                self._writer.discard()

    def finish(self) -> Answer:
        """Force the bytes to the disk, enter them into the ledger and say what the sender is to be told."""
        with self._reception.coming():
            receipt, head, kept = self._force()
        return replace(self._reception.commit(receipt, head, kept), uids=self._uids)

    def _force(self) -> tuple[Receipt, bytes, Kept | None]:
        head = bytes(self._head)
        self._uids, status, reason = self._judge(head)
        kept: Kept | None = None
        if self._failed is None:
            try:
                kept = self._writer.finish() if self._writer else self._reception.write_file(self._file_head(), head)
            except NodeError as failed:
                self._failed = failed
        if self._failed is not None:
            status, reason = OUT_OF_RESOURCES, str(self._failed)
        disposition = Disposition.STORED if status == SUCCESS else Disposition.REFUSED
        return self._receipt(self._uids, status, reason, disposition, kept), head, kept

    def _judge(self, head: bytes) -> tuple[Uids, int, str]:
        """What the data set says of itself, and whether it may be stored (PS3.4 B.2.3)."""
        command = self._command
        try:
            found = scan(head, self._transfer_syntax_uid)
        except BadInstance as bad:
            return command, CANNOT_UNDERSTAND, str(bad)
        refused = _refusal(command, found)
        known = Uids(
            command.sop_class_uid or found.sop_class_uid,
            command.sop_instance_uid or found.sop_instance_uid,
            found.study_instance_uid,
            found.series_instance_uid,
        )
        return known, (DATA_SET_DOES_NOT_MATCH if refused else SUCCESS), refused

    def _receipt(self, uids: Uids, status: int, reason: str, disposition: Disposition, kept: Kept | None) -> Receipt:
        sender = self._sender
        return Receipt(
            at=self._reception.now(),
            channel=sender.channel,
            calling_ae=_printable(sender.calling_ae, 64),
            called_ae=_printable(sender.called_ae, 64),
            host=_printable(sender.host, 64),
            association=_printable(sender.association, 64),
            sop_class_uid=_printable(uids.sop_class_uid, _MAX_UID),
            sop_instance_uid=_printable(uids.sop_instance_uid, _MAX_UID),
            series_instance_uid=_printable(uids.series_instance_uid, _MAX_UID),
            study_instance_uid=_printable(uids.study_instance_uid, _MAX_UID),
            transfer_syntax_uid=_printable(self._transfer_syntax_uid, _MAX_UID),
            sha256=kept.sha256 if kept else "",
            size=self._size,
            status=status,
            disposition=disposition,
            reason=reason,
            path=kept.path if kept else "",
        )


def _refusal(command: Uids, found: Uids) -> str:
    """Why the data set cannot be stored, as one sentence; "" when it can."""
    for name, asked, said in (
        ("SOP Class UID", command.sop_class_uid, found.sop_class_uid),
        ("SOP Instance UID", command.sop_instance_uid, found.sop_instance_uid),
        ("Study Instance UID", command.study_instance_uid, found.study_instance_uid),
    ):
        if not said:
            return f"the data set has no {name}"
        if asked and asked != said:
            return f"the data set's {name} is not the one of the command"
    if not found.series_instance_uid:
        return "the data set has no Series Instance UID"
    if any(len(uid) > _MAX_UID or not uid.isprintable() for uid in vars(found).values()):
        return f"a UID of the data set is longer than {_MAX_UID} characters or not text"
    return ""


def _printable(text: str, most: int) -> str:
    """Text as any database takes it."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text[:most]


def receive_file(reception: Reception, sender: Sender, path: Path) -> Answer:
    """Receive a DICOM file (PS3.10). Raises BadInstance when it is not one, or cannot be read to its end."""
    try:
        with path.open("rb") as file:
            head = read_head(file.read(1 << 16))
            incoming = reception.incoming(sender, head.sop_class_uid, head.sop_instance_uid, head.transfer_syntax_uid)
            file.seek(head.data_set_at)
            _pass_on(file, incoming)
    except OSError as unreadable:
        raise BadInstance(f"cannot be read ({unreadable.strerror})") from unreadable
    return incoming.finish()


def _pass_on(file: BinaryIO, incoming: Incoming) -> None:
    try:
        while chunk := file.read(1 << 20):
            incoming.write(chunk)
    except OSError:
        incoming.abandon()
        raise
