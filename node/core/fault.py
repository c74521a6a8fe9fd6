"""Why a DIMSE-N request is refused, in the words of PS3.7 annex C."""

from __future__ import annotations

from dataclasses import dataclass

INVALID_ATTRIBUTE_VALUE, PROCESSING_FAILURE = 0x0106, 0x0110
DUPLICATE_INSTANCE, NO_SUCH_INSTANCE, INVALID_INSTANCE = 0x0111, 0x0112, 0x0117
INVALID_ARGUMENT, CLASS_INSTANCE_CONFLICT = 0x0115, 0x0119
MISSING_ATTRIBUTE, NO_SUCH_ACTION = 0x0120, 0x0123


@dataclass(frozen=True)
class Fault:
    """Status, a sentence of at most 64 characters, and an Error ID where the service defines one."""

    status: int
    sentence: str
    error_id: int | None = None
