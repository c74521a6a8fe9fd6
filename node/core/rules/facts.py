"""What the node knows of a series beyond its headers: the names a rule may use.

The caller computes facts (how many instances, which orientation, who sent it); this table only says which exist
and of what kind they are, so that a misspelt one is found before it is ever needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from node.core.rules.kinds import Kind
from node.core.rules.mistakes import Wrong, did_you_mean
from node.core.rules.units import UNITS

FactValue = str | float | bool | None | Sequence[str | float | bool]

_TABLE = {
    "patient.age": Kind.AGE,  # PatientAge, or else from PatientBirthDate to StudyDate
    "series.instances": Kind.NUMBER,  # SOP instances received
    "series.frames": Kind.NUMBER,  # images: frames of multi-frame instances counted one by one
    "series.volumes": Kind.NUMBER,  # regular grids the series falls into
    "series.slices": Kind.NUMBER,  # slices of its largest volume
    "series.spacing": Kind.NUMBER,  # mm between the slices of its largest volume
    "series.orientation": Kind.TEXT,  # axial, sagittal or coronal
    "series.is_3d": Kind.FLAG,  # MRAcquisitionType
    "series.contrast": Kind.FLAG,  # what the Contrast/Bolus attributes say
    "series.sop_class": Kind.UID,
    "series.sender": Kind.TEXT,  # calling AE title
    "series.sender_host": Kind.TEXT,
    "series.called_ae": Kind.TEXT,
    "series.received": Kind.DATE_TIME,  # its last instance, in the node's own time zone
    "study.series": Kind.NUMBER,  # series of the study received so far
    "study.modalities": Kind.TEXT,
    "study.descriptions": Kind.TEXT,  # SeriesDescription of its series
}
_SEVERAL = frozenset({"study.modalities", "study.descriptions"})
_IDENTIFYING = frozenset({"patient.age"})
_FAMILIES = {"result": 3, "ood": 2}  # result.<model>.<measure> and ood.<model>: number of parts
_PART = re.compile(r"\w{1,64}")


@dataclass(frozen=True)
class Fact:
    """A fact, by name and kind."""

    text: str
    kind: Kind
    several: bool | None = False
    identifying: bool = False
    varies: bool = False

    @property
    def unit(self) -> str:
        """Of a number, where it has one."""
        return UNITS.get(self.text, "")

    @property
    def of_a_model(self) -> bool:
        """Whether a model has to find it first."""
        return self.text.partition(".")[0] in _FAMILIES

    def __hash__(self) -> int:
        """By name alone, as attributes."""
        return hash(self.text)


def facts() -> tuple[Fact, ...]:
    """All but those of models."""
    return tuple(Fact(name, kind, name in _SEVERAL, name in _IDENTIFYING) for name, kind in _TABLE.items())


RECEIVED = Fact("series.received", Kind.DATE_TIME)  # what `within` counts from


def is_fact_name(text: str) -> bool:
    """DICOM keywords begin with a capital; facts are lower-case words joined by dots."""
    first = text.partition(".")[0]
    return "." in text and first.islower()


def named_fact(text: str) -> Fact | Wrong:
    """The fact of that name."""
    if text in _TABLE:
        return Fact(text, _TABLE[text], text in _SEVERAL, text in _IDENTIFYING)
    family, *rest = text.split(".")
    if _FAMILIES.get(family) == len(rest) + 1 and all(_PART.fullmatch(part) for part in rest):
        # A segmentation finds numbers, a classification words: read as what it is compared with.
        return Fact(text, Kind.ANY if family == "result" else Kind.NUMBER)
    return Wrong(f"there is no fact {text}", did_you_mean(text, _TABLE) or f"Facts are {', '.join(_TABLE)}")
