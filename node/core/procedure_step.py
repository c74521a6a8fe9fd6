"""Modality Performed Procedure Step (PS3.4 F.7): what a modality says it makes, and when it is done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydicom.dataset import Dataset

from node.core.dicom.elements import Elements
from node.core.fault import (
    DUPLICATE_INSTANCE,
    INVALID_ATTRIBUTE_VALUE,
    INVALID_INSTANCE,
    MISSING_ATTRIBUTE,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    Fault,
)

SOP_CLASS_UID = "1.2.840.10008.3.1.2.3.3"
_SERIES_AT_MOST, _INSTANCES_AT_MOST = 1_000, 100_000
_UID_AT_MOST = 64  # PS3.5 9.1

MAY_NOT_BE_UPDATED = 0xA710  # Error ID (0000,0903), PS3.4 F.7.2.2.3


class StepState(StrEnum):
    """Performed Procedure Step Status (0040,0252), PS3.3 C.4.14."""

    IN_PROGRESS = "IN PROGRESS"
    DISCONTINUED = "DISCONTINUED"
    COMPLETED = "COMPLETED"


@dataclass(frozen=True)
class Step:
    """What an N-CREATE or N-SET says. None: it does not say."""

    state: str | None  # as received
    series: Mapping[str, tuple[str, ...]] | None  # Series Instance UID → SOP Instance UIDs


def read_step(ds: Dataset) -> Step:
    """Read an attribute list or modification list; never raises, whatever it holds."""
    read = Elements(ds)
    state = read.first("PerformedProcedureStepStatus") if "PerformedProcedureStepStatus" in ds else None
    return Step(state, _series(read) if "PerformedSeriesSequence" in ds else None)


def _series(read: Elements) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for item in read.items("PerformedSeriesSequence", _SERIES_AT_MOST):
        uid = item.first("SeriesInstanceUID")
        if 0 < len(uid) <= _UID_AT_MOST:
            found[uid] = (*found.get(uid, ()), *_instances(item))
    return found


def _instances(item: Elements) -> tuple[str, ...]:
    """Images, and the rest: presentation states, spectra, reports (PS3.3 table C.4-15)."""
    references = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")
    uids = (one.first("ReferencedSOPInstanceUID") for key in references for one in item.items(key, _INSTANCES_AT_MOST))
    return tuple(uid for uid in uids if uid)


def refuse_create(uid: str, step: Step, *, exists: bool) -> Fault | None:
    """Whether an N-CREATE cannot be taken (PS3.4 F.7.2.1.2)."""
    if len(uid) > _UID_AT_MOST:
        return Fault(INVALID_INSTANCE, "the SOP Instance UID has more than 64 characters")
    if exists:
        return Fault(DUPLICATE_INSTANCE, "this procedure step exists")
    if step.state is None:
        return Fault(MISSING_ATTRIBUTE, "Performed Procedure Step Status is missing")
    if step.state != StepState.IN_PROGRESS:
        return Fault(INVALID_ATTRIBUTE_VALUE, "a new procedure step must be IN PROGRESS")
    return None


def refuse_set(step: Step, before: str | None) -> Fault | None:
    """Whether an N-SET cannot be taken (PS3.4 F.7.2.2.2). `before`: the stored state; None: there is no such step."""
    if before is None:
        return Fault(NO_SUCH_INSTANCE, "there is no such procedure step")
    if before != StepState.IN_PROGRESS:
        return Fault(PROCESSING_FAILURE, "Performed Procedure Step Object may no longer be updated", MAY_NOT_BE_UPDATED)
    if step.state is not None and step.state not in list(StepState):
        return Fault(INVALID_ATTRIBUTE_VALUE, "not a Performed Procedure Step Status")
    return None
