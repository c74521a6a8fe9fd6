"""The composition root: everything is built here from the settings, started in one order and stopped in the other.

node.py          the whole: what is shared, the order of start and stop
roles.py         what one process of several does
receiving.py     reception, DICOM listener and its services, feeds
rules.py         the rules in use, and what is kept to try others on
working.py       clerk, Triton, models, workers
archiving.py     the index of DICOMweb, who fills it and who asks it
serving.py       HTTP
store.py         where bytes lie
destinations.py  what a [[destination]] becomes
"""

from node.app.clock import utc_now
from node.app.destinations import build_destination
from node.app.node import Node
from node.app.roles import Role
from node.app.store import build_store

__all__ = ["Node", "Role", "build_destination", "build_store", "utc_now"]
