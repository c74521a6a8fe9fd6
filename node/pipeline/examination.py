"""A destination's capability card: what it takes, shown by a synthetic object that is stored, found and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from node.adapters.destinations import Destination, Findable, Negotiating, Outgoing, Probing, Removing
from node.core.sample import sample_file
from node.core.status import Meaning
from node.errors import DestinationUnavailable, NodeError


@dataclass(frozen=True)
class Card:
    """What was seen. Sentences are for people; "" where the step was not tried or is not offered."""

    reachable: str
    takes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # SOP class → transfer syntaxes, by name
    stored: str = ""
    found: str = ""
    removed: str = ""
    works: bool = False

    @property
    def forms(self) -> tuple[str, ...]:
        """Forms of a segmentation that it takes, the best first; none where classes cannot be negotiated."""
        return tuple(form for form, sop_class in _FORMS.items() if sop_class in self.takes)


_FORMS = {
    "LABELMAP": "Label Map Segmentation",
    "BINARY": "Segmentation",
    "Secondary Capture": "Multi-frame True Color Secondary Capture Image",
}


def examine(destination: Destination, node_ae: str, folder: Path, *, removes: bool) -> Card:
    """Test a destination; what goes wrong is on the card. `folder` is for the synthetic file."""
    try:
        reachable = _said(destination.probe) if isinstance(destination, Probing) else "not asked: no cheap sign of life"
        takes = destination.negotiate() if isinstance(destination, Negotiating) else {}
    except NodeError as down:
        return Card(str(down))
    ds, content = sample_file(node_ae)
    path = folder / "sample.dcm"
    path.write_bytes(content)
    sample = Outgoing("SR", str(ds.SOPClassUID), str(ds.SOPInstanceUID), path)
    taken, stored = _stored(destination, sample)
    if not taken:
        return Card(reachable, takes, stored)
    there, found = _found(destination, sample)
    removed = _removed(destination, sample) if removes else ""
    return Card(reachable, takes, stored, found, removed, works=there is not False)


def _said(ask: Callable[[], None]) -> str:
    ask()
    return "answers"


def _stored(destination: Destination, sample: Outgoing) -> tuple[bool, str]:
    try:
        (outcome,) = destination.deliver([sample])
    except DestinationUnavailable as down:
        return False, str(down)
    return outcome.meaning is Meaning.DELIVERED, outcome.answer


def _found(destination: Destination, sample: Outgoing) -> tuple[bool | None, str]:
    """None and "" where it cannot be asked."""
    if not isinstance(destination, Findable):
        return None, ""
    try:
        found = destination.find(sample)
    except DestinationUnavailable as silent:
        return False, str(silent)
    return found, {True: "found", False: "not found", None: "cannot be asked"}[found]


def _removed(destination: Destination, sample: Outgoing) -> str:
    if not isinstance(destination, Removing):
        return ""
    try:
        return "removed" if destination.remove(sample.sop_instance_uid) else "nothing to remove"
    except DestinationUnavailable as silent:
        return str(silent)
