"""The receipt ledger: what was acknowledged, chained so that a changed or missing line shows, and its balance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

GENESIS = "0" * 64


class Disposition(StrEnum):
    """What became of the bytes of one received instance."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # the same bytes were stored before: kept once
    CORRECTED = "corrected"  # a person had the bytes of this UID removed, and others came: these are in use now
    CONFLICT = "conflict"  # the same UID with other bytes: the first stays in use, these are kept beside it
    REFUSED = "refused"  # not acknowledged with Success; the bytes are kept where there was something to keep


@dataclass(frozen=True)
class Receipt:
    """One line of the ledger, before it is chained."""

    at: datetime  # UTC
    channel: str  # dicom, stow, folder, orthanc
    calling_ae: str
    called_ae: str
    host: str
    association: str  # names the association or request that brought it
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    sha256: str  # of the encoded data set as received, without file meta information
    size: int  # bytes of it
    status: int  # DIMSE status answered (PS3.7 annex C)
    disposition: Disposition
    reason: str
    path: str  # where the bytes are, relative to the store; "" where none were kept


def link(previous: str, receipt: Receipt) -> str:
    """The digest of a line: sha256 over the previous digest and every field of the line."""
    fields = (
        receipt.at.isoformat(timespec="microseconds"),
        receipt.channel,
        receipt.calling_ae,
        receipt.called_ae,
        receipt.host,
        receipt.association,
        receipt.sop_class_uid,
        receipt.sop_instance_uid,
        receipt.series_instance_uid,
        receipt.study_instance_uid,
        receipt.transfer_syntax_uid,
        receipt.sha256,
        str(receipt.size),
        f"{receipt.status:04X}",
        receipt.disposition.value,
        receipt.reason,
        receipt.path,
    )
    return hashlib.sha256("\x1f".join((previous, *fields)).encode("utf-8", "surrogateescape")).hexdigest()


def broken_links(lines: Iterable[tuple[int, str, str, Receipt]]) -> tuple[int, ...]:
    """The numbers of lines that do not follow from the line before.

    `lines` are (number, previous digest, digest, receipt) of one chain in the order of their numbers, from 1.
    """
    broken: list[int] = []
    expected_number, expected = 1, GENESIS
    for number, previous, digest, receipt in lines:
        if number != expected_number or previous != expected or link(previous, receipt) != digest:
            broken.append(number)
        expected_number, expected = number + 1, digest
    return tuple(broken)


@dataclass(frozen=True)
class Balance:
    """Where every acknowledged instance is. All figures are instances."""

    received: int  # acknowledged with Success
    delivered: int  # every job of its series is completed
    filtered: int  # ignored by a rule, dismissed or replaced by a person, or a byte-identical duplicate
    waiting: int  # its series is not complete, or a job on it is not finished
    held: int  # kept for a person: by a rule, or a conflicting second version
    failed: int  # not processable, failed or canceled

    @property
    def residue(self) -> int:
        """What the node cannot account for. Anything but 0 is an alarm."""
        return self.received - (self.delivered + self.filtered + self.waiting + self.held + self.failed)
