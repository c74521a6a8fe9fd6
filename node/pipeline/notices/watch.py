"""What is wrong now: the board's figures, in sentences of numbers and of names from the configuration alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.core.board import Standing
from node.core.notices import Kind, Severity, Sighting
from node.pipeline.board import Snapshot
from node.pipeline.board.items import CertificateItem, DestinationItem, DiskItem, JobsItem

_CRITICAL, _WARNING, _INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
_VERY_SOON_DAYS = 3
_EXPIRES_VERY_SOON_DAYS = 7


@dataclass(frozen=True)
class Limits:
    """From when on something is worth a notice."""

    waiting: timedelta = timedelta(minutes=60)  # of the oldest job
    breaker: timedelta = timedelta(minutes=15)  # for which a destination did not answer
    disk_days: float = 7  # until the disk is full
    certificate_days: int = 30


LIMITS = Limits()


@dataclass(frozen=True)
class Beside:
    """What the board does not show."""

    held: int = 0  # series and results that wait for a person
    lost: Sequence[tuple[str, str]] = ()  # (process, role)
    failing_since: dict[str, datetime] | None = None  # destination → its first failure in a row


def sightings(snapshot: Snapshot, beside: Beside, limits: Limits, now: datetime) -> list[Sighting]:
    """Every cause that is there."""
    return [
        *_ledger(snapshot),
        *_jobs(snapshot.jobs, limits, now),
        *(found for one in snapshot.destinations for found in _destination(one, beside, limits, now)),
        *_models(snapshot),
        *_disk(snapshot.disk, limits),
        *(found for one in snapshot.certificates for found in _certificate(one, limits)),
        *_lost(beside),
        *_held(beside),
        *_feeds(snapshot),
    ]


def _ledger(snapshot: Snapshot) -> Iterator[Sighting]:
    if residue := abs(snapshot.balance.residue or 0):
        what = f"{residue} acknowledged {_many(residue, 'instance')} cannot be accounted for"
        yield Sighting(Kind.RESIDUE, "", _CRITICAL, what, residue)


def _jobs(jobs: JobsItem, limits: Limits, now: datetime) -> Iterator[Sighting]:
    if jobs.overdue:
        what = f"{jobs.overdue} {_many(jobs.overdue, 'job')} {'is' if jobs.overdue == 1 else 'are'} late"
        yield Sighting(Kind.WAITING, "late", _WARNING, what, jobs.overdue)
    if jobs.oldest is not None and now - jobs.oldest > limits.waiting:
        what = f"the oldest job waits since {jobs.oldest:%Y-%m-%d %H:%M} UTC"
        yield Sighting(Kind.WAITING, "oldest", _WARNING, what)
    failed = jobs.states.get("failed", 0) + jobs.states.get("not_processable", 0)
    if failed:
        what = f"{failed} {_many(failed, 'job')} failed or could not be processed"
        yield Sighting(Kind.FAILED, "", _WARNING, what, failed)


def _destination(one: DestinationItem, beside: Beside, limits: Limits, now: datetime) -> Iterator[Sighting]:
    since = (beside.failing_since or {}).get(one.name)
    if one.breaker == "open" and since is not None and now - since > limits.breaker:
        queued = f"{one.queued} {_many(one.queued, 'result')} wait" if one.queued else "nothing waits for it"
        what = f"the destination {one.name} does not answer since {since:%Y-%m-%d %H:%M} UTC; {queued}"
        yield Sighting(Kind.DESTINATION, one.name, _WARNING, what, known=one.paused_at is not None)


def _models(snapshot: Snapshot) -> Iterator[Sighting]:
    for server in snapshot.triton:
        if server.standing is Standing.ACT:
            yield Sighting(Kind.SERVER, server.name, _CRITICAL, f"Triton does not answer the process {server.name}")
    for one in snapshot.models:
        if one.standing is Standing.ACT:
            what = f"the model {one.name} is not ready: its canary does not pass"
            yield Sighting(Kind.MODEL, one.name, _CRITICAL, what, known=one.paused_at is not None)


def _disk(disk: DiskItem, limits: Limits) -> Iterator[Sighting]:
    if disk.room < 0:
        yield Sighting(Kind.DISK, "", _CRITICAL, "less disk is free than storage.low_watermark: nothing more is taken")
    elif disk.days_left is not None and disk.days_left < limits.disk_days:
        severity = _CRITICAL if disk.days_left < _VERY_SOON_DAYS else _WARNING
        yield Sighting(Kind.DISK, "", severity, f"at this rate the disk is full in {disk.days_left:.0f} days")


def _certificate(one: CertificateItem, limits: Limits) -> Iterator[Sighting]:
    if one.days_left is None:
        yield Sighting(Kind.CERTIFICATE, one.name, _CRITICAL, f"the certificate {one.name} cannot be read")
    elif one.days_left < limits.certificate_days:
        left = f"expires in {one.days_left} days" if one.days_left >= 0 else "has expired"
        severity = _CRITICAL if one.days_left < _EXPIRES_VERY_SOON_DAYS else _WARNING
        yield Sighting(Kind.CERTIFICATE, one.name, severity, f"the certificate {one.name} {left}")


def _lost(beside: Beside) -> Iterator[Sighting]:
    for name, role in beside.lost:
        what = f"the process {name}{f' ({role})' if role else ''} gave no sign of life and was given up"
        yield Sighting(Kind.REPLICA, name, _WARNING, what)


def _held(beside: Beside) -> Iterator[Sighting]:
    if beside.held:
        what = f"{beside.held} series or results {'waits' if beside.held == 1 else 'wait'} for a person"
        yield Sighting(Kind.HELD, "", _INFO, what, beside.held)


def _feeds(snapshot: Snapshot) -> Iterator[Sighting]:
    for one in snapshot.sources:
        if one.kind in ("orthanc", "folder") and one.standing is Standing.ACT:
            yield Sighting(Kind.SOURCE, one.name, _WARNING, f"the feed {one.name} does not get on")


def _many(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"
