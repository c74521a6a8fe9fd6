"""What `mricore-node check` looks at, and the pages with it: everything a node needs, one line each.

machine.py    disk, memory, clock, ports, names
stored.py     database, ledger, store
trust.py      certificates, who may read what
work.py       rules, models, Triton
peers.py      sources and destinations
"""

from __future__ import annotations

from node.adapters.database import Database
from node.app.checking.machine import machine_parts
from node.app.checking.peers import peer_parts
from node.app.checking.stored import stored_parts
from node.app.checking.trust import trust_parts
from node.app.checking.work import work_parts
from node.app.clock import Clock
from node.app.places import Places
from node.pipeline.checking import Part

__all__ = ["all_parts"]


def all_parts(
    places: Places, database: Database, clock: Clock, *, ledger: bool = False, starts: bool = True
) -> list[Part]:
    """`ledger`: follow its whole chain; `starts`: whether an embedded Triton may be started where none runs."""
    file = places.file
    return [
        Part("configuration", lambda: f"AE title {file.node.ae_title}, data in {file.node.data_dir}"),
        *stored_parts(file, database, whole=ledger),
        *machine_parts(file, database, clock),
        *trust_parts(places, clock),
        *work_parts(places, database, clock, starts=starts),
        *peer_parts(places, database, clock),
    ]
