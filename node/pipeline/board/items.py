"""What the board shows. Each item says how it stands in one sentence, and what helps; times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from node.core.board import Standing


@dataclass(frozen=True)
class Item:
    """One thing."""

    name: str
    standing: Standing
    sentence: str
    cure: str  # "" where nothing is to be done


@dataclass(frozen=True)
class BalanceItem(Item):
    """received = delivered + filtered + waiting + held + failed + residue, in instances; null: not counted yet."""

    received: int | None
    delivered: int | None
    filtered: int | None
    waiting: int | None
    held: int | None
    failed: int | None
    residue: int | None
    counted_at: datetime | None


@dataclass(frozen=True)
class SourceItem(Item):
    """Who sends, or would like to."""

    kind: str  # dicom, stow, orthanc, folder
    calling_ae: str
    hosts: tuple[str, ...]
    known: bool  # configured, or admitted by a person
    last_seen: datetime | None
    per_minute: float  # instances, over the last five minutes
    last_day: int  # instances that were taken
    refused_last_day: int


@dataclass(frozen=True)
class DestinationItem(Item):
    """Who gets results."""

    queued: int  # results
    oldest: datetime | None  # when the oldest job was created whose results wait
    breaker: str  # closed, open
    failures: int  # in a row
    next_try_at: datetime | None
    paused_at: datetime | None
    paused_by: str
    window_until: datetime | None  # the end of the maintenance window that is open now
    members: tuple[str, ...]  # of a group, in the order in which they are tried


@dataclass(frozen=True)
class ModelItem(Item):
    """One model, as the processes that infer see it."""

    version: str
    ready: bool
    canary_at: datetime | None
    in_flight: int
    requests: int  # these and what follows: since the server loaded it
    failed: int
    queue_ms: float | None  # of a request, on average
    compute_ms: float | None
    paused_at: datetime | None


@dataclass(frozen=True)
class JobsItem(Item):
    """Jobs by state; those that are settled are counted less often."""

    states: Mapping[str, int]
    overdue: int
    oldest: datetime | None  # when the oldest scheduled one was created


@dataclass(frozen=True)
class DiskItem(Item):
    """Where received instances lie."""

    room: int  # bytes above the low watermark
    bytes_per_day: float | None  # by which it shrinks; null: not enough history
    days_left: float | None


@dataclass(frozen=True)
class CertificateItem(Item):
    """One certificate."""

    subject: str
    expires_at: datetime | None  # null: it cannot be read
    days_left: int | None


@dataclass(frozen=True)
class ProcessItem(Item):
    """One process of the node."""

    role: str
    silent_seconds: float
    alone_at: tuple[str, ...]  # what it does alone


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment."""

    number: int  # grows with each
    at: datetime
    standing: Standing  # the worst of all
    balance: BalanceItem
    sources: tuple[SourceItem, ...]
    destinations: tuple[DestinationItem, ...]
    triton: tuple[Item, ...]
    models: tuple[ModelItem, ...]
    jobs: JobsItem
    disk: DiskItem
    certificates: tuple[CertificateItem, ...]
    processes: tuple[ProcessItem, ...]
    clock: Item
