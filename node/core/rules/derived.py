"""Facts that the headers say between the lines: worked out once, and kept with the series like the others."""

from __future__ import annotations

from datetime import date

from node.core.rules.attributes import Attribute, Operand, named
from node.core.rules.facts import FactValue
from node.core.rules.mistakes import Wrong
from node.core.rules.reading import Known, Reading
from node.core.rules.subject import Readable


def _attribute(text: str) -> Attribute:
    found: Operand | Wrong = named(text)
    if not isinstance(found, Attribute):
        raise TypeError(text)
    return found


_ACQUISITION_TYPE = _attribute("MRAcquisitionType")
_AGE, _BIRTH, _STUDY = (_attribute(text) for text in ("PatientAge", "PatientBirthDate", "StudyDate"))
_VOLUME = _attribute("ContrastBolusVolume")
_CONTRAST = tuple(
    _attribute(text)
    for text in (
        "ContrastBolusAgent", "ContrastBolusAgentSequence", "ContrastBolusVolume", "ContrastBolusTotalDose",
        "ContrastBolusRoute", "ContrastBolusIngredient", "ContrastBolusUsageSequence",
    )
)  # fmt: skip
_NAMED_AGENTS = tuple(_attribute(text) for text in ("ContrastBolusAgent", "ContrastBolusAgentSequence"))
_MONTHS_BELOW_YEARS, _DAYS_BELOW_MONTHS = 24, 90


def header_facts(subject: Readable) -> dict[str, FactValue]:
    """`series.is_3d`, `series.contrast` and `patient.age`; one that the headers do not settle is left out."""
    found = {"series.is_3d": _is_3d(subject), "series.contrast": _contrast(subject), "patient.age": _age(subject)}
    return {name: value for name, value in found.items() if value is not None}


def _is_3d(subject: Readable) -> bool | None:
    """MRAcquisitionType (0018,0023), in Enhanced MR too."""
    return {"3d": True, "2d": False}.get(_text(subject.reading(_ACQUISITION_TYPE)))


def _contrast(subject: Readable) -> bool | None:
    """PS3.3 A.4.3 requires the Contrast/Bolus module when contrast was used; its agent may be empty (C.7.6.4)."""
    volume = subject.reading(_VOLUME)
    if isinstance(volume, Known) and volume.values == (0.0,):
        return False
    readings = [subject.every(attribute) for attribute in _CONTRAST]
    if not any(isinstance(one, Known) or one.reason != "is missing" for found in readings for one in found):
        return False if readings[0] else None
    return True if any(isinstance(subject.reading(attribute), Known) for attribute in _NAMED_AGENTS) else None


def _age(subject: Readable) -> str | None:
    """As AS is written: days up to three months, months up to two years, then years."""
    said = subject.reading(_AGE)
    if isinstance(said, Known) or said.present:
        return said.shown if isinstance(said, Known) else None
    born, seen = (_day(subject.reading(attribute)) for attribute in (_BIRTH, _STUDY))
    if born is None or seen is None or seen < born:
        return None
    months = (seen.year - born.year) * 12 + seen.month - born.month - (seen.day < born.day)
    if months >= _MONTHS_BELOW_YEARS:
        return f"{months // 12:03}Y"
    passed = (seen - born).days
    return f"{passed:03}D" if passed < _DAYS_BELOW_MONTHS else f"{months:03}M"


def _day(reading: Reading) -> date | None:
    return date.fromordinal(int(reading.values[0])) if isinstance(reading, Known) and reading.values else None


def _text(reading: Reading) -> str:
    return str(reading.values[0]) if isinstance(reading, Known) and reading.values else ""
