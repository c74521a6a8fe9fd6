"""C-STORE response statuses (PS3.4 table B.2-1, PS3.7 annex C) as this node answers them."""

from enum import StrEnum

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # try again later: below the disk watermark, or the database does not answer
DATA_SET_DOES_NOT_MATCH = 0xA900  # the data set contradicts the command, or names no series
CANNOT_UNDERSTAND = 0xC000  # the bytes are not a data set

ALREADY_THERE = 0x0111  # Duplicate SOP Instance: our bytes are deterministic, so it is the same object


class Meaning(StrEnum):
    """What a destination's answer means for a delivery."""

    DELIVERED = "delivered"
    WAIT = "wait"  # out of resources: the same object may be taken later
    REFUSED = "refused"  # it will never be taken


def meaning(status: int) -> Meaning:
    """The meaning of a C-STORE response status for the sender."""
    if status in (SUCCESS, ALREADY_THERE) or status & 0xF000 == 0xB000:
        return Meaning.DELIVERED
    return Meaning.WAIT if status & 0xFF00 == OUT_OF_RESOURCES else Meaning.REFUSED
