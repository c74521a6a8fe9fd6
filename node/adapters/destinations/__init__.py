"""Where results go. Each kind of destination is one file; what they share is this protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from node.core.status import Meaning


@dataclass(frozen=True)
class Outgoing:
    """One DICOM object to be sent."""

    kind: str  # SEG, SR
    sop_class_uid: str
    sop_instance_uid: str
    path: Path  # a DICOM file (PS3.10)


@dataclass(frozen=True)
class Outcome:
    """What a destination said to one object."""

    meaning: Meaning
    answer: str  # for people: "0000", "A700: out of resources", "/results/seg.dcm"
    retry_after: float | None = None  # seconds that the destination asked to be left alone for


class Destination(Protocol):
    """A place that takes results."""

    name: str

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        """Send objects in order; one outcome each. Raises DestinationUnavailable when none could be tried."""
        ...


@runtime_checkable
class Probing(Protocol):
    """A destination that can be asked for a sign of life before anything is sent to it."""

    def probe(self) -> None:
        """Return quickly. Raises DestinationUnavailable when it does not answer."""
        ...
