"""C-STORE response statuses (PS3.4 table B.2-1, PS3.7 annex C) as this node answers them."""

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # try again later: below the disk watermark, or the database does not answer
DATA_SET_DOES_NOT_MATCH = 0xA900  # the data set contradicts the command, or names no series
CANNOT_UNDERSTAND = 0xC000  # the bytes are not a data set
