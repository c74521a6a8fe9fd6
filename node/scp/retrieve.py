"""Retrieve SCP (PS3.4 annex C): C-MOVE to application entities that are known, and C-GET.

Instances go as they are stored: to a peer that takes their transfer syntax, or another uncompressed one where they are
uncompressed. What cannot be sent is a failed sub-operation, named in the last response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import structlog
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import build_context, evt
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_MOVE
from pynetdicom.presentation import PresentationContext

from node.adapters.association import RemoteAE
from node.adapters.database.index.documents import Held
from node.adapters.headers import demand_inflatable
from node.core.audit import What
from node.core.audit.parts import AE_PREFIX
from node.core.dicomweb.identifier import read_retrieve
from node.core.encoded import IMPLICIT_LITTLE_ENDIAN, UNREADABLE
from node.errors import NodeError
from node.pipeline.access.reads import Reads
from node.pipeline.archive import Archive
from node.pipeline.archive.dimse import to_send
from node.scp.contexts import Service
from node.scp.query import failed, reader
from node.scp.transfers import Transfers

_log = structlog.get_logger(__name__)

MOVE = ("1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.2.2")  # Patient Root, Study Root
GET = ("1.2.840.10008.5.1.4.1.2.1.3", "1.2.840.10008.5.1.4.1.2.2.3")
_NEXT, _CANCELED, _UNABLE = 0xFF00, 0xFE00, 0xC001
_EXPLICIT = "1.2.840.10008.1.2.1"
_MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255
_Known = Callable[[str], RemoteAE | None]


def move(archive: Archive, known: _Known, reads: Reads) -> Service:
    """The service, as the listener takes it. `known`: where an AE title is to be reached, None for a stranger."""
    return Service(MOVE, ((evt.EVT_C_MOVE, lambda event: _move(archive, known, reads, event)),))


def get(archive: Archive, reads: Reads) -> Service:
    """The service, as the listener takes it."""
    return Service(GET, ((evt.EVT_C_GET, lambda event: _get(archive, reads, event)),), returns_instances=True)


def _move(archive: Archive, known: _Known, reads: Reads, event: evt.Event) -> Iterator[Any]:
    """What pynetdicom wants in turn: where to, how many, and each instance."""
    peer = known((cast("C_MOVE", event.request).MoveDestination or "").strip())
    if peer is None:
        yield None, None  # A801: Move Destination unknown
        return
    held, fault = _wanted(archive, event)
    tls = {"tls_args": (peer.tls, None)} if peer.tls else {}
    transfers = Transfers(peer.ae_title, peer.host)
    asked_by = event.assoc.requestor.ae_title.strip()
    handlers = [(evt.EVT_DIMSE_RECV, transfers.answered), (evt.EVT_DIMSE_SENT, _name_originator, [asked_by])]
    yield peer.host, peer.port, {"contexts": _contexts(held), "evt_handlers": handlers, **tls}
    yield from _told(_instances(archive, held, fault, event, transfers), transfers, reads, event)


def _name_originator(event: evt.Event, asked_by: str) -> None:
    """Who asked for the C-MOVE (PS3.7 9.1.1.1). pynetdicom names this node, of whom some peers take nothing."""
    if isinstance(event.message, C_STORE_RQ):
        event.message.command_set.MoveOriginatorApplicationEntityTitle = asked_by
        event.message._set_command_group_length()


def _get(archive: Archive, reads: Reads, event: evt.Event) -> Iterator[Any]:
    held, fault = _wanted(archive, event)
    who = reader(event)
    transfers = Transfers(who.name.removeprefix(AE_PREFIX), who.address)
    event.assoc.bind(evt.EVT_DIMSE_RECV, transfers.answered)
    try:
        yield from _told(_instances(archive, held, fault, event, transfers), transfers, reads, event)
    finally:
        event.assoc.unbind(evt.EVT_DIMSE_RECV, transfers.answered)


def _told(instances: Iterator[Any], transfers: Transfers, reads: Reads, event: evt.Event) -> Iterator[Any]:
    """The audit trail is told of what was taken, also when the association ends on the way."""
    try:
        yield from instances
    finally:
        for on, after in transfers.lines():
            reads.tell(What.SENT, on, after, reader(event))


def _wanted(archive: Archive, event: evt.Event) -> tuple[list[Held], str]:
    """The instances, or why there are none to be had."""
    try:
        return to_send(archive, read_retrieve(event.identifier)), ""
    except NodeError as wrong:
        return [], str(wrong)
    except UNREADABLE as broken:  # its own words may be a patient's
        caller = event.assoc.requestor.ae_title.strip()
        _log.error("retrieval not understood", calling_ae=caller, reason=type(broken).__name__)
        return [], "the identifier cannot be understood"


def _instances(
    archive: Archive, held: Sequence[Held], fault: str, event: evt.Event, transfers: Transfers
) -> Iterator[Any]:
    if fault:
        yield 1  # pynetdicom asks for a number before it takes a failure
        yield failed(_UNABLE, fault), None
        return
    yield len(held)
    for one in held:
        if event.is_cancelled:
            yield _CANCELED, None
            return
        ds = _read(archive, one)
        with transfers.sending(one):
            yield _NEXT, ds


def _read(archive: Archive, one: Held) -> Dataset:
    """The instance; only its UID when it cannot be read, which makes a failed sub-operation."""
    try:
        path = archive.path(one)
        demand_inflatable(path)
        return dcmread(path)
    except (NodeError, *UNREADABLE):
        _log.warning("instance not sent", sop_instance_uid=one.sop_instance_uid, reason="its file cannot be read")
        nothing = Dataset()
        nothing.SOPInstanceUID = one.sop_instance_uid
        return nothing


def _contexts(held: Sequence[Held]) -> list[PresentationContext]:
    """One for each SOP class and transfer syntax, and Implicit VR for what is uncompressed."""
    kinds = {(one.sop_class_uid, one.transfer_syntax_uid) for one in held}
    plain = {(sop_class, IMPLICIT_LITTLE_ENDIAN) for sop_class, syntax in kinds if syntax == _EXPLICIT}
    return [build_context(*kind) for kind in sorted(kinds | plain)[:_MOST_CONTEXTS]] or [build_context(_VERIFICATION)]


_VERIFICATION = "1.2.840.10008.1.1"  # when there is nothing to send: an association needs some context
