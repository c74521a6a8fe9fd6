"""Storage SCU (PS3.4 annex B): sends DICOM files byte for byte over one association.

pynetdicom's own `send_c_store` decodes and encodes again; so messages go through the DIMSE provider directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext

from node.adapters.association import UNCOMPRESSED, NothingAcceptedError, RemoteAE, negotiated
from node.core.encoded import UNREADABLE, scan
from node.core.part10 import Head, read_head
from node.errors import BadInstance, DestinationUnavailable

_EXPLICIT, _IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
_CONVERTIBLE = frozenset({_EXPLICIT, _IMPLICIT})
_NO_CONTEXT = "no presentation context accepted for this SOP class and transfer syntax"
_VERIFICATION = "1.2.840.10008.1.1"
_MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255


Peer = RemoteAE  # a Storage SCP


@dataclass(frozen=True)
class Answered:
    """What the peer said to one file. `status` is None when no presentation context takes it."""

    path: Path
    status: int | None
    comment: str


def read_file_head(path: Path) -> Head:
    """File meta information of a file. Raises BadInstance when it is not a DICOM file.

    A C-STORE names the instance as its data set does (PS3.7 9.1.1.1.4); in files that somebody changed or copied, file
    meta information may still name another.
    """
    try:
        with path.open("rb") as file:
            start = file.read(1 << 16)
    except OSError as unreadable:
        raise BadInstance(f"cannot be read ({unreadable.strerror})") from unreadable
    head = read_head(start)
    try:
        said = scan(start[head.data_set_at :], head.transfer_syntax_uid)
    except BadInstance:
        return head
    return replace(
        head,
        sop_class_uid=said.sop_class_uid or head.sop_class_uid,
        sop_instance_uid=said.sop_instance_uid or head.sop_instance_uid,
    )


def send(peer: Peer, files: Sequence[tuple[Path, Head]]) -> Iterator[Answered]:
    """Send files in order, yielding each answer. Raises DestinationUnavailable when the peer cannot be used.

    More kinds of files than one association can negotiate are sent over several.
    """
    for group in _groups(files):
        try:
            yield from _send_group(peer, group)
        except NothingAcceptedError:
            yield from (Answered(path, None, _NO_CONTEXT) for path, _ in group)


def _send_group(peer: Peer, group: Sequence[tuple[Path, Head]]) -> Iterator[Answered]:
    kinds = {(head.sop_class_uid, head.transfer_syntax_uid) for _, head in group}
    with negotiated(peer, _contexts(kinds)) as association:
        for number, (path, head) in enumerate(group):
            try:
                yield _send_one(association, peer, path, head, number % 0xFFFF + 1)
            except BadInstance as bad:
                yield Answered(path, None, str(bad))


def echo(peer: Peer) -> bool:
    """C-ECHO. False when the peer takes associations, but none for this: it is there, and may well store.

    Raises DestinationUnavailable when it does not answer.
    """
    try:
        with negotiated(peer, [build_context(_VERIFICATION, UNCOMPRESSED)]) as association:
            status = association.send_c_echo()
            if not status or status.Status != 0:
                raise DestinationUnavailable(f"{peer} does not answer C-ECHO")
    except NothingAcceptedError:
        return False
    return True


def _groups(files: Iterable[tuple[Path, Head]]) -> Iterator[list[tuple[Path, Head]]]:
    group: list[tuple[Path, Head]] = []
    kinds: set[tuple[str, str]] = set()
    for one in files:
        kind = (one[1].sop_class_uid, one[1].transfer_syntax_uid)
        if len({*kinds, kind} | {(uid, _IMPLICIT) for uid, _ in {*kinds, kind}}) > _MOST_CONTEXTS:
            yield group
            group, kinds = [], set()
        group.append(one)
        kinds.add(kind)
    if group:
        yield group


def _contexts(kinds: set[tuple[str, str]]) -> list[PresentationContext]:
    """One context per SOP class and transfer syntax, so that the peer can take each it knows (PS3.8 9.3.2.2)."""
    wanted = set(kinds)
    for sop_class_uid, transfer_syntax_uid in kinds:
        if transfer_syntax_uid in _CONVERTIBLE:
            wanted.add((sop_class_uid, _IMPLICIT))
    return [build_context(sop_class, syntax) for sop_class, syntax in sorted(wanted)]


def _send_one(association: Association, peer: Peer, path: Path, head: Head, message_id: int) -> Answered:
    context = _context_for(association, head)
    if context is None or context.context_id is None:
        return Answered(path, None, _NO_CONTEXT)
    request = C_STORE()
    request.MessageID = message_id
    request.AffectedSOPClassUID = UID(head.sop_class_uid)
    request.AffectedSOPInstanceUID = UID(head.sop_instance_uid)
    request.Priority = 0x02
    request.DataSet = BytesIO(_data_set(path, head, str(context.transfer_syntax[0])))
    association.dimse.send_msg(request, context.context_id)
    _, response = association.dimse.get_msg(block=True)
    status = response.Status if isinstance(response, C_STORE) else None
    if not isinstance(response, C_STORE) or status is None:
        if association.is_established:
            association.abort()
        raise DestinationUnavailable(f"{peer} did not answer a C-STORE")
    comment: str | None = response.ErrorComment
    said = comment if comment else ""
    return Answered(path, status, "".join(letter if letter.isprintable() else "?" for letter in said))


def _context_for(association: Association, head: Head) -> PresentationContext | None:
    mine = [one for one in association.accepted_contexts if one.abstract_syntax == head.sop_class_uid]
    for one in mine:
        if one.transfer_syntax[0] == head.transfer_syntax_uid:
            return one
    if head.transfer_syntax_uid in _CONVERTIBLE:
        return next((one for one in mine if str(one.transfer_syntax[0]) in _CONVERTIBLE), None)
    return None


def _data_set(path: Path, head: Head, transfer_syntax_uid: str) -> bytes:
    """The encoded data set; written anew only when the peer insists on Implicit VR Little Endian, or on Explicit."""
    if transfer_syntax_uid == head.transfer_syntax_uid:
        with path.open("rb") as file:
            file.seek(head.data_set_at)
            return file.read()
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, transfer_syntax_uid == _IMPLICIT
    try:
        ds: Dataset = dcmread(path)
        del ds.file_meta
        write_dataset(buffer, ds)
    except UNREADABLE as broken:
        raise BadInstance("cannot be converted to the transfer syntax that the peer takes") from broken
    return buffer.getvalue()
