"""The board: how the whole node stands, computed at most once in two seconds however many watch.

arrivals.py    who sent how much lately, followed through the ledger
counting.py    what takes long to count, counted in the background and not often
items.py       what the board shows, as values
totals.py      the balance and what is settled: counted over all that ever came
site.py        what the board is told of the node: sources, destinations, certificates
board.py       the snapshot of all of them
"""

from node.pipeline.board.board import Board
from node.pipeline.board.items import Snapshot
from node.pipeline.board.site import CertificateFile, KnownSource, Site

__all__ = ["Board", "CertificateFile", "KnownSource", "Site", "Snapshot"]
