"""The index: what can be searched and retrieved over DICOMweb.

It is made of the ledger, the results and the stored files, and can be made again of them. So it lies in a file of its
own beside the SQLite database, where filling it never makes the reception wait, and it has a version rather than
migrations: another version's index is made anew. On PostgreSQL it is tables in the node's database.

tables.py    its tables
store.py     opening it; what a search or a retrieval may hold on to
filling.py   entering instances, hiding what was superseded
forgetting.py leaving out what has no bytes any more
searching.py queries as SQL
documents.py files, metadata and prepared answers
followed.py  what there is to be indexed, in the node's database
"""

from node.adapters.database.index.store import Index

__all__ = ["Index"]
