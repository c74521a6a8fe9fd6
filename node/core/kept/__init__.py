"""What is kept of the headers of a series so that a rule can be tried on it weeks later: no pixels, bounded in size.

Every element that a rule can name is a *cell*: its different values in the series, as the bytes that were received.
Cells of many series stand in columns, so that a trial reads only what its rules ask for. A trial puts the rules to
the very reader that they have for a series just received.
"""

from node.core.kept.cells import NOT_KEPT, Cell, Raw
from node.core.kept.collect import kept_cells, kept_facts
from node.core.kept.columns import Column, pack, packed_column, unpack, unpacked_column
from node.core.kept.subject import KeptSubject, key_of

__all__ = [
    "NOT_KEPT",
    "Cell",
    "Column",
    "KeptSubject",
    "Raw",
    "kept_cells",
    "kept_facts",
    "key_of",
    "pack",
    "packed_column",
    "unpack",
    "unpacked_column",
]
