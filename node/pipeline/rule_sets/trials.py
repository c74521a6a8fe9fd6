"""Trials: what a draft would do with the series that came, beside what is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from node.adapters.database import Database, headers, simulations
from node.adapters.database import rules as rows
from node.adapters.database.headers import Batch
from node.core.kept import NOT_KEPT
from node.core.rules import parse_rule_set
from node.core.trial import Answers, Foretold, Rulings, Table, Tally
from node.errors import NodeError

_log = structlog.get_logger(__name__)

_VOLUMES = "series.volumes"

Progress = Callable[[int, int], None]  # series done, series in all


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Trials:
    """Tries rule sets on what was kept, a few thousand series at a time."""

    database: Database
    clock: Callable[[], datetime]
    process: str = ""

    def run(
        self,
        draft: Mapping[str, str],
        in_use: Mapping[str, str],
        days: int = 0,
        progress: Progress = _silent,
    ) -> Foretold:
        """What changes when the draft takes the place of what is in use. `days`: of so many; 0: of all that is kept.

        Raises BadConfiguration for the first error in either.
        """
        since = self.clock() - timedelta(days=days) if days else None
        answers = Answers()
        base, new = parse_rule_set(in_use), parse_rule_set(draft)
        now, then = Rulings(base, answers), Rulings(new, answers)
        keys = sorted({*now.keys, *then.keys, NOT_KEPT, _VOLUMES})
        if now.of_studies or then.of_studies:
            self._gather([one for one in (now, then) if one.of_studies], answers, keys, since)
        tally = Tally(simulations.measured_seconds(self.database))
        done, total = 0, headers.number(self.database, since)
        for batch in headers.batches(self.database, keys, since):
            table, whose = _turned(answers, batch), batch.whose
            tally.add(
                whose.uids,
                whose.times,
                batch.columns,
                (now.of(table, whose.uids, whose.studies), now.effects),
                (then.of(table, whose.uids, whose.studies), then.effects),
                answers.cut([*now.keys, *then.keys]),
            )
            done += table.rows
            progress(done, max(total, done))
        return self._described(tally.told(new.version, base.version, float(days) or None))

    def _described(self, found: Foretold) -> Foretold:
        known = simulations.descriptions(self.database, [one.series_instance_uid for one in found.listed])
        listed = [replace(one, description=known.get(one.series_instance_uid, "")) for one in found.listed]
        return replace(found, listed=listed)

    def recorded(
        self, number: int, draft: Mapping[str, str], in_use: Mapping[str, str], days: int, progress: Progress = _silent
    ) -> Foretold:
        """`run`, with its progress and its result written down under a number that `begin` gave."""

        def watched(done: int, total: int) -> None:
            simulations.note_progress(self.database, number, done, total)
            progress(done, total)

        try:
            found = self.run(draft, in_use, days, _now_and_then(watched))
        except NodeError as wrong:
            simulations.finish(self.database, number, simulations.FAILED, {"reason": str(wrong)})
            raise
        except Exception:
            simulations.finish(self.database, number, simulations.FAILED, {"reason": "the node failed: see the log"})
            raise
        simulations.finish(self.database, number, simulations.DONE, found.to_json())
        return found

    def begin(self, version: str, base: str, days: int, author: str) -> int:
        """Write down that a trial of a version that is kept begins: its number."""
        return simulations.begin(
            self.database, version, base, days, author=author, process=self.process, now=self.clock()
        )

    def _gather(self, rulings: list[Rulings], answers: Answers, keys: list[str], since: datetime | None) -> None:
        for batch in headers.batches(self.database, keys, since):
            table, whose = _turned(answers, batch), batch.whose
            for one in rulings:
                one.gather(table, whose.uids, whose.studies, whose.arrivals)


def foretold(trials: Trials, author: str) -> Callable[[str, str], Mapping[str, object] | None]:
    """What a trial said of a version beside another; it is tried now when it was not yet."""

    def told(version: str, base: str) -> Mapping[str, object] | None:
        if found := summary(trials.database, version, base):
            return found
        number = trials.begin(version, base, 0, author)
        trials.recorded(number, rows.files_of(trials.database, version), rows.files_of(trials.database, base), 0)
        return summary(trials.database, version, base)

    return told


def summary(database: Database, version: str, base: str) -> Mapping[str, object] | None:
    """Digest and sentence of the newest trial of a version beside what is in use; what a publication keeps of it."""
    found = simulations.last_of(database, version, base)
    if found is None or found.result is None:
        return None
    kept = {name: found.result[name] for name in ("digest", "sentence", "series", "changed") if name in found.result}
    return {"simulation": found.id, **kept}


def _turned(answers: Answers, batch: Batch) -> Table:
    table = Table(len(batch.whose.uids), batch.columns)
    answers.turn_to(table)
    return table


def _now_and_then(progress: Progress) -> Progress:
    """Every tenth time, and at the end: a row is written for each."""
    calls = 0

    def called(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls % 10 == 1 or done >= total:
            progress(done, total)

    return called
