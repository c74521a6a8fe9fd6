"""A fault drill: what is done to a node on purpose, what it has to do then, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PATIENT = "MRICORE-DRILL"  # every PatientID of a drill begins so


@dataclass(frozen=True)
class Exercise:
    """One fault."""

    name: str
    title: str
    done: str
    expected: str


@dataclass(frozen=True)
class Outcome:
    """What came of one."""

    name: str
    seen: str
    passed: bool
    seconds: float


@dataclass(frozen=True)
class About:
    """What a sheet says of the whole drill."""

    site: str  # the node's AE title
    version: str
    begun_at: datetime
    machine: str
    model: str
    conditions: tuple[str, ...]  # how it differs from the node that runs


EXERCISES = (
    Exercise(
        "dead-pacs",
        "A PACS is dead",
        "A phantom was sent while its PACS did not listen; later the PACS was started.",
        "The job waits and says what for. Nothing is lost. When the PACS is back, every object is delivered.",
    ),
    Exercise(
        "dead-triton",
        "The model server is dead",
        "The way to the model server was cut, a phantom was sent, and the way was opened again.",
        "The node says that it is not ready, the job waits with the reason, and completes when the server is back.",
    ),
    Exercise(
        "full-disk",
        "The disk is full",
        "A phantom was sent to a store without room, and again when there was room.",
        "Every instance is answered A700 (out of resources) and none is acknowledged; then all are kept.",
    ),
    Exercise(
        "slow-scanner",
        "A scanner is slow",
        "The slices of a phantom were sent one by one, each on an association of its own, with pauses.",
        "One series with all slices, one job, one result: the series is not taken for complete too early.",
    ),
    Exercise(
        "japanese-name",
        "A Japanese name",
        "A phantom was sent whose patient's name is in three scripts (ISO 2022 IR 87).",
        "The series is found by its name in every script, and the results carry the name unchanged.",
    ),
    Exercise(
        "duplicate",
        "Everything comes twice",
        "A phantom was sent again while it was worked on, and once more when its result was there.",
        "Every instance is answered 0000 and kept once; there is one job and one result.",
    ),
    Exercise(
        "late-slice",
        "A slice comes late",
        "A phantom was sent without one slice; that slice was sent when the result was there.",
        "The series is opened again: a new version with all slices, whose result supersedes the first.",
    ),
)  # fmt: skip
NAMES = tuple(one.name for one in EXERCISES)


def exercise(name: str) -> Exercise:
    return next(one for one in EXERCISES if one.name == name)
