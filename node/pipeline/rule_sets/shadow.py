"""A draft in the shadow of what is in use: asked about every live series, obeyed for none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from node.adapters.database import Database, headers, shadows
from node.adapters.database import rules as rows
from node.adapters.database.series import WaitingSeries
from node.adapters.database.shadows import Differing, Shadowing
from node.core.kept import KeptSubject
from node.core.rules import Decision, RuleSet, Sibling, Study, Subject, decide, parse_rule_set
from node.core.trial import effect_of
from node.core.trial.tally import spaced
from node.errors import BadConfiguration, NodeError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Seen:
    """What a shadow saw so far."""

    shadow: Shadowing
    series: int
    differing: int
    listed: Sequence[Differing]

    @property
    def sentence(self) -> str:
        return f"would have treated {spaced(self.differing)} of {spaced(self.series)} series otherwise"


class Shadow:
    """Puts live series to the draft in the shadow, if there is one. Whatever goes wrong here harms no series."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._number = 0
        self._rule_set: RuleSet | None = None
        self._lock = threading.Lock()

    def note(self, seen: WaitingSeries, subject: Subject, decision: Decision) -> None:
        """Write down what the draft would have done with a series that was just decided on."""
        try:
            shadowing = shadows.current(self._database)
            rule_set = self._of(shadowing) if shadowing else None
            if shadowing is None or rule_set is None:
                return
            would = decide(rule_set, subject, self._study(seen, subject))
            shadows.note(
                self._database,
                shadowing.number,
                seen.series_instance_uid,
                seen.version,
                rule_set_version=decision.rule_set,
                decided=_told(decision),
                would=_told(would),
                differs=effect_of(decision) != effect_of(would),
                now=self._clock(),
            )
        except NodeError as fault:
            _log.warning("shadow not asked", series_instance_uid=seen.series_instance_uid, reason=str(fault))

    def _study(self, seen: WaitingSeries, subject: Subject) -> Study:
        """The other series as they were kept; the live ones were read by the decision already."""
        others = [
            Sibling(one.series_instance_uid, one.arrived, KeptSubject(one.cells))
            for one in headers.of_study(self._database, seen.study_instance_uid)
            if one.series_instance_uid != seen.series_instance_uid
        ]
        own = Sibling(seen.series_instance_uid, seen.last_at, subject)
        return Study(own.series_instance_uid, [*others, own], self._clock())

    def _of(self, shadowing: Shadowing) -> RuleSet | None:
        with self._lock:
            if shadowing.number != self._number:
                self._number, self._rule_set = shadowing.number, None
                try:
                    self._rule_set = parse_rule_set(rows.files_of(self._database, shadowing.version))
                except BadConfiguration as wrong:  # written by another release of the node
                    _log.error("shadow not taken up", reason=str(wrong))
            return self._rule_set


def seen_by_shadow(database: Database, limit: int = 100) -> Seen | None:
    """What the draft in the shadow saw; None when there is none."""
    shadowing = shadows.current(database)
    if shadowing is None:
        return None
    series, differing = shadows.counted(database, shadowing.number)
    return Seen(shadowing, series, differing, shadows.differing(database, shadowing.number, limit))


def _told(decision: Decision) -> dict[str, object]:
    return {"disposition": decision.disposition.value, "rule": decision.rule, "does": effect_of(decision).told}
