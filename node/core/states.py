"""Every state of the node and every step between two states: nothing about state lives elsewhere.

A series is what the senders gave us; a job is one model's work on one completed series. The words of the
Unified Procedure Step (PS3.4 CC.1.1) are used where they fit: SCHEDULED, IN PROGRESS, COMPLETED, CANCELED.

    series   waiting ──▶ routed | held | filtered          a late instance, or a person, leads back to waiting
             held ──▶ dismissed                            by a person: nothing is to be done
    job      scheduled ──▶ in_progress ──▶ completed
                 │              ├──▶ scheduled             wait and try again, or taken up after a crash
                 │              ├──▶ not_processable | failed | canceled
                 └──▶ canceled | held
             anything ──▶ superseded                       by the job of a newer version of the series
             failed | canceled | not_processable | held | dismissed ──▶ scheduled    somebody retries it
             failed | canceled | not_processable | held ──▶ dismissed    by a person: nothing is to be done
             completed ──▶ scheduled                       its results are sent once more, or elsewhere
"""

from __future__ import annotations

from enum import StrEnum


class SeriesState(StrEnum):
    WAITING = "waiting"  # more instances may come
    ROUTED = "routed"  # the rules gave it to at least one model
    HELD = "held"  # the rules, or nobody's rule, keep it for a person
    FILTERED = "filtered"  # the rules ignore it on purpose
    DISMISSED = "dismissed"  # a person decided that nothing is to be done with it


class JobState(StrEnum):
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    HELD = "held"
    NOT_PROCESSABLE = "not_processable"  # the series cannot be what the model needs
    FAILED = "failed"
    CANCELED = "canceled"
    SUPERSEDED = "superseded"
    DISMISSED = "dismissed"  # a person decided that it is not to be done


class Stage(StrEnum):
    """Where a job in progress is."""

    INFER = "infer"
    ENCODE = "encode"
    CHECK = "check"
    DELIVER = "deliver"


class DeliveryState(StrEnum):
    WAITING = "waiting"  # not sent yet, or to be tried again
    DELIVERED = "delivered"
    REFUSED = "refused"  # the destination will never take it


_S, _J = SeriesState, JobState

SERIES_STEPS: dict[SeriesState, frozenset[SeriesState]] = {
    _S.WAITING: frozenset({_S.ROUTED, _S.HELD, _S.FILTERED}),
    _S.ROUTED: frozenset({_S.WAITING}),
    _S.HELD: frozenset({_S.WAITING, _S.ROUTED, _S.FILTERED, _S.DISMISSED}),
    _S.FILTERED: frozenset({_S.WAITING, _S.ROUTED, _S.HELD}),
    _S.DISMISSED: frozenset({_S.WAITING}),
}

JOB_STEPS: dict[JobState, frozenset[JobState]] = {
    _J.SCHEDULED: frozenset({_J.IN_PROGRESS, _J.CANCELED, _J.HELD, _J.SUPERSEDED}),
    _J.IN_PROGRESS: frozenset(
        {_J.SCHEDULED, _J.COMPLETED, _J.NOT_PROCESSABLE, _J.FAILED, _J.CANCELED, _J.HELD, _J.SUPERSEDED}
    ),
    _J.COMPLETED: frozenset({_J.SCHEDULED, _J.SUPERSEDED}),
    _J.HELD: frozenset({_J.SCHEDULED, _J.CANCELED, _J.SUPERSEDED, _J.DISMISSED}),
    _J.NOT_PROCESSABLE: frozenset({_J.SCHEDULED, _J.SUPERSEDED, _J.DISMISSED}),
    _J.FAILED: frozenset({_J.SCHEDULED, _J.SUPERSEDED, _J.DISMISSED}),
    _J.CANCELED: frozenset({_J.SCHEDULED, _J.SUPERSEDED, _J.DISMISSED}),
    _J.SUPERSEDED: frozenset(),
    _J.DISMISSED: frozenset({_J.SCHEDULED, _J.SUPERSEDED}),
}

OPEN_JOBS = frozenset({_J.SCHEDULED, _J.IN_PROGRESS})
STUCK_JOBS = frozenset({_J.HELD, _J.NOT_PROCESSABLE, _J.FAILED})  # they wait for a person


def may_step(before: JobState, after: JobState) -> bool:
    """Whether the table above knows this step."""
    return after in JOB_STEPS[before]
