"""What is known of an instance when it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.core.dicom import Identity
from node.core.ledger import Receipt


@dataclass(frozen=True)
class Sender:
    """Who brings an instance."""

    channel: str  # dicom, stow, folder, orthanc
    calling_ae: str
    called_ae: str
    host: str
    association: str  # names the association or request


@dataclass(frozen=True)
class Arrival:
    """A received instance, its bytes already on disk, not yet in the ledger."""

    receipt: Receipt
    identity: Identity | None  # by which people look for it; read when the series is new to this process
    identify: Callable[[], Identity | None] = lambda: None  # reads it where it is wanted after all
