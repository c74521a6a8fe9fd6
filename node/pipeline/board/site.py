"""What the board is told of the node it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from node.pipeline.gate import Gate


@dataclass(frozen=True)
class KnownSource:
    """A source that is configured."""

    name: str
    kind: str  # dicom, orthanc, folder
    calling_ae: str  # under which its instances stand in the ledger


@dataclass(frozen=True)
class CertificateFile:
    """A file with certificates."""

    name: str  # what it is for, as in "DICOM TLS"
    path: Path


def _none() -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Site:
    """Asked anew for each snapshot, since what is known may change while the node runs."""

    gate: Gate
    destinations: Callable[[], Sequence[str]]
    sources: Callable[[], Sequence[KnownSource]] = _none
    models: Callable[[], Sequence[str]] = _none  # that are installed
    certificates: Callable[[], Sequence[CertificateFile]] = _none
    room: Callable[[], int] = lambda: 0  # bytes free above the low watermark
    clock_ahead: Callable[[], timedelta | None] = lambda: None  # of this machine; None: it is alone
    groups: Callable[[], dict[str, tuple[str, ...]]] = field(default=dict)
