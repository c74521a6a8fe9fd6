"""What a draft would change, counted and listed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from node.core.kept import Column
from node.core.trial.answers import Array
from node.core.trial.effect import Effect

LISTED_AT_MOST = 1000
_VOLUMES = "series.volumes"


@dataclass(frozen=True)
class Moved:
    """A series that a draft would treat otherwise."""

    series_instance_uid: str
    now: str
    then: str
    description: str = ""  # SeriesDescription, for people


@dataclass(frozen=True)
class Foretold:
    """What a trial found."""

    version: str  # of the draft
    base: str  # the version it was compared with
    days: float  # that the series stand for
    series: int
    changed: int
    gained: Mapping[str, int]  # model, held, ignored, waiting → series more
    lost: Mapping[str, int]
    inference_hours_a_day: float  # more, or fewer
    unmeasured: Sequence[str]  # models without a measured time, which count nothing
    uncertain: int  # series that held values the rules ask for and that were not kept
    listed: Sequence[Moved]  # LISTED_AT_MOST at most

    @property
    def sentence(self) -> str:
        """ "would change 37 of 4 112 series: +21 brain, −16 held; +1.4 h of inference a day"."""
        if not self.changed:
            return f"would change none of {spaced(self.series)} series"
        moves = [
            *(f"+{spaced(number)} {label}" for label, number in _by_number(self.gained)),
            *(f"\N{MINUS SIGN}{spaced(number)} {label}" for label, number in _by_number(self.lost)),
        ]
        what = f": {', '.join(moves)}" if moves else ": other destinations, priorities or tags"
        hours = self.inference_hours_a_day
        sign = "+" if hours >= 0 else "\N{MINUS SIGN}"
        time = f"; {sign}{abs(hours):.1f} h of inference a day" if abs(hours) >= 0.05 else ""
        unknown = f"; no time measured of {', '.join(self.unmeasured)}" if self.unmeasured else ""
        return f"would change {spaced(self.changed)} of {spaced(self.series)} series{what}{time}{unknown}"

    @property
    def digest(self) -> str:
        """sha256 of all of it: what a publication says was seen before."""
        plain = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(plain.encode()).hexdigest()

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "sentence": self.sentence, "digest": self.digest}


class Tally:
    """Counts, table by table."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        """`seconds`: model → what an inference took, measured."""
        self._seconds = seconds
        self._series = self._changed = self._uncertain = 0
        self._gained: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._more = 0.0  # seconds
        self._unmeasured: set[str] = set()
        self._listed: list[Moved] = []
        self._first, self._last = float("inf"), float("-inf")

    def add(
        self,
        uids: Sequence[str],
        times: Sequence[float],
        columns: Mapping[str, Column],
        now: tuple[Array, Sequence[Effect]],
        then: tuple[Array, Sequence[Effect]],
        uncertain: Array,
    ) -> None:
        """Some series: for each the number of its effect under either rule set."""
        self._series += len(uids)
        self._uncertain += int(uncertain.sum())
        if len(times):
            self._first, self._last = min(self._first, *times), max(self._last, *times)
        pairs, places = np.unique(now[0] << 32 | then[0], return_inverse=True)
        volumes = _volumes(columns, len(uids))
        for place, pair in enumerate(pairs.tolist()):
            before, after = now[1][pair >> 32], then[1][pair & 0xFFFFFFFF]
            if before != after:
                self._move(np.flatnonzero(places.ravel() == place), uids, volumes, before, after)

    def _move(self, rows: Array, uids: Sequence[str], volumes: Array, before: Effect, after: Effect) -> None:
        self._changed += len(rows)
        for label in set(after.labels) - set(before.labels):
            self._gained[label] += len(rows)
        for label in set(before.labels) - set(after.labels):
            self._lost[label] += len(rows)
        for count, number in Counter(volumes[rows].tolist()).items():
            self._more += number * (self._time(after, count) - self._time(before, count))
        for row in rows[: LISTED_AT_MOST - len(self._listed)].tolist():
            self._listed.append(Moved(uids[row], before.told, after.told))

    def _time(self, effect: Effect, volumes: int) -> float:
        models = effect.models(volumes)
        self._unmeasured.update(model for model in models if model not in self._seconds)
        return sum(self._seconds.get(model, 0.0) for model in models)

    def told(self, version: str, base: str, days: float | None) -> Foretold:
        """All of it. Without `days` the series stand for the time between the first and the last, one day at least."""
        span = (self._last - self._first) / 86400 if self._series else 0.0
        spread = days or max(1.0, span)
        return Foretold(
            version=version,
            base=base,
            days=round(spread, 3),
            series=self._series,
            changed=self._changed,
            gained=dict(_by_number(self._gained)),
            lost=dict(_by_number(self._lost)),
            inference_hours_a_day=round(self._more / 3600 / spread, 3),
            unmeasured=sorted(self._unmeasured),
            uncertain=self._uncertain,
            listed=tuple(self._listed),
        )


def spaced(number: int) -> str:
    """4 112."""
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def _by_number(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))


def _volumes(columns: Mapping[str, Column], rows: int) -> Array:
    column = columns.get(_VOLUMES)
    if column is None:
        return np.ones(rows, np.int64)
    return np.array([max(1, int(text)) if text.isdecimal() else 1 for text in column.texts], np.int64)[column.numbers]
