"""The listener: association policy, presentation contexts, and the life of the server."""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import structlog
from pydicom.uid import UID, AllTransferSyntaxes
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined] # made at import
from pynetdicom.transport import AddressInformation, AssociationSocket, RequestHandler, ThreadedAssociationServer

from node.core.arrival import Sender
from node.core.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.errors import BadConfiguration
from node.pipeline.reception import Incoming, Reception
from node.scp.admission import Admission, Refusal
from node.scp.dimse import Command
from node.scp.reactor import StorageReactor, StoringAssociation

_log = structlog.get_logger(__name__)

# Uncompressed first: what we choose where a sender offers several.
_TRANSFER_SYNTAXES = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    *(uid for uid in AllTransferSyntaxes if uid not in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")),
]


@cache
def storage_contexts() -> tuple[PresentationContext, ...]:
    """Every storage SOP class in every transfer syntax, and Verification."""
    contexts = []
    for one in AllStoragePresentationContexts:
        context = PresentationContext()
        context.abstract_syntax = one.abstract_syntax
        context.transfer_syntax = [UID(uid) for uid in _TRANSFER_SYNTAXES]
        contexts.append(context)
    echo = PresentationContext()
    echo.abstract_syntax = Verification
    echo.transfer_syntax = [UID(uid) for uid in _TRANSFER_SYNTAXES[:2]]
    return (*contexts, echo)


class _Shared(list[PresentationContext]):
    """Contexts that no association changes: pynetdicom deep-copies thousands of objects for each otherwise."""

    def __deepcopy__(self, memo: object) -> _Shared:
        return self


@dataclass(frozen=True)
class Limits:
    """Bounds of the listener."""

    max_associations: int
    max_pdu: int
    stall_seconds: float  # a silent peer is cut off


class Listener:
    """Storage SCP and Verification SCP on one port."""

    def __init__(
        self,
        reception: Reception,
        admission: Admission,
        limits: Limits,
        *,
        note: Callable[[str, str, Refusal | None], None],
    ) -> None:
        """`note` is told of every association request: calling AE title, host, and why it was refused if it was."""
        self._reception, self._admission, self._limits, self._note = reception, admission, limits, note
        ae = AE(ae_title=admission.ae_title)
        ae.maximum_pdu_size = limits.max_pdu
        ae.maximum_associations = limits.max_associations
        ae.network_timeout = limits.stall_seconds
        ae.acse_timeout, ae.dimse_timeout = 30, 60
        ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        self._ae = ae
        self._server: ThreadedAssociationServer | None = None

    def start(self, host: str, port: int) -> int:
        """Listen; returns the port (chosen by the system for 0). Raises BadConfiguration when it is taken."""
        handlers: list[Any] = [(evt.EVT_REQUESTED, self._requested), (evt.EVT_C_ECHO, lambda _event: 0x0000)]
        try:
            server = _Server(
                self._ae, (host, port), self._admission.ae_title, _Shared(storage_contexts()), None, handlers, _Handler
            )
        except OSError as taken:
            what = "is in use" if taken.errno == errno.EADDRINUSE else f"cannot be opened ({taken.strerror})"
            raise BadConfiguration("dicom.port", f"{host}:{port} {what}", "Choose another port") from taken
        server.begin, server.stall_seconds = self._begin, self._limits.stall_seconds
        threading.Thread(target=server.serve_forever, args=(0.1,), name="listener", daemon=True).start()
        self._ae._servers.append(server)  # where pynetdicom's shutdown looks for it
        self._server = server
        bound = server.socket.getsockname() if server.socket else (host, port)
        return int(bound[1])

    def stop(self, grace_seconds: float) -> None:
        """Refuse new associations, let open ones finish for a while, then abort them."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        for association in server.active_associations:
            association.join(grace_seconds)
            if association.is_alive():
                association.abort()
                association.join(1)

    def _requested(self, event: evt.Event) -> None:
        association = event.assoc
        request = cast("A_ASSOCIATE", association.requestor.primitive)
        called, calling, host = request.called_ae_title, request.calling_ae_title, association.requestor.address
        refused = self._admission.judge(called_ae=called, calling_ae=calling, host=host)
        self._note(calling.strip(), host, refused)
        if refused:
            _log.warning("association refused", calling_ae=calling.strip(), host=host, reason=refused.sentence)
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


class _Handler(RequestHandler):
    """Makes an association with our reactor for an accepted connection."""

    server: _Server

    def _create_association(self) -> StoringAssociation:
        server = self.server
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds = int(server.stall_seconds)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", seconds, 0))
        association = StoringAssociation(self.ae, "acceptor")
        association.dul = StorageReactor(association, server.begin, server.stall_seconds)
        association.network_timeout = self.ae.network_timeout
        association._server = server
        association.name = f"AcceptorThread@{self.client_address[0]}:{self.client_address[1]}"
        association.set_socket(AssociationSocket(association, client_socket=self.request))
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = server.contexts
        association.requestor.address_info = AddressInformation.from_tuple(self.client_address)
        self._bind(association)
        return association

    def _bind(self, association: StoringAssociation) -> None:
        for event, bound in self.server._handlers.items():
            handlers: list[Any] = [bound] if isinstance(event, evt.InterventionEvent) else list(bound)
            for handler, args in handlers:
                if handler is not None:
                    association.bind(event, handler, args)
