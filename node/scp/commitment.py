"""Storage Commitment SCP (PS3.4 annex J): N-ACTION is answered at once; the report follows on another association."""

from __future__ import annotations

from typing import cast

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.dimse_primitives import N_ACTION

from node.core.fault import PROCESSING_FAILURE, Fault
from node.core.storage_commitment import SOP_CLASS_UID, read_request
from node.pipeline.commitment import Commitments
from node.scp.contexts import Service, failure

_log = structlog.get_logger(__name__)

_BROKEN = Fault(PROCESSING_FAILURE, "the node failed to keep the request")


def commitment(commitments: Commitments) -> Service:
    """The service, as the listener takes it."""
    return Service((SOP_CLASS_UID,), ((evt.EVT_N_ACTION, lambda event: _answer(commitments, event)),))


def _answer(commitments: Commitments, event: evt.Event) -> tuple[int | Dataset, Dataset | None]:
    try:
        refused = _keep(commitments, event)
    except Exception:  # noqa: BLE001 # a protocol handler: the requester hears of it, we keep the traceback
        _log.exception("storage commitment request not kept", calling_ae=event.assoc.requestor.ae_title)
        refused = _BROKEN
    return (failure(refused), None) if refused else (0x0000, None)


def _keep(commitments: Commitments, event: evt.Event) -> Fault | None:
    request = read_request(cast("N_ACTION", event.request).ActionTypeID, event.action_information)
    if isinstance(request, Fault):
        return request
    return commitments.request(event.assoc.requestor.ae_title.strip(), request)
