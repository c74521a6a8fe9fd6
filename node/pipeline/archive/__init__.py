"""What was received and made, to be found and fetched again.

indexing.py  follows the ledger and the results, and keeps the index up with them
archive.py   searches, and what a retrieval needs
"""

from node.pipeline.archive.archive import Archive
from node.pipeline.archive.indexing import Indexing

__all__ = ["Archive", "Indexing"]
