"""A job: one model's work on one volume of one completed series, and when to try it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from node.core.states import JobState, Stage


@dataclass(frozen=True)
class NewJob:
    """What the rules ask for."""

    rule: str
    rule_set_version: str
    model: str
    model_version: str  # "" for the newest
    volume: str  # "" for the only one
    destinations: tuple[str, ...]
    priority: str  # stat, routine, low
    deadline_at: datetime | None = None  # when its results are wanted
    inputs: tuple[tuple[str, str], ...] = ()  # (need, SeriesInstanceUID) of a rule that needs several series


@dataclass(frozen=True)
class Job:
    """A job as it is stored."""

    id: int
    series_instance_uid: str
    version: int  # of the series that it works on
    rule: str
    rule_set_version: str
    model: str
    model_version: str
    volume: str
    destinations: tuple[str, ...]
    priority: str
    state: JobState
    stage: Stage | None
    reason: str
    attempts: int
    created_at: datetime
    supersedes: int | None  # the job of the version before, whose result this one replaces
    claim: int = 0  # how often it was claimed: what an attempt writes counts only while this is its number
    cut_off: int = 0  # attempts in a row that ended with their process
    deadline_at: datetime | None = None  # when its results are wanted at their destinations
    overdue: bool = False  # they were not there by then


@dataclass(frozen=True)
class Finding:
    """What the model found for one segment, for people; the SR holds the same figures coded."""

    number: int
    label: str
    volume_ml: float | None  # None where the thickness of a single slice is not known
    mean: float | None = None  # of the signal inside, without a unit; None for a segment that was not found
    sd: float | None = None
    diameter_mm: float | None = None
    slice_uid: str = ""  # SOPInstanceUID of the image that shows most of it; "": it was not found
    slice_frame: int | None = None  # from 1 in a multi-frame image


@dataclass(frozen=True)
class MadeResult:
    """One DICOM object that a job made."""

    kind: str  # SEG, SR
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    path: str  # relative to the results folder
    sha256: str
    size: int


@dataclass(frozen=True)
class Delivery:
    """One result on its way to one destination."""

    id: int
    destination: str
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    path: str
    attempts: int


_FIRST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(minutes=15)


def wait_before(attempts: int, jitter: float, asked_seconds: float | None = None) -> timedelta:
    """How long to wait before the next attempt: doubling from 2 s, at most 15 min, spread by `jitter` in 0..1.

    Where somebody knows when it is worth trying again (`asked_seconds`), that long and no longer.
    """
    if asked_seconds is not None:
        return timedelta(seconds=max(asked_seconds, 0.0))
    wait: timedelta = min(_FIRST_WAIT * (1 << min(attempts, 16)), _LONGEST_WAIT)
    return wait * (0.75 + 0.5 * jitter)


OVERDUE = "its deadline has passed; it goes on"


def is_overdue(deadline_at: datetime | None, now: datetime) -> bool:
    """Whether results are still missing that were wanted by then."""
    return deadline_at is not None and deadline_at < now


MOST_CUT_OFF = 3  # attempts in a row that end their process before a job is set aside
SET_ASIDE = f"its attempts ended the worker {MOST_CUT_OFF} times"
EVERY_NTH_BY_AGE = 8  # one claim of so many goes to whoever waits longest: nothing starves

_RANKS = {"stat": 0, "routine": 1, "low": 2}
RANKS = tuple(_RANKS.values())
_MAKE, _DELIVER, _BETWEEN = "make ", "send ", "\t"


def rank(priority: str) -> int:
    """Whose turn it is first."""
    return _RANKS.get(priority, _RANKS["routine"])


def priority_of(rank: int) -> str:
    """The priority of a rank."""
    return next((name for name, number in _RANKS.items() if number == rank), "routine")


@dataclass(frozen=True)
class Lane:
    """What a job waits for: its model, or once its results are kept, its destinations. Jobs of one lane keep order;
    one lane never waits for another."""

    model: str = ""
    destinations: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{_MAKE}{self.model}" if self.model else f"{_DELIVER}{_BETWEEN.join(sorted(self.destinations))}"

    @classmethod
    def read(cls, text: str) -> Lane:
        if text.startswith(_MAKE):
            return cls(model=text.removeprefix(_MAKE))
        return cls(destinations=tuple(one for one in text.removeprefix(_DELIVER).split(_BETWEEN) if one))


@dataclass(frozen=True)
class Limits:
    """How many jobs may be in progress at once for one model, and for one destination; 0: as many as there are."""

    model: int = 0
    destination: int = 0
    models: Mapping[str, int] = field(default_factory=dict)  # those that differ


@dataclass(frozen=True)
class Paused:
    """What takes no jobs at present."""

    models: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()


def is_open(lane: Lane, running: Mapping[Lane, int], limits: Limits, paused: Paused) -> bool:
    """Whether a job of this lane may be claimed. A job that can go to one destination of several is not held up."""
    if lane.model:
        limit = limits.models.get(lane.model, limits.model)
        return lane.model not in paused.models and (not limit or running.get(lane, 0) < limit)
    if lane.destinations and paused.destinations.issuperset(lane.destinations):
        return False
    return not limits.destination or all(_sent_to(one, running) < limits.destination for one in lane.destinations)


def _sent_to(destination: str, running: Mapping[Lane, int]) -> int:
    return sum(number for lane, number in running.items() if destination in lane.destinations)


@dataclass(frozen=True)
class Candidate:
    """A job that is due."""

    id: int
    rank: int
    due_at: datetime
    deadline_at: datetime | None = None


def in_turn(candidates: Sequence[Candidate], *, by_age: bool) -> list[Candidate]:
    """Stat before routine before low, in each the earliest deadline first, then by age; or by age alone."""
    return sorted(candidates, key=_age if by_age else _turn)


def _age(one: Candidate) -> tuple[datetime, int]:
    return one.due_at, one.id


def _turn(one: Candidate) -> tuple[int, bool, datetime, datetime, int]:
    return one.rank, one.deadline_at is None, one.deadline_at or one.due_at, one.due_at, one.id


def mixed(candidates: Sequence[Candidate]) -> list[Candidate]:
    """In turn, but every n-th place goes to whoever waits longest."""
    by_rank, by_age = in_turn(candidates, by_age=False), in_turn(candidates, by_age=True)
    placed: dict[int, Candidate] = {}
    while len(placed) < len(candidates):
        order = by_age if len(placed) % EVERY_NTH_BY_AGE == EVERY_NTH_BY_AGE - 1 else by_rank
        one = next(one for one in order if one.id not in placed)
        placed[one.id] = one
    return list(placed.values())
