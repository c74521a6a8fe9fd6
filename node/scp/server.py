"""The listener: association policy, ports, and the life of the server."""

from __future__ import annotations

import errno
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import AddressInformation, RequestHandler, ThreadedAssociationServer

from node.core.arrival import Sender
from node.core.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.errors import BadConfiguration
from node.pipeline.reception import Incoming, Reception
from node.scp.admission import CONGESTED, FULL, Admission, Caller, Refusal, Seats
from node.scp.association import StoringAssociation
from node.scp.connections import Connection, Connections
from node.scp.contexts import VERIFICATION, Service, Shared, offered
from node.scp.dimse import Command
from node.scp.reactor import StorageReactor
from node.scp.tls import Certificates, common_name, handshake

_log = structlog.get_logger(__name__)
_MORE_CONNECTIONS = 100  # that ask for an association, are refused one, or are about to close


@dataclass(frozen=True)
class Limits:
    """Bounds of the listener."""

    max_associations: int
    max_pdu: int
    stall_seconds: float  # a silent peer is cut off


class Listener:
    """Storage SCP, Verification SCP and the services given, on one plain port, one TLS port, or both."""

    def __init__(
        self,
        reception: Reception,
        admission: Admission,
        limits: Limits,
        *,
        note: Callable[[Caller, Refusal | None], None],
        services: Sequence[Service] = (),
    ) -> None:
        """`note` is told of every association request, and why it was refused if it was."""
        self._reception, self._admission, self._limits, self._note = reception, admission, limits, note
        self._services = (VERIFICATION, *services)
        self._offered: dict[tuple[Service, ...], Shared] = {}
        self._seats = Seats(limits.max_associations)
        self._connections = Connections(limits.max_associations + _MORE_CONNECTIONS)
        ae = AE(ae_title=admission.ae_title)
        ae.maximum_pdu_size = limits.max_pdu
        ae.maximum_associations = 1 << 16  # we count ourselves: pynetdicom counts connections that ask for nothing
        ae.network_timeout = limits.stall_seconds
        ae.acse_timeout, ae.dimse_timeout = 30, 60
        ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._ae = ae
        self._servers: list[_Server] = []

    def start(self, host: str, port: int, certificates: Certificates | None = None) -> int:
        """Listen; returns the port (chosen by the system for 0). With certificates it speaks TLS only.

        Raises BadConfiguration when the port is taken or the certificates cannot be used.
        """
        if certificates:
            certificates.check()
        key = "dicom.tls_port" if certificates else "dicom.port"
        try:
            server = _Server(self._ae, (host, port), self._admission.ae_title, self._contexts(), None, [], _Handler)
        except OSError as taken:
            what = "is in use" if taken.errno == errno.EADDRINUSE else f"cannot be opened ({taken.strerror})"
            raise BadConfiguration(key, f"{host}:{port} {what}", "Choose another port") from taken
        for event, handler in self._handlers():
            server.bind(event, handler)
        server.begin, server.stall_seconds, server.certificates, server.offered = (
            self._begin,
            self._limits.stall_seconds,
            certificates,
            self._contexts,
        )
        server.connections = self._connections
        threading.Thread(target=server.serve_forever, args=(0.1,), name="listener", daemon=True).start()
        self._ae._servers.append(server)  # where pynetdicom's shutdown looks for it
        self._servers.append(server)
        bound = server.socket.getsockname() if server.socket else (host, port)
        return int(bound[1])

    def _contexts(self) -> Shared:
        """What is offered to the next association."""
        now = tuple(one for one in self._services if one.is_offered())
        if now not in self._offered:
            self._offered[now] = offered(now)
        return self._offered[now]

    def _handlers(self) -> list[tuple[evt.EventType, Callable[[evt.Event], Any]]]:
        """One handler an event: pynetdicom binds no more."""
        events: list[tuple[evt.EventType, Callable[[evt.Event], Any]]] = [(evt.EVT_REQUESTED, self._requested)]
        by_event: dict[evt.InterventionEvent, dict[str, Callable[[evt.Event], Any]]] = {}
        for service in self._services:
            for event, handler in service.handlers:
                by_event.setdefault(event, {}).update(dict.fromkeys(service.sop_class_uids, handler))
        return [*events, *((event, _by_sop_class(handlers)) for event, handlers in by_event.items())]

    def stop(self, grace_seconds: float) -> None:
        """Refuse new associations, let open ones finish for a while, then abort them."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.shutdown()
            server.server_close()
        until = time.monotonic() + grace_seconds
        for association in [one for server in servers for one in server.active_associations]:
            if association.is_established:
                association.join(max(0.0, until - time.monotonic()))
            _end(association)

    def _requested(self, event: evt.Event) -> None:
        association = event.assoc
        try:
            caller = _caller(association)
            refused = self._judge(association, caller)
        except Exception:  # noqa: BLE001 # pynetdicom would go on and accept: whoever cannot be judged may try again
            _log.exception("association not judged", host=association.requestor.address)
            self._reject(association, CONGESTED)
            return
        if refused:
            _log.warning("association refused", calling_ae=caller.calling_ae, host=caller.host, reason=refused.sentence)
            self._reject(association, refused)
        try:
            self._note(caller, refused)
        except Exception:  # noqa: BLE001 # a protocol handler: the list of senders is not worth an association
            _log.exception("sender not noted", host=caller.host)

    def _judge(self, association: Association, caller: Caller) -> Refusal | None:
        refused = self._admission.judge(caller)
        if refused is None and not self._seats.take(association):
            return FULL
        return refused

    def _reject(self, association: Association, refused: Refusal) -> None:
        association.acse.send_reject(refused.result, refused.source, refused.diagnostic)
        association.is_rejected = True
        association.kill()

    def _begin(self, association: StoringAssociation, transfer_syntax_uid: str, command: Command) -> _Receiving:
        sender = Sender(
            channel="dicom",
            calling_ae=association.requestor.ae_title.strip(),
            called_ae=association.acceptor.ae_title.strip(),
            host=association.requestor.address,
            association=association.name,
        )
        return _Receiving(
            self._reception.incoming(sender, command.sop_class_uid, command.sop_instance_uid, transfer_syntax_uid)
        )


def _end(association: Association) -> None:
    """Abort what is still open; a connection that never asked for an association is just closed."""
    if not association.is_alive():
        return
    if association.is_established and association.dul.is_alive():
        association.abort()
    else:
        nothing: Any = None
        association.dul.to_user_queue.put(
            nothing
        )  # what it waits for, up to 30 s: pynetdicom takes it for its time-out
    association.join(1)


def _caller(association: Association) -> Caller:
    request = cast("A_ASSOCIATE", association.requestor.primitive)
    connection = association.dul.socket.socket if association.dul.socket else None
    return Caller(
        calling_ae=request.calling_ae_title.strip(),
        called_ae=request.called_ae_title.strip(),
        host=association.requestor.address,
        certificate_name=common_name(connection) if connection else "",
        proposed=tuple(dict.fromkeys(str(one.abstract_syntax) for one in request.presentation_context_definition_list)),
    )


def _by_sop_class(handlers: dict[str, Callable[[evt.Event], Any]]) -> Callable[[evt.Event], Any]:
    """Several services use the same message: the presentation context says which is meant."""
    return lambda event: handlers[str(event.context.abstract_syntax)](event)


class _Receiving:
    """Fits the reception's Incoming to the reactor, which knows statuses only."""

    def __init__(self, incoming: Incoming) -> None:
        self.write, self.abandon = incoming.write, incoming.abandon
        self._incoming = incoming

    def finish(self) -> tuple[int, str]:
        answer = self._incoming.finish()
        return answer.status, answer.reason


