"""How values are written for people: lengths of time, bytes, numbers; and which look a state has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

# What a badge looks like (macros.html): a colour and a shape, never a colour alone.
LOOKS = {
    "waiting": "wait", "scheduled": "wait",
    "in_progress": "work",
    "routed": "good", "completed": "good", "delivered": "good", "stored": "good", "corrected": "good",
    "held": "hold", "paused": "hold", "conflict": "hold",
    "failed": "bad", "not_processable": "bad", "refused": "bad",
    "filtered": "off", "canceled": "off", "superseded": "off", "dismissed": "off", "duplicate": "off",
}  # fmt: skip

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def look(state: object) -> str:
    return LOOKS.get(str(state), "off")


def lasting(length: timedelta | float) -> str:
    """A length of time in its two largest units; tenths below ten seconds."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 0.1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(at for at, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


def size(number: float) -> str:
    """Bytes, in the unit that gives one to three digits."""
    at = 0
    while number >= 999.5 and at < len(_UNITS) - 1:
        number, at = number / 1000, at + 1
    return f"{number:.0f} {_UNITS[at]}" if at == 0 or number >= 10 else f"{number:.1f} {_UNITS[at]}"


def grouped(number: float) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{round(number):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(at: datetime) -> str:
    """For who has no script: the script writes it in the browser's zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def person(name: str) -> str:
    """A person name (PS3.5 6.2.1) as people write it: family name, given name; its groups side by side."""
    groups = [
        " ".join(part for part in group.replace("^", ", ", 1).replace("^", " ").split()) for group in name.split("=")
    ]
    return " · ".join(group.rstrip(", ") for group in groups if group.strip(", "))


def date(text: str) -> str:
    """A DICOM date (YYYYMMDD) with hyphens; anything else as it is."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


FILTERS: dict[str, Callable[..., Any]] = {
    "look": look, "lasting": lasting, "size": size, "grouped": grouped, "iso": iso, "utc": utc, "person": person,
    "date": date,
}  # fmt: skip
