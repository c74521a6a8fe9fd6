"""What a viewer needs to show the segmentation of a job on its images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.adapters.database import Database
from node.adapters.database import jobs as rows
from node.adapters.database.series import study_of
from node.errors import NoSuch
from node.pipeline.archive import Archive
from node.pipeline.archive.archive import Place

_SHOWN = 8  # slices of a page without a viewer
_MARGIN = 0.15  # of the series at either end: air


@dataclass(frozen=True)
class Overlay:
    """A job's segmentation, by UIDs; "" and () where there is none, or none yet."""

    job_id: int
    model: str
    state: str
    reason: str
    study: str
    series: str  # of the images
    segmentation_series: str = ""
    segmentation: str = ""
    images: tuple[str, ...] = ()  # some SOPInstanceUIDs from the middle of the series, in its order
    is_missing: bool = False  # a segmentation was made, but is not to be had: not in the index yet, or removed


def overlay(database: Database, archive: Archive, job_id: int) -> Overlay:
    """Raises NoSuch, StoreUnavailable."""
    job = rows.get(database, job_id) if 0 < job_id < 2**31 else None  # no database has another
    study = study_of(database, job.series_instance_uid) if job else None
    if job is None or study is None:
        raise NoSuch(f"there is no job {job_id}: see `mricore-node jobs list`")
    made = next((one for one in rows.results(database, job_id) if one.kind == "SEG"), None)
    found = made if made and archive.find(study, [made.sop_instance_uid]) else None
    images = [one.sop_instance_uid for one in archive.held(Place(study, job.series_instance_uid))]
    return Overlay(
        job_id=job_id,
        model=job.model,
        state=job.state.value,
        reason=job.reason,
        study=study,
        series=job.series_instance_uid,
        segmentation_series=found.series_instance_uid if found else "",
        segmentation=found.sop_instance_uid if found else "",
        images=_middle(images),
        is_missing=bool(made and not found),
    )


def _middle(images: list[str]) -> tuple[str, ...]:
    first, last = _MARGIN * (len(images) - 1), (1 - _MARGIN) * (len(images) - 1)
    number = min(_SHOWN, len(images))
    places = {round(first + (last - first) * at / max(1, number - 1)) for at in range(number)}
    return tuple(images[place] for place in sorted(places))


Find = Callable[[int], Overlay]  # the job's number → its overlay. Raises NoSuch, StoreUnavailable
