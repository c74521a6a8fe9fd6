"""The objects that a job made, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from node.adapters.database import Database
from node.adapters.database import jobs as rows
from node.adapters.database.series import study_of
from node.core.readable import Content, Tree, content, tree
from node.errors import NoSuch
from node.pipeline.archive import Archive


@dataclass(frozen=True)
class Object:
    """One DICOM object."""

    kind: str
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sha256: str
    size: int
    here: bool  # whether it can be looked into: it is in the index, and its bytes were not removed


@dataclass(frozen=True)
class Readable:
    """What is in one of them."""

    kind: str
    sop_instance_uid: str
    tree: Tree
    content: Content | None  # of a Structured Report


def objects(database: Database, archive: Archive, job_id: int) -> Sequence[Object]:
    """In the order in which they were made. Raises NoSuch, StoreUnavailable."""
    study = _study(database, job_id)
    made = rows.results(database, job_id)
    found = {one.sop_instance_uid for one in archive.find(study, [one.sop_instance_uid for one in made])}
    return [
        Object(
            one.kind,
            one.sop_class_uid,
            one.series_instance_uid,
            one.sop_instance_uid,
            one.sha256,
            one.size,
            one.sop_instance_uid in found,
        )
        for one in made
    ]


def readable(database: Database, archive: Archive, job_id: int, kind: str, *, hides_patients: bool = False) -> Readable:
    """Raises NoSuch where the job made none of the kind, or it is not here; StoreUnavailable."""
    study = _study(database, job_id)
    made = next((one for one in rows.results(database, job_id) if one.kind == kind), None)
    if made is None:
        raise NoSuch(f"job {job_id} made no {kind[:16]}")
    held = next(iter(archive.find(study, [made.sop_instance_uid])), None)
    model = next(iter(archive.models((), "", held)), None) if held else None
    if model is None:
        raise NoSuch(f"the {made.kind} of job {job_id} is not here: it was removed, or is not in the index yet")
    return Readable(
        made.kind,
        made.sop_instance_uid,
        tree(model, hides_patients=hides_patients),
        content(model, hides_patients=hides_patients),
    )


def _study(database: Database, job_id: int) -> str:
    job = rows.get(database, job_id) if 0 < job_id < 2**31 else None
    study = study_of(database, job.series_instance_uid) if job else None
    if study is None:
        raise NoSuch(f"there is no job {job_id}: see `mricore-node jobs list`")
    return study
