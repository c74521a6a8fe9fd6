"""Short associations that the node opens itself, as SCU: to ask (C-FIND) and to report (N-EVENT-REPORT)."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext

from pydicom.uid import UID
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation

from node.core.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.errors import DestinationUnavailable

_SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]


@dataclass(frozen=True)
class RemoteAE:
    """An application entity that accepts associations."""

    ae_title: str
    host: str
    port: int
    calling_ae: str
    timeout_seconds: float
    tls: SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


@contextmanager
def associated(
    remote: RemoteAE, sop_class_uid: str, roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = ()
) -> Iterator[Association]:
    """An association for one SOP class, released at the end. Raises DestinationUnavailable when there is none.

    Good for one message: pynetdicom's reactor is stopped, so that it cannot take the answer of a fast peer away.
    """
    ae = AE(ae_title=remote.calling_ae)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = remote.timeout_seconds
    ae.network_timeout = None
    opened: list[socket.socket] = []
    association = ae.associate(
        remote.host,
        remote.port,
        contexts=[build_context(sop_class_uid, _SYNTAXES)],
        ae_title=remote.ae_title,
        ext_neg=list(roles) or None,
        tls_args=(remote.tls, remote.host) if remote.tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))],
    )
    try:
        _demand(association, remote)
        _stop_reactor(association)
        yield association
    finally:
        _end(association, opened)


def _demand(association: Association, remote: RemoteAE) -> None:
    if not association.is_established:
        why = "rejects the association" if association.is_rejected else "cannot be reached"
        raise DestinationUnavailable(f"{remote} {why}")
    if not association.accepted_contexts:
        raise DestinationUnavailable(f"{remote} does not offer this service")


def _stop_reactor(association: Association) -> None:
    """Let the association's own thread come to rest before the first message (see destinations.storescu)."""
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
