"""What is remembered of every series that was given to the rules: its headers without pixels, and the rules it met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from node.adapters.database import Database, hits, shadows
from node.adapters.database import headers as rows
from node.adapters.database.headers import KeptHeader
from node.adapters.database.series import WaitingSeries
from node.core.kept import kept_cells, kept_facts
from node.core.rules import Decision, Standing, Subject

_log = structlog.get_logger(__name__)

_SHADOWS_AT_LEAST = 30  # days
_LOOSE_FOR = timedelta(days=1)  # studies are still put together from rows of their own


@dataclass(frozen=True)
class Headers:
    """Keeps headers for so many days; 0: none. Which rule matched which series is counted all the same."""

    database: Database
    clock: Callable[[], datetime]
    days: int

    def keep(self, seen: WaitingSeries, subject: Subject, decision: Decision) -> None:
        """Remember a series as the rules saw it."""
        matched = [one.rule.name for one in decision.outcomes if one.standing is Standing.MATCHED]
        rows.keep(
            self.database,
            KeptHeader(
                series_instance_uid=seen.series_instance_uid,
                study_instance_uid=seen.study_instance_uid,
                version=seen.version,
                at=self.clock(),
                cells={**kept_cells(subject.datasets), **kept_facts(subject.facts)} if self.days else {},
                arrived_at=seen.last_at,
            ),
            matched,
        )

    def tidy(self) -> int:
        """Gather rows of other days in chunks, and forget what is too old; how many series were moved or forgotten."""
        now = self.clock()
        moved = 0
        while more := rows.merge(self.database, now - _LOOSE_FOR):
            moved += more
        gone = rows.sweep(self.database, now - timedelta(days=self.days))
        hits.sweep(self.database, now)
        shadows.sweep(self.database, now - timedelta(days=max(self.days, _SHADOWS_AT_LEAST)))
        if gone:
            _log.info("kept headers forgotten", series=gone, reason=f"older than {self.days} days")
        return moved + gone
