"""What happened to a series, one step after the other, from the first byte to the last delivery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from node.adapters.database.erasing import SAID
from node.adapters.database.trace import Decided, Event, JobLine, SeriesLine
from node.core.states import DeliveryState, JobState, SeriesState
from node.web.pages.shown import grouped, lasting, look, size

_AT_ONCE = timedelta(seconds=1)  # answers of one destination that are told together
_GAP = timedelta(milliseconds=100)  # below which nobody wants to know how long it took
_BY_THE_NODE = frozenset({"worker", "completion", "reception", "rules", "node", "retention", "clerk", "dbos"})


@dataclass(frozen=True)
class Step:
    """One thing that happened. Its words: trace.step.<kind>, with `names` filled in."""

    at: datetime
    kind: str
    look: str  # shown.LOOKS
    names: Mapping[str, object] = field(default_factory=dict)
    why: str = ""
    actor: str = ""  # a person
    job_id: int | None = None
    decided: Decided | None = None  # what the rules said
    after: str = ""  # how long after the step before
    folded: tuple[Step, ...] = ()  # tries between that ended like this one, the oldest first


def timeline(line: SeriesLine) -> tuple[Step, ...]:
    """The steps in their order; what happened at one moment in the order in which it must have."""
    found = sorted(_steps(line), key=lambda step: (step.at, _rank(step.kind)))
    return tuple(_timed(_folded(found)))


_RANKS = (
    "received_", "series_", "reprocessed", "job_asked", "started", "sent", "job_", "made_room", "deleted", "removed",
)  # fmt: skip


def _rank(kind: str) -> int:
    return next((rank for rank, start in enumerate(_RANKS) if kind.startswith(start)), len(_RANKS))


def whole(line: SeriesLine) -> timedelta | None:
    """From the first byte to the last delivery of what is made; None as long as something is under way."""
    if line.state == SeriesState.WAITING or any(not _is_over(one) for one in line.jobs):
        return None
    ends = [one.finished_at for one in line.jobs if one.state == JobState.COMPLETED and one.finished_at]
    return max(ends) - line.first_at if ends else None


def is_under_way(line: SeriesLine) -> bool:
    """Whether more is to happen without anybody's doing."""
    return line.state == SeriesState.WAITING or any(not _is_over(one) for one in line.jobs)


def _is_over(job: JobLine) -> bool:
    return job.state not in (JobState.SCHEDULED, JobState.IN_PROGRESS)


_TRIES = frozenset({"job_waits", "sent_waiting"})
_FEW = 4  # tries in a row that are all shown


def _folded(steps: list[Step]) -> Iterator[Step]:
    """Where one job was tried again and again, the first try and the last, which holds those between."""
    for (_, is_try), same in groupby(steps, lambda step: (step.job_id, step.kind in _TRIES)):
        some = list(same)
        if is_try and len(some) > _FEW:
            yield some[0]
            yield Step(**{**vars(some[-1]), "folded": tuple(some[1:-1])})
        else:
            yield from some


def _timed(steps: Iterator[Step]) -> Iterator[Step]:
    before: datetime | None = None
    for step in steps:
        gap = step.at - before if before else timedelta(0)
        yield Step(**{**vars(step), "after": f"+{lasting(gap)}" if gap > _GAP else ""})
        before = step.at


def _steps(line: SeriesLine) -> Iterator[Step]:
    yield from _received(line)
    decisions = iter(line.decisions)
    jobs = {one.id: one for one in line.jobs}
    for event in line.history:
        if event.job_id is None:
            yield _of_series(event, decisions)
        elif event.job_id in jobs:
            yield _of_job(event, jobs[event.job_id])
    for job in line.jobs:
        if job.started_at:
            yield Step(job.started_at, "started", "work", {"model": job.model}, job_id=job.id)
        yield from _sent(job)
    if line.removed_at:
        yield Step(line.removed_at, "removed", "off")


def _received(line: SeriesLine) -> Iterator[Step]:
    for one in line.associations:
        took = one.last_at - one.first_at
        names = {
            "number": grouped(one.number),
            "size": size(one.size),
            "ae": one.calling_ae,
            "host": one.host,
            "channel": one.channel,
            "took": lasting(took) if took > _GAP else "",
        }
        yield Step(one.first_at, f"received_{one.disposition}", look(one.disposition), names, one.reason)


def _of_series(event: Event, decisions: Iterator[Decided]) -> Step:
    actor = "" if event.actor in _BY_THE_NODE else event.actor
    decided = next(decisions, None) if event.actor == "completion" and event.state != SeriesState.WAITING else None
    kind = f"series_{event.state}"
    if event.state == SeriesState.WAITING and actor:
        kind = "reprocessed"
    if event.actor == "retention":
        return Step(event.at, "made_room", "off", why=event.why)
    if event.why.startswith(SAID):
        return Step(event.at, "deleted", "off", why=event.why, actor=actor)
    names = {"version": decided.version if decided else ""}
    return Step(event.at, kind, look(event.state), names, event.why, actor, decided=decided)


def _of_job(event: Event, job: JobLine) -> Step:
    actor = "" if event.actor in _BY_THE_NODE else event.actor
    kind = f"job_{event.state}"
    if event.state == JobState.SCHEDULED:
        kind = "job_asked" if event.actor == "completion" else "job_again" if actor else "job_waits"
    if event.state == JobState.COMPLETED:
        kind = "job_completed"
    seconds = " · ".join(f"{stage} {lasting(took)}" for stage, took in job.seconds.items())
    names = {"model": _named(job), "seconds": seconds if event.state == JobState.COMPLETED else ""}
    return Step(event.at, kind, look(event.state), names, event.why, actor, event.job_id)


def _named(job: JobLine) -> str:
    return f"{job.model} {job.model_version}".rstrip()


def _sent(job: JobLine) -> Iterator[Step]:
    """Objects of one job that one destination answered alike at about one moment are one step."""
    tried = sorted(
        ((one.destination, one.state, one.answer, one.at, one) for one in job.sent if one.at), key=_first_four
    )
    for (destination, state, answer), same in groupby(tried, lambda one: one[:3]):
        some = [(at, one) for *_, at, one in same]
        while some:
            now = [(at, one) for at, one in some if at - some[0][0] < _AT_ONCE]
            some = some[len(now) :]
            names = {
                "kinds": ", ".join(sorted(one.kind for _, one in now)),
                "destination": destination,
                "attempts": max(one.attempts for _, one in now),
            }
            kind = "sent" if state == DeliveryState.DELIVERED else f"sent_{state}"
            yield Step(now[-1][0], kind, look(state), names, answer, job_id=job.id)


def _first_four(one: tuple[str, str, str, datetime, object]) -> tuple[str, str, str, datetime]:
    return one[:4]
