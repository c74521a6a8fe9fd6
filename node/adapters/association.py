"""Associations that the node opens itself, as SCU: to send, to ask and to report."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext

from pydicom.uid import UID
from pynetdicom import AE, build_context, evt
from pynetdicom._handlers import standard_pdu_recv_handler
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket

from node.core.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.core.rejection import reason_and_cure
from node.errors import AssociationRejected, DestinationUnavailable

UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]  # little endian: explicit VR, implicit VR
_MAX_PDU = 262144


@dataclass(frozen=True)
class RemoteAE:
    """An application entity that accepts associations."""

    ae_title: str
    host: str
    port: int
    calling_ae: str
    timeout_seconds: float = 60
    tls: SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


class _Connection(AssociationSocket):
    """pynetdicom asks select(), which fails for every file descriptor from 1024 on, however few are asked about; and it
    leaves a socket open that was not connected or whose peer went first, as then there is nothing to shut down."""

    @property
    def ready(self) -> bool:
        """Whether there is something to read."""
        if self.socket is None or not self._is_connected:
            return False
        poll = select.poll()
        try:
            poll.register(self.socket, select.POLLIN)
        except ValueError:
            self.event_queue.put("Evt17")  # closed (PS3.8 9.2)
            return False
        return bool(poll.poll(0)) or bool(getattr(self.socket, "pending", int)())

    def _shutdown_socket(self) -> None:
        super()._shutdown_socket()
        if self.socket:
            self.socket.close()


class _AE(AE):
    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        connection = _Connection(assoc, address=address)
        connection.tls_args = tls_args
        return connection


class NothingAcceptedError(Exception):
    """The peer accepted the association, but no presentation context."""


@contextmanager
def associated(
    remote: RemoteAE, sop_class_uid: str, roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = ()
) -> Iterator[Association]:
    """An association for one SOP class. Raises DestinationUnavailable when there is none."""
    try:
        with negotiated(remote, [build_context(sop_class_uid, UNCOMPRESSED)], roles) as association:
            yield association
    except NothingAcceptedError as refused:
        raise DestinationUnavailable(f"{remote} does not offer this service") from refused


@contextmanager
def negotiated(
    remote: RemoteAE,
    contexts: Sequence[PresentationContext],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
) -> Iterator[Association]:
    """An association, released at the end.

    Raises DestinationUnavailable when there is none, NothingAcceptedError when it would be good for nothing.
    pynetdicom's reactor is stopped before the first message: it could take the answer of a fast peer away, since both
    look at one queue, and the flag that should keep them apart is checked before it is set.
    """
    ae = _AE(ae_title=remote.calling_ae)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = remote.timeout_seconds
    ae.network_timeout = None
    opened: list[socket.socket] = []
    rejections: list[tuple[str, str]] = []
    association = ae.associate(
        remote.host,
        remote.port,
        contexts=list(contexts),
        ae_title=remote.ae_title,
        max_pdu=_MAX_PDU,
        ext_neg=list(roles) or None,
        tls_args=(remote.tls, remote.host) if remote.tls else None,
        evt_handlers=[
            (evt.EVT_CONN_OPEN, _note_connection, [opened]),
            (evt.EVT_PDU_RECV, _note_rejection, [rejections]),
        ],
    )
    try:
        _demand(association, remote, rejections)
        _stop_reactor(association)
        yield association
    finally:
        _end(association, opened)


def _note_connection(event: evt.Event, opened: list[socket.socket]) -> None:
    # It only logs, and where it fails at numbers that PS3.8 reserves, nobody after it is told.
    event.assoc.unbind(evt.EVT_PDU_RECV, standard_pdu_recv_handler)
    connection = event.assoc.dul.socket
    if connection and connection.socket:
        # An SR is smaller than one segment: Nagle's algorithm would hold it back for 40 ms.
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.append(connection.socket)


def _note_rejection(event: evt.Event, rejections: list[tuple[str, str]]) -> None:
    if not isinstance(event.pdu, A_ASSOCIATE_RJ):
        return
    pdu, assoc = event.pdu, event.assoc
    result, source, reason = (number or 0 for number in (pdu.result, pdu.source, pdu.reason_diagnostic))
    rejections.append(reason_and_cure(result, source, reason, assoc.requestor.ae_title, assoc.acceptor.ae_title))
    # Of numbers that PS3.8 reserves pynetdicom's thread would die, and the time-out pass before anything is told; with
    # result 0 it would take the association for accepted.
    pdu.result = pdu.source = pdu.reason_diagnostic = 1


def _demand(association: Association, remote: RemoteAE, rejections: Sequence[tuple[str, str]]) -> None:
    if association.is_established:
        return
    if association.rejected_contexts:
        raise NothingAcceptedError
    if rejections:
        what, cure = rejections[-1]
        raise AssociationRejected(f"{remote} {what}", cure)
    raise DestinationUnavailable(f"{remote} cannot be reached")


def _stop_reactor(association: Association) -> None:
    """Let the association's own thread come to rest."""
    association._reactor_checkpoint.clear()
    quiet_since = time.monotonic()
    while association.is_alive() and time.monotonic() - quiet_since < 0.01:
        if not association._is_paused:
            quiet_since = time.monotonic()
        time.sleep(0.001)


def _end(association: Association, opened: Sequence[socket.socket]) -> None:
    if association.is_established:
        association.release()
    for connection in opened:  # pynetdicom leaves it open when the peer went first
        connection.close()
