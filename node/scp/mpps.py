"""MPPS SCP (PS3.4 F.7): N-CREATE and N-SET of performed procedure steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.dimse_primitives import N_CREATE, N_SET

from node.core.fault import PROCESSING_FAILURE, Fault
from node.core.procedure_step import SOP_CLASS_UID, read_step
from node.pipeline.procedure_steps import ProcedureSteps
from node.scp.contexts import Service, failure

_log = structlog.get_logger(__name__)

_BROKEN = Fault(PROCESSING_FAILURE, "the node failed to keep the procedure step")
_Answer = tuple[int | Dataset, Dataset | None]
_Serve = Callable[[ProcedureSteps, evt.Event], tuple[Fault | None, Dataset]]


def mpps(steps: ProcedureSteps) -> Service:
    """The service, as the listener takes it."""
    return Service(
        (SOP_CLASS_UID,),
        (
            (evt.EVT_N_CREATE, lambda event: _answer(_create, steps, event)),
            (evt.EVT_N_SET, lambda event: _answer(_set, steps, event)),
        ),
    )


def _create(steps: ProcedureSteps, event: evt.Event) -> tuple[Fault | None, Dataset]:
    asked = cast("N_CREATE", event.request).AffectedSOPInstanceUID
    uid = str(asked) if asked else str(generate_uid(prefix=None))  # PS3.7 10.1.5.1.4: then the SCP names it
    refused = steps.create(uid, read_step(event.attribute_list), event.assoc.requestor.ae_title.strip())
    answered = Dataset()
    if not asked:
        answered.AffectedSOPInstanceUID = uid
    return refused, answered


def _set(steps: ProcedureSteps, event: evt.Event) -> tuple[Fault | None, Dataset]:
    request = cast("N_SET", event.request)
    return steps.set(str(request.RequestedSOPInstanceUID), read_step(event.modification_list)), Dataset()


def _answer(serve: _Serve, steps: ProcedureSteps, event: evt.Event) -> _Answer:
    try:
        refused, answered = serve(steps, event)
    except Exception:  # noqa: BLE001 # a protocol handler: the modality hears of it, we keep the traceback
        _log.exception("procedure step not kept", calling_ae=event.assoc.requestor.ae_title)
        refused, answered = _BROKEN, Dataset()
    return (failure(refused), None) if refused else (0x0000, answered)
