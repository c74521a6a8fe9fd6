"""Where results go. Each kind of destination is one file; what they share is this protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydicom.dataset import Dataset

from node.core.status import Meaning
from node.errors import DestinationUnavailable


@dataclass(frozen=True)
class Outgoing:
    """One DICOM object to be sent."""

    kind: str  # SEG, SR
    sop_class_uid: str
    sop_instance_uid: str
    path: Path  # a DICOM file (PS3.10)
    tried_before: bool = False  # it may be there already, with its answer lost


@dataclass(frozen=True)
class Outcome:
    """What a destination said to one object."""

    meaning: Meaning
    answer: str  # for people: "0000", "A700: out of resources", "/results/seg.dcm"
    retry_after: float | None = None  # seconds that the destination asked to be left alone for
    is_well: bool = False  # for WAIT: only this object waits, the destination works


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


@runtime_checkable
class Findable(Protocol):
    """A destination that can be asked whether it has an instance."""

    def find(self, wanted: Outgoing) -> bool | None:
        """None when it cannot be asked. Raises DestinationUnavailable when it does not answer."""
        ...


@runtime_checkable
class Committing(Protocol):
    """A destination that may take over responsibility for instances (PS3.4 annex J)."""

    def ask_commitment(self, transaction_uid: str, objects: Sequence[Outgoing]) -> bool:
        """False when it does not offer that. Its report comes to the node's own listener.

        Raises DestinationUnavailable when it does not answer.
        """
        ...


@runtime_checkable
class Negotiating(Protocol):
    """A destination that says beforehand what it would take."""

    def negotiate(self) -> Mapping[str, tuple[str, ...]]:
        """SOP class → transfer syntaxes, by name. Raises DestinationUnavailable."""
        ...


@runtime_checkable
class Removing(Protocol):
    """A destination that lets go of an instance."""

    def remove(self, sop_instance_uid: str) -> bool:
        """False when it is not there. Raises DestinationUnavailable."""
        ...


@runtime_checkable
class Returning(Protocol):
    """A destination that gives back what it was sent."""

    def returned(self, wanted: Outgoing) -> Dataset | None:
        """None when it does not offer that. Raises DestinationUnavailable."""
        ...


@runtime_checkable
class Greeting(Protocol):
    """A destination on HTTP that can be asked who answers there."""

    def greet(self) -> str:
        """A sentence. Raises DestinationUnavailable."""
        ...


def read_back(find: Callable[[Outgoing], bool | None], how: str, one: Outgoing, stored: Outcome) -> Outcome:
    """The outcome of an object that was taken, once it was looked for."""
    if stored.meaning is not Meaning.DELIVERED:
        return stored
    try:
        found = find(one)
    except DestinationUnavailable as silent:
        return Outcome(Meaning.WAIT, f"{stored.answer}; not read back: {silent}")
    if found is None:
        return Outcome(Meaning.DELIVERED, f"{stored.answer}; {how} is not offered")
    if found:
        return Outcome(Meaning.DELIVERED, f"{stored.answer}; found by {how}")
    return Outcome(Meaning.WAIT, f"{stored.answer}; {how} does not find it yet", is_well=True)


def store_unless_found(
    store: Callable[[Sequence[Outgoing]], list[Outcome]],
    find: Callable[[Outgoing], bool | None],
    how: str,
    objects: Sequence[Outgoing],
) -> list[Outcome]:
    """Send what is not there yet, and look for it: an answer that was lost need not be earned twice."""
    there = {one.sop_instance_uid for one in objects if one.tried_before and find(one)}
    missing = [one for one in objects if one.sop_instance_uid not in there]
    stored = iter(store(missing) if missing else [])
    return [
        Outcome(Meaning.DELIVERED, f"found by {how}")
        if one.sop_instance_uid in there
        else read_back(find, how, one, next(stored))
        for one in objects
    ]