class _Server(ThreadedAssociationServer):
    """pynetdicom's server; says who receives."""

    request_queue_size = 128
    begin: Callable[..., _Receiving]
    stall_seconds: float
    certificates: Certificates | None = None
    offered: Callable[[], Shared]
    connections: Connections

    def handle_error(self, _request: object, client_address: Any) -> None:
        """socketserver would print a traceback. A peer that is gone already is nothing to tell."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            _log.exception("connection not served", host=client_address[0])


class _Handler(RequestHandler):
    """Makes an association with our reactor for an accepted connection, in a thread of its own."""

    server: _Server

    def handle(self) -> None:
        """Speak TLS first where that is asked for: here, and so nobody else has to wait for this peer."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.server.certificates:
            secured = handshake(self.request, self.server.certificates, self.client_address[0])
            if secured is None:
                return
            # ssl does not heed SO_RCVTIMEO on a blocking socket: it would wait for ever
            secured.settimeout(self.server.stall_seconds)
            self.request = secured
        else:
            seconds = int(self.server.stall_seconds)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", seconds, 0))
        super().handle()

    def _create_association(self) -> StoringAssociation:
        server = self.server
        association = StoringAssociation(self.ae, "acceptor")
        association.dul = StorageReactor(association, server.begin, server.stall_seconds)
        association.network_timeout = self.ae.network_timeout
        association._server = server
        association.name = self._name()
        association.set_socket(Connection(association, client_socket=self.request))
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = server.offered()
        association.requestor.address_info = AddressInformation.from_tuple(self.client_address)
        self._bind(association)
        server.connections.come(association)
        return association

    def _name(self) -> str:
        """The ledger keeps it with every receipt; pynetdicom knows acceptors by its beginning."""
        name = f"AcceptorThread@{self.client_address[0]}:{self.client_address[1]}"
        shown = common_name(self.request)
        return f"{name} CN={shown}" if shown else name

    def _bind(self, association: StoringAssociation) -> None:
        for event, bound in self.server._handlers.items():
            handlers: list[Any] = [bound] if isinstance(event, evt.InterventionEvent) else list(bound)
            for handler, args in handlers:
                if handler is not None:
                    association.bind(event, handler, args)
