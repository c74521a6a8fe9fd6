"""What a value representation (PS3.5 section 6.2) lets a rule compare, and how its text is read.

Numbers, dates, times and ages all become one number, so that one pair of comparisons serves them. Reading returns
nothing when the text is not of the kind: it never raises and never guesses.
"""

from __future__ import annotations

import math
import re
from datetime import date
from enum import StrEnum

Value = str | float | bool


class Kind(StrEnum):
    """What sort of thing is compared; the word is the one used in mistakes."""

    TEXT = "text"
    NAME = "a person's name"
    UID = "a UID"
    NUMBER = "a number"
    DATE = "a date"
    TIME = "a time"
    DATE_TIME = "a date and time"
    AGE = "an age"
    FLAG = "true or false"
    SEQUENCE = "a sequence"
    CODE = "a code"
    OPAQUE = "binary"
    ANY = "of an unlisted private type"


OF_VR = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"), Kind.TEXT),
    **dict.fromkeys(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV", "US or SS"), Kind.NUMBER),
    "AS": Kind.AGE,
    "DA": Kind.DATE,
    "DT": Kind.DATE_TIME,
    "PN": Kind.NAME,
    "SQ": Kind.SEQUENCE,
    "TM": Kind.TIME,
    "UI": Kind.UID,
}
TEXTUAL = frozenset({Kind.TEXT, Kind.NAME, Kind.UID})
ORDERED = frozenset({Kind.NUMBER, Kind.DATE, Kind.TIME, Kind.DATE_TIME, Kind.AGE})
LENGTH = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "UI": 64, "ST": 1024, "LT": 10240}  # PS3.5 table 6.2-1
WHOLE = {"IS": (-(2**31), 2**31 - 1), "US": (0, 2**16 - 1), "SS": (-(2**15), 2**15 - 1), "UL": (0, 2**32 - 1)}

_NUMBER = re.compile(r"[+-]?(\d{1,64}(\.\d{0,64})?|\.\d{1,64})([eE][+-]?\d{1,4})?")
_DATE = re.compile(r"(\d{4})([-.]?)(\d\d)\2(\d\d)")
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.\d{1,6})?)?)?")
_DATE_TIME = re.compile(r"(\d{4}-?\d\d-?\d\d)[T ]?(.{0,15})")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_SPAN = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)\s*(min|minutes?|h|hours?|days?|weeks?|months?|years?)")
_DAYS = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}  # a month is a twelfth of a year: 012M is 001Y


def number(text: str) -> float | None:
    """A finite decimal number."""
    if not text.isascii() or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def day(text: str) -> float | None:
    """A calendar day: 20240131, or 2024-01-31 as people write it, or 2024.01.31 as ACR-NEMA did."""
    found = _DATE.fullmatch(text)
    if not found or not text.isascii():
        return None
    try:
        return float(date(int(found[1]), int(found[3]), int(found[4])).toordinal())
    except ValueError:
        return None


def time_of_day(text: str) -> float | None:
    """Seconds since midnight: 0830, 083015.25 or 08:30."""
    found = _TIME.fullmatch(text)
    if not found or not text.isascii():
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    fraction = float("0." + text.partition(".")[2]) if "." in text else 0.0
    return hours * 3600 + minutes * 60 + seconds + fraction


def date_time(text: str) -> float | None:
    """Seconds since the first day. A value with a time zone is not read: which zone the rule meant is not known."""
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return None
    days, seconds = day(found[1]), time_of_day(found[2]) if found[2] else 0.0
    return None if days is None or seconds is None else days * 86400 + seconds


def age(text: str) -> float | None:
    """Days: 018Y, 18Y, 006M, 03W, 10D (PS3.5 table 6.2-1, AS)."""
    found = _AGE.fullmatch(text.upper())
    return int(found[1]) * _DAYS[found[2]] if found and text.isascii() else None


def days(text: str) -> float | None:
    """Days: "18 years", "6 months", "30 days", "4 h", "30 min", as people write them."""
    found = _SPAN.fullmatch(text)
    if not found or not text.isascii():
        return None
    in_days = {"mi": 1 / 1440, "h": 1 / 24, "ho": 1 / 24, "da": 1.0, "we": 7.0, "mo": 30.4375, "ye": 365.25}
    return float(found[1]) * in_days[found[2][:2]]


def written_age(text: str) -> float | None:
    """An age in a rule: 18Y as in the header, or 18 years."""
    as_in_header = age(text)
    return days(text) if as_in_header is None else as_in_header


READ = {Kind.NUMBER: number, Kind.DATE: day, Kind.TIME: time_of_day, Kind.DATE_TIME: date_time, Kind.AGE: age}
LOOKS_LIKE = {
    Kind.NUMBER: "3 or 1.5",
    Kind.DATE: "2024-01-31",
    Kind.TIME: "08:30",
    Kind.DATE_TIME: "2024-01-31T08:30",
    Kind.AGE: "18Y, 6M, 2W, 10D or 18 years",
}
