"""Storage Commitment, Push Model (PS3.4 J.3): what is asked for, what may be promised, and how it is reported."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from node.core.dicom.elements import Elements
from node.core.fault import (
    CLASS_INSTANCE_CONFLICT,
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    Fault,
)

SOP_CLASS_UID = "1.2.840.10008.1.20.1"
SOP_INSTANCE_UID = "1.2.840.10008.1.20.1.1"  # the well-known one: requests are told apart by their Transaction UID
REQUEST = 1  # Action Type ID (table J.3.2-1)
_ALL_COMMITTED, _FAILURES = 1, 2  # Event Type ID (table J.3.3-1)
_UID_AT_MOST, _INSTANCES_AT_MOST = 64, 100_000


@dataclass(frozen=True)
class Reference:
    """An instance that is to be kept."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Request:
    """A transaction."""

    transaction_uid: str
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class Report:
    """What became of a transaction."""

    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, int], ...]  # with Failure Reason (0008,1197)


def read_request(action_type: int | None, ds: Dataset) -> Request | Fault:
    """Read the action information of an N-ACTION; never raises, whatever it holds."""
    if action_type != REQUEST:
        return Fault(NO_SUCH_ACTION, "only Request Storage Commitment is known")
    read = Elements(ds)
    uid = read.first("TransactionUID")
    if not 0 < len(uid) <= _UID_AT_MOST:
        return Fault(INVALID_ARGUMENT, "no Transaction UID")
    if not 0 < read.length("ReferencedSOPSequence") <= _INSTANCES_AT_MOST:
        return Fault(INVALID_ARGUMENT, "no Referenced SOP Sequence, or too many items in it")
    items = read.items("ReferencedSOPSequence", _INSTANCES_AT_MOST)
    references = tuple(
        Reference(one.first("ReferencedSOPClassUID"), one.first("ReferencedSOPInstanceUID")) for one in items
    )
    if any(not one.sop_class_uid or not 0 < len(one.sop_instance_uid) <= _UID_AT_MOST for one in references):
        return Fault(INVALID_ARGUMENT, "an item of Referenced SOP Sequence names no instance")
    return Request(uid, references)


def judge(references: Sequence[Reference], kept: Mapping[str, str], disputed: Collection[str]) -> Report:
    """What may be promised.

    `kept`: SOP Instance UID → SOP Class UID of what lies durably in the store. `disputed`: UIDs that came with
    different bytes; which of them the sender means cannot be known, so nothing is promised.
    """
    committed, failed = [], []
    for one in references:
        reason = _reason(one, kept, disputed)
        if reason is None:
            committed.append(one)
        else:
            failed.append((one, reason))
    return Report(tuple(committed), tuple(failed))


def _reason(one: Reference, kept: Mapping[str, str], disputed: Collection[str]) -> int | None:
    if one.sop_instance_uid not in kept:
        return NO_SUCH_INSTANCE
    if kept[one.sop_instance_uid] != one.sop_class_uid:
        return CLASS_INSTANCE_CONFLICT
    return PROCESSING_FAILURE if one.sop_instance_uid in disputed else None


def event(transaction_uid: str, report: Report) -> tuple[int, Dataset]:
    """Event Type ID and event information of the N-EVENT-REPORT (PS3.4 table J.3.3-1)."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    if report.committed:
        ds.ReferencedSOPSequence = [_item(one) for one in report.committed]
    if report.failed:
        ds.FailedSOPSequence = [_item(one, reason) for one, reason in report.failed]
    return (_FAILURES if report.failed else _ALL_COMMITTED), ds


def action(transaction_uid: str, references: Sequence[Reference]) -> Dataset:
    """Action information of the N-ACTION that asks for storage commitment (PS3.4 table J.3.2-1)."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = [_item(one) for one in references]
    return ds


def read_report(ds: Dataset) -> tuple[str, Report] | Fault:
    """Transaction UID and what became of it, of an N-EVENT-REPORT; never raises, whatever it holds.

    Which of them failed is said item by item; the Event Type ID says nothing more.
    """
    read = Elements(ds)
    uid = read.first("TransactionUID")
    if not 0 < len(uid) <= _UID_AT_MOST:
        return Fault(INVALID_ARGUMENT, "no Transaction UID")
    kept = [_reference(one) for one in read.items("ReferencedSOPSequence", _INSTANCES_AT_MOST)]
    failed = [
        (_reference(one), one.integer("FailureReason", "US") or PROCESSING_FAILURE)
        for one in read.items("FailedSOPSequence", _INSTANCES_AT_MOST)
    ]
    return uid, Report(tuple(kept), tuple(failed))


def _reference(item: Elements) -> Reference:
    return Reference(item.first("ReferencedSOPClassUID"), item.first("ReferencedSOPInstanceUID"))


def _item(one: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item
