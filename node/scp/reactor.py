"""pynetdicom's reactor, with a way round it for C-STORE.

pynetdicom reads a PDU in pieces of 4 KiB, copies it several times, hands it between two threads that poll every
millisecond, and decodes the data set's fragments into one buffer. For an instance of 128 KiB that is more work than
storing it durably. Here the thread that reads the socket takes C-STORE messages apart itself and answers them;
everything else (negotiation, C-ECHO, release, abort, other services) goes the usual way, in the usual order.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Protocol

import structlog
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT, A_RELEASE, P_DATA

from node.core.status import OUT_OF_RESOURCES
from node.scp.connections import ready
from node.scp.dimse import P_DATA_TF, Command, Fragment, fragments, read_command, store_response
from node.scp.pdus import PduReader

_log = structlog.get_logger(__name__)

_MAX_PDU = 64 << 20  # a peer may ignore our maximum, not our memory
_MAX_REQUEST = 1 << 20  # before the association is established
_MAX_COMMAND = 1 << 16
_MOST_FRAGMENTS = 1 << 16  # in one PDU, and of one command
_MOST_WAITING = 64 << 20  # bytes of messages that pynetdicom holds, which knows no bound itself
_EACH_WAITING = 16 << 10  # what a message takes there at least, however short it is
_IDLE_S = 0.25  # how often an idle association looks at its timers
_ESTABLISHED = "Sta6"

Primitive = A_ABORT | A_ASSOCIATE | A_P_ABORT | A_RELEASE | P_DATA


class Incoming(Protocol):
    """One instance on its way in."""

    def write(self, chunk: memoryview) -> None: ...

    def finish(self) -> tuple[int, str]:
        """Store it; the status and comment to answer."""

    def abandon(self) -> None: ...


# (association, presentation context's transfer syntax, command) → the instance to be received
Begin = Callable[[Association, str, Command], Incoming]


class StorageReactor(DULServiceProvider):
    """Reads the socket of one association; C-STORE is served right here."""

    def __init__(self, assoc: Association, begin: Begin, stall_seconds: float) -> None:
        super().__init__(assoc)
        self.handed_up = threading.Event()  # something waits for the association's own thread
        self._begin, self._stall_seconds = begin, stall_seconds
        self._waking = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._reader = PduReader()
        self._undecided: list[bytes] = []  # PDUs of a message whose command is not whole yet
        self._command = bytearray()
        self._foreign = False  # within a message that is not ours
        self._waiting = 0  # bytes of such messages since none of them waited
        self._storing: tuple[Command, Incoming] | None = None  # the request that is being received
        self._run_loop_delay = 0  # this reactor waits in select, not in sleep

    # Waiting: for the socket, or for the other thread to give us something to send.

    def send_pdu(self, primitive: Primitive) -> None:
        super().send_pdu(primitive)
        self._rouse()

    def kill_dul(self) -> None:
        super().kill_dul()
        self._rouse()

    def _rouse(self) -> None:
        with self._waking:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        except Exception as broken:  # noqa: BLE001 # a foreign state machine on a peer's bytes
            _log.warning("association broke", calling_ae=self.assoc.requestor.ae_title, fault=type(broken).__name__)
            if self.socket:
                self.socket.close()
        finally:
            self._forget()
            self.handed_up.set()
            if self.assoc.requestor.primitive is None:
                # The association's thread waits 30 s for a request that will not come: this is pynetdicom's time-out
                nothing: Any = None
                self.to_user_queue.put(nothing)
            with self._waking:  # the number may be another file's as soon as it is closed
                wake, self._wake = self._wake, -1
                os.close(wake)

    def _is_transport_event(self) -> bool:
        connection = self.socket.socket if self.socket else None
        if connection is None or self.state_machine.current_state == "Sta13":
            return bool(super()._is_transport_event())
        if not self._readable(connection):
            return False
        self._read()
        while (self._storing or self._undecided) and not self.event_queue.qsize() and self._readable(connection):
            self._read()  # the rest of a message is on its way
        return True

    def _readable(self, connection: socket.socket) -> bool:
        if self._reader.buffered or (isinstance(connection, ssl.SSLSocket) and connection.pending()):
            return True
        try:
            said = ready([connection.fileno(), self._wake], 0.0 if self.event_queue.qsize() else _IDLE_S)
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False
        if self._wake in said:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        return connection.fileno() in said

    # Reading.

    def _read(self) -> None:
        """Read one PDU (PS3.8 9.3.1) and serve it or pass it on."""
        pdu = self._next_pdu()
        if pdu is None:
            self._forget()
            self.event_queue.put("Evt17")  # transport connection closed (PS3.8 9.2)
            self.handed_up.set()
        elif pdu[0] == P_DATA_TF and self.state_machine.current_state == _ESTABLISHED:
            self._serve(pdu)
        else:
            self._forget()
            self._pass_on(bytes(pdu))

    def _next_pdu(self) -> memoryview | None:
        connection = self.socket.socket if self.socket else None
        if connection is None:
            return None
        return self._reader.next(
            connection, _MAX_PDU if self.state_machine.current_state == _ESTABLISHED else _MAX_REQUEST
        )

    def _pass_on(self, pdu: bytes) -> None:
        """Hand a PDU to pynetdicom's state machine; one it cannot decode aborts the association (Evt19)."""
        try:
            decoded, event = self._decode_pdu(bytearray(pdu))
        except Exception as broken:  # noqa: BLE001 # decoders of a foreign library on a peer's bytes
            _log.warning("PDU not understood", fault=type(broken).__name__)
            self.event_queue.put("Evt19")
        else:
            self.event_queue.put(event)
            self._recv_pdu.put(decoded)
        self.handed_up.set()

    # Serving C-STORE.

    def _serve(self, pdu: memoryview) -> None:
        try:
            parts = list(islice(fragments(pdu), _MOST_FRAGMENTS + 1))
        except ValueError:
            self._refuse()
            return
        if len(parts) > _MOST_FRAGMENTS:
            self._refuse()
        elif self._foreign:
            self._pass_foreign(bytes(pdu), parts)
        elif self._storing or self._decide(pdu, parts):
            self._take(parts)

    def _decide(self, pdu: memoryview, parts: list[Fragment]) -> bool:
        """Gather a command; True when it is a C-STORE request and the rest of this PDU belongs to it."""
        self._undecided.append(bytes(pdu))
        for part in parts:
            if not part.is_command:
                self._refuse()  # a data set that no command announced (PS3.7 6.3)
                return False
            self._command += part.data
            if part.is_last:
                return self._open(part.context_id, parts)
        if len(self._command) > _MAX_COMMAND or len(self._undecided) > _MOST_FRAGMENTS:
            self._refuse()
        return False

    def _refuse(self) -> None:
        """The peer does not keep to the protocol: abort (PS3.8 9.2, Evt19)."""
        self._forget()
        self.event_queue.put("Evt19")
        self.handed_up.set()

    def _open(self, context_id: int, parts: list[Fragment]) -> bool:
        encoded, self._command = bytes(self._command), bytearray()
        pdus, self._undecided = self._undecided, []
        contexts = {one.context_id: one for one in self.assoc.accepted_contexts}
        try:
            request = read_command(encoded)
        except ValueError:
            self._refuse()
            return False
        if request.is_store_request and request.has_data_set and context_id in contexts:
            transfer_syntax = str(contexts[context_id].transfer_syntax[0])
            self._storing = request, self._begin(self.assoc, transfer_syntax, request)
            return True
        if self.assoc.dimse.msg_queue.empty():
            self._waiting = 0
        self._waiting += _EACH_WAITING
        ended = any(part.is_last and not part.is_command for part in parts)
        self._foreign = request.has_data_set and not ended
        self._hand_on(pdus)
        return False

    def _pass_foreign(self, pdu: bytes, parts: list[Fragment]) -> None:
        self._foreign = not any(part.is_last and not part.is_command for part in parts)
        self._hand_on([pdu])

    def _hand_on(self, pdus: Sequence[bytes]) -> None:
        """Leave a message, or some of it, to pynetdicom, which holds it whole; but no more than is fair."""
        self._waiting += sum(len(one) for one in pdus)
        if self._waiting > _MOST_WAITING:
            _log.warning("association broke", calling_ae=self.assoc.requestor.ae_title, fault="its messages do not end")
            self._refuse()
            return
        for one in pdus:
            self._pass_on(one)

    def _take(self, parts: list[Fragment]) -> None:
        for part in parts:
            if part.is_command or self._storing is None:
                continue
            request, incoming = self._storing
            incoming.write(part.data)
            if part.is_last:
                self._storing = None
                self._answer(part.context_id, request, incoming)

    def _answer(self, context_id: int, request: Command, incoming: Incoming) -> None:
        try:
            status, comment = incoming.finish()
        except Exception:  # noqa: BLE001 # a protocol handler: the sender hears "try again", we keep the traceback
            _log.exception("instance not stored", calling_ae=self.assoc.requestor.ae_title)
            status, comment = OUT_OF_RESOURCES, "the node failed to store the instance"
        connection = self.socket.socket if self.socket else None
        try:
            if connection:
                connection.sendall(store_response(context_id, request, status, comment))
        except OSError:
            self.event_queue.put("Evt17")

    def _forget(self) -> None:
        """The message in progress will not be finished: nothing of it was acknowledged."""
        if self._storing:
            self._storing[1].abandon()
            self._storing = None
        self._undecided, self._command, self._foreign = [], bytearray(), False
