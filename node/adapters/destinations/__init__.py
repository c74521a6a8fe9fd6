"""Where results go. Each kind of destination is one file; what they share is this protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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


class Destination(Protocol):
    """A place that takes results."""

    name: str

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        """Send objects in order; one outcome each. Raises DestinationUnavailable when none could be tried."""
        ...
