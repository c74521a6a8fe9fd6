"""Storage Commitment SCU, the other half (PS3.4 J.3.3): a PACS opens an association and reports."""

from __future__ import annotations

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt

from node.core.fault import PROCESSING_FAILURE, Fault
from node.core.storage_commitment import SOP_CLASS_UID, read_report
from node.pipeline.proof import Promises
from node.scp.contexts import Service, failure

_log = structlog.get_logger(__name__)

_BROKEN = Fault(PROCESSING_FAILURE, "the node failed to keep the report")
_UNKNOWN = Fault(PROCESSING_FAILURE, "no such transaction")


def commitment_reports(promises: Promises) -> Service:
    """The service, as the listener takes it."""
    handler = (evt.EVT_N_EVENT_REPORT, lambda event: _answer(promises, event))
    return Service((SOP_CLASS_UID,), (handler,), requestor_may_serve=True)


def _answer(promises: Promises, event: evt.Event) -> tuple[int | Dataset, Dataset | None]:
    try:
        refused = _keep(promises, event)
    except Exception:  # noqa: BLE001 # a protocol handler: the PACS hears of it, we keep the traceback
        _log.exception("storage commitment report not kept", calling_ae=event.assoc.requestor.ae_title)
        refused = _BROKEN
    return (failure(refused), None) if refused else (0x0000, None)


def _keep(promises: Promises, event: evt.Event) -> Fault | None:
    told = read_report(event.event_information)
    if isinstance(told, Fault):
        return told
    transaction_uid, report = told
    known = promises.report(transaction_uid, report)
    _log.info("storage commitment reported", calling_ae=event.assoc.requestor.ae_title.strip())
    return None if known else _UNKNOWN
