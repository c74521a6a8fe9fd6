"""Query SCP (PS3.4 annex C): C-FIND over the archive's index, Study Root and Patient Root."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt

from node.core.audit import What
from node.core.audit.identifier import identifier_text
from node.core.audit.messages import PATIENT_ROOT, STUDY_ROOT
from node.core.audit.parts import AE_PREFIX
from node.core.dicomweb.identifier import answer, read_find
from node.core.encoded import UNREADABLE
from node.core.status import OUT_OF_RESOURCES
from node.errors import NodeError, Usage
from node.pipeline.access.reads import Reader, Reads
from node.pipeline.archive import Archive
from node.pipeline.archive.dimse import every
from node.scp.contexts import Service

_log = structlog.get_logger(__name__)

FIND = ("1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1")  # Patient Root, Study Root
_MATCH, _CANCELED, _IDENTIFIER_DOES_NOT_MATCH, _UNABLE = 0xFF00, 0xFE00, 0xA900, 0xC001
_ROOTS = dict(zip(FIND, (PATIENT_ROOT, STUDY_ROOT), strict=True))
_Answer = tuple[int | Dataset, Dataset | None]


def query(archive: Archive, ae_title: str, reads: Reads) -> Service:
    """The service, as the listener takes it. `ae_title`: where the instances can be retrieved."""
    return Service(FIND, ((evt.EVT_C_FIND, lambda event: _find(archive, ae_title, reads, event)),))


def _find(archive: Archive, ae_title: str, reads: Reads, event: evt.Event) -> Iterator[_Answer]:
    caller = event.assoc.requestor.ae_title.strip()
    seen: set[str] = set()
    try:
        find = read_find(event.identifier)
        on, asked = _ROOTS[str(event.context.abstract_syntax)], identifier_text(find.level, find.asked)
        reads.tell(What.FOUND, on, asked, reader(event), (on, asked))
        for found in every(archive, find.query):
            if event.is_cancelled:
                yield _CANCELED, None
                return
            made = answer(find, found, ae_title)
            if find.level == "PATIENT":  # the index begins with studies: each patient is told of once
                patient = str(found.get("00100020", {}).get("Value", [""])[0])
                if patient in seen:
                    continue
                seen.add(patient)
            yield _MATCH, made
    except Usage as wrong:
        yield failed(_IDENTIFIER_DOES_NOT_MATCH, str(wrong)), None
    except NodeError as fault:
        yield failed(OUT_OF_RESOURCES, str(fault)), None
    except UNREADABLE as broken:  # its own words may be a patient's
        _log.error("query not answered", calling_ae=caller, reason=type(broken).__name__)
        yield failed(_UNABLE, "the identifier cannot be understood"), None


def reader(event: evt.Event) -> Reader:
    """Who asks, as the audit trail calls him."""
    who = event.assoc.requestor
    return Reader(f"{AE_PREFIX}{who.ae_title.strip()}", who.address)


def failed(status: int, sentence: str) -> Dataset:
    """A status with its comment (PS3.7 C)."""
    said = Dataset()
    said.Status, said.ErrorComment = status, sentence[:64]
    return said
