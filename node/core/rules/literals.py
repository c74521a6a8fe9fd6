"""Values written in a rule, typed by the attribute they are compared with."""

from __future__ import annotations

import re
from functools import lru_cache

from pydicom._uid_dict import UID_dictionary

from node.core.rules.attributes import Attribute, Operand
from node.core.rules.codes import concept
from node.core.rules.folding import fold, shown
from node.core.rules.kinds import LENGTH, LOOKS_LIKE, READ, WHOLE, Kind, written_age
from node.core.rules.mistakes import Wrong, did_you_mean
from node.core.rules.operators import Literal
from node.core.rules.source import Scalar, Typed
from node.core.rules.units import measured

_UID = re.compile(r"[0-9.]{1,64}")
_CODE = re.compile(r"[A-Za-z0-9 _]*")  # CS, PS3.5 table 6.2-1; case is folded


def literal(operand: Operand, scalar: Scalar, *, exact: bool = True) -> Literal | Wrong:
    """The value for comparing; wrong when no valid value of the attribute can ever meet it.

    `exact` is false for a part or a bound, which need not itself be a valid value.
    """
    if scalar.typed is Typed.NOTHING:
        return Wrong(f"{operand.text} is compared with nothing", "For a missing attribute write {exists: false}")
    if operand.kind in READ:
        return _measure(operand, scalar.text, exact=exact)
    if operand.kind is Kind.FLAG:
        return _flag(operand, scalar)
    if operand.kind is Kind.UID and exact:
        return _uid(scalar.text)
    if operand.kind in (Kind.SEQUENCE, Kind.OPAQUE):
        return Wrong(f"{operand.text} is {operand.kind} and has no value to compare", "Ask for {exists: true}")
    return _text(operand, scalar.text, exact=exact)


def _measure(operand: Operand, text: str, *, exact: bool) -> Literal | Wrong:
    value = _read(operand, text)
    if isinstance(value, Wrong):
        return value
    if value is None:
        unit = f" {operand.unit}" if operand.unit else ""
        return Wrong(f"'{shown(text)}' can never be {operand.text}, which is {operand.kind}{_of_vr(operand)}",
                     f"Write it like {LOOKS_LIKE[operand.kind]}{unit}")  # fmt: skip
    low, high = WHOLE.get(_vr(operand), (value, value))
    if exact and _vr(operand) in WHOLE and not (value.is_integer() and low <= value <= high):
        return Wrong(f"{shown(text)} can never be {operand.text}: {_vr(operand)} holds whole numbers {low} to {high}")
    return Literal(value, text)


def _read(operand: Operand, text: str) -> float | Wrong | None:
    """The value, by the attribute's kind; a number may carry a unit and an age its words."""
    if operand.kind is Kind.AGE:
        return written_age(text)
    plain = READ[operand.kind](text)
    if plain is not None or operand.kind is not Kind.NUMBER:
        return plain
    return measured(operand.text, operand.unit, text)


def code(text: str) -> Literal | Wrong:
    """A coded concept (PS3.3 section 8.1): SCHEME:VALUE."""
    scheme, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not 0 < len(scheme) <= LENGTH["SH"] or not 0 < len(value) <= LENGTH["LO"]:
        return Wrong(f"'{shown(text)}' is no code", "Write SCHEME:VALUE, like SCT:12738006, or {scheme: …, value: …}")
    if scheme.upper() == "SCT" and not value.isdecimal():
        return Wrong(f"'{shown(value)}' can never be a code of SCT, which are digits",
                     f"Write SRT:{shown(value)} for a code in the style of SNOMED RT")  # fmt: skip
    return Literal(concept(scheme, value), f"{scheme}:{value}")


def _flag(operand: Operand, scalar: Scalar) -> Literal | Wrong:
    if scalar.typed is not Typed.FLAG:
        return Wrong(f"'{shown(scalar.text)}' can never be {operand.text}", "Write true or false")
    return Literal(scalar.text.lower() == "true", scalar.text.lower())


def _uid(text: str) -> Literal | Wrong:
    """A UID in digits, or by the keyword PS3.6 gives it (MRImageStorage)."""
    if _UID.fullmatch(text):
        return Literal(text, text)
    known = _uids_by_keyword()
    if text in known:
        return Literal(known[text], text)
    return Wrong(f"'{shown(text)}' is no UID", did_you_mean(text, known) or "Write its digits or its PS3.6 keyword")


@lru_cache(maxsize=1)
def _uids_by_keyword() -> dict[str, str]:
    return {entry[4]: uid for uid, entry in UID_dictionary.items() if entry[4]}


def _text(operand: Operand, text: str, *, exact: bool) -> Literal | Wrong:
    folded = fold(text)
    if not folded:
        return Wrong(f"{operand.text} is compared with an empty text", "For a missing value write {exists: false}")
    vr = _vr(operand)
    if "\\" in text and vr not in ("ST", "LT", "UT", "UR"):
        return Wrong("a backslash separates values and is never in one", "Write the values as a list")
    if exact and len(text) > LENGTH.get(vr, len(text)):
        return Wrong(f"'{shown(text)}' can never be {operand.text}: {vr} holds {LENGTH[vr]} characters")
    if exact and vr == "CS" and not _CODE.fullmatch(text):
        return Wrong(f"'{shown(text)}' can never be {operand.text}: CS holds letters, digits, spaces and underscores",
                     "Use matches: for values that break the standard")  # fmt: skip
    return Literal(folded.rstrip("^ ") if operand.kind is Kind.NAME else folded, text)


def _vr(operand: Operand) -> str:
    return operand.vr if isinstance(operand, Attribute) else ""


def _of_vr(operand: Operand) -> str:
    return f" ({_vr(operand)})" if _vr(operand) else ""
