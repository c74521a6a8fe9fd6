"""The audit trail's way out, where there is a collector."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from node.adapters.database import Database, audit
from node.adapters.database.leases import hold
from node.adapters.syslog import Collector
from node.app.clock import Clock
from node.config import Settings
from node.core.audit import What
from node.core.audit.parts import Source
from node.pipeline.access.export import Export
from node.worker.auditor import Auditor

_LEASE, _PORT = "audit export", 6514


def build_auditor(settings: Settings, database: Database, clock: Clock) -> Auditor | None:
    """None where the trail stays here. Raises BadConfiguration when the collector's certificates cannot be used."""
    way = settings.audit
    if not way.syslog:
        return None
    there = urlsplit(way.syslog)
    collector = Collector(
        there.hostname or "", there.port or _PORT, way.syslog_ca, way.syslog_certificate, way.syslog_key
    )
    collector.check()
    export = Export(database, collector, Source(settings.node.ae_title), settings.process_id, clock)
    return Auditor(export, partial(hold, database, _LEASE, settings.process_id), clock)


def tell(database: Database, clock: Clock, what: What, process: str) -> None:
    """A line of the node itself: it started, it stops."""
    with database.transaction() as connection:
        audit.note(connection, clock(), what, f"process {process}")
