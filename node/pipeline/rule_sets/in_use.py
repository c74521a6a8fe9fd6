"""The rule set in use, compiled once for each publication."""

from __future__ import annotations

import threading

import structlog

from node.adapters.database import Database
from node.adapters.database import rules as rows
from node.core.rules import RuleSet, parse_rule_set
from node.errors import BadConfiguration, StoreUnavailable

_log = structlog.get_logger(__name__)


class InUse:
    """What is in use now. Asked before every decision: one look at a number in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._number = 0
        self._rule_set: RuleSet | None = None
        self._lock = threading.Lock()

    def __call__(self) -> RuleSet:
        """Raises StoreUnavailable when the database does not answer, or nothing was published."""
        with self._lock:
            number = rows.newest_number(self._database)
            if number != self._number or self._rule_set is None:
                self._take_up(number)
            if self._rule_set is None:
                raise StoreUnavailable("no rule set is published")
            return self._rule_set

    def _take_up(self, number: int) -> None:
        last = rows.newest(self._database)
        if last is None:
            return
        self._number = number
        try:
            self._rule_set = parse_rule_set(rows.files_of(self._database, last.version))
        except BadConfiguration as wrong:  # written by another release of the node
            _log.error("rule set not taken up", reason=f"publication {number} cannot be read: {wrong}")
            return
        _log.info("rule set in use", reason=f"publication {number} ({last.version[:12]}) by {last.author}")
