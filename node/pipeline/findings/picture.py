"""The picture of a job: slices of its images with its segmentation burnt in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from node.adapters import imaging
from node.adapters.database import Database, findings
from node.adapters.database import jobs as rows
from node.adapters.database.index.documents import Held
from node.adapters.database.series import study_of
from node.errors import NoSuch
from node.pipeline.archive import Archive
from node.pipeline.archive.archive import Place

SLICES_AT_MOST = 4000
_SIDE = 512  # pixels of a drawn slice, at most
_SEG_KINDS = ("SEG", "LABELMAP")  # which may be drawn, the better one first
_REFERENCED_SERIES, _REFERENCED_INSTANCES = "00081115", "0008114A"
_SERIES_UID, _INSTANCE_UID = "0020000E", "00081155"


@dataclass(frozen=True)
class Shown:
    """One slice of the picture."""

    number: int  # from 1
    sop_instance_uid: str
    frame: int  # from 1


@dataclass(frozen=True)
class KeySlice:
    """The slice that shows most of a segment."""

    segment: int
    label: str
    slice: int  # number of a slice; 0: the segment was not found, or its slice is not here


@dataclass(frozen=True)
class Picture:
    """What there is to see of a job."""

    job_id: int
    study_instance_uid: str
    slices: tuple[Shown, ...]  # (): the images are not here any more, or not yet
    key_slices: tuple[KeySlice, ...]
    begin: int  # the slice to show first; 0: there is none
    has_segmentation: bool


def picture(database: Database, archive: Archive, job_id: int) -> Picture:
    """Raises NoSuch, StoreUnavailable."""
    job = rows.get(database, job_id) if 0 < job_id < 2**31 else None
    study = study_of(database, job.series_instance_uid) if job else None
    line = findings.measured(database, job_id) if job else None
    if job is None or study is None or line is None:
        raise NoSuch(f"there is no job {job_id}: see `mricore-node jobs list`")
    overlay = _overlay(database, archive, job_id, study)
    held = archive.held(Place(study, job.series_instance_uid))
    used = _referenced(archive, overlay, job.series_instance_uid) if job.volume else frozenset()
    slices = _slices([one for one in held if not used or one.sop_instance_uid in used])
    places = {(one.sop_instance_uid, one.frame): one.number for one in slices}
    keys = []
    for segment in line.segments:
        frame = segment.get("slice_frame")
        where = (str(segment.get("slice_uid") or ""), frame if isinstance(frame, int) else 1)
        number = segment.get("number")
        keys.append(KeySlice(number if isinstance(number, int) else 0, str(segment["label"]), places.get(where, 0)))
    first = next((one.slice for one in keys if one.slice), (len(slices) + 1) // 2)
    return Picture(job_id, study, slices, tuple(keys), first, overlay is not None)


def drawn(
    database: Database, archive: Archive, job_id: int, number: int, *, overlaid: bool = True, side: int = _SIDE
) -> bytes:
    """One slice as JPEG. Raises NoSuch; BadInstance where its pixels cannot be drawn; StoreUnavailable."""
    what = picture(database, archive, job_id)
    wanted = next((one for one in what.slices if one.number == number), None)
    if wanted is None:
        raise NoSuch(f"job {job_id} has no slice {number}: its images are not here, or there are fewer")
    found = archive.find(what.study_instance_uid, [wanted.sop_instance_uid])
    overlay = _overlay(database, archive, job_id, what.study_instance_uid) if overlaid else None
    if not found:
        raise NoSuch(f"the image of slice {number} is not here any more")
    how = imaging.Picture(frame=wanted.frame, size=(side, side), sop_instance_uid=wanted.sop_instance_uid)
    if overlay is not None:
        how = replace(how, overlays=(str(archive.path(overlay).absolute()),))
    return archive.imaging.draw(archive.path(found[0]), how)


def _overlay(database: Database, archive: Archive, job_id: int, study: str) -> Held | None:
    made = {one.kind: one for one in rows.results(database, job_id)}
    best = next((made[kind] for kind in _SEG_KINDS if kind in made), None)
    return next(iter(archive.find(study, [best.sop_instance_uid])), None) if best else None


def _referenced(archive: Archive, overlay: Held | None, series_instance_uid: str) -> frozenset[str]:
    """The instances that the segmentation was made of: of a series of several volumes, those of its own."""
    if overlay is None:
        return frozenset()
    model = next(iter(archive.models((), "", overlay)), {})
    return frozenset(
        str(instance[_INSTANCE_UID]["Value"][0])
        for series in model.get(_REFERENCED_SERIES, {}).get("Value", ())
        if series.get(_SERIES_UID, {}).get("Value") == [series_instance_uid]
        for instance in series.get(_REFERENCED_INSTANCES, {}).get("Value", ())
        if instance.get(_INSTANCE_UID, {}).get("Value")
    )


def _slices(held: list[Held]) -> tuple[Shown, ...]:
    shown: list[Shown] = []
    for one in held:
        for frame in range(1, (one.place.frames if one.place else 1) + 1):
            if len(shown) == SLICES_AT_MOST:
                return tuple(shown)
            shown.append(Shown(len(shown) + 1, one.sop_instance_uid, frame))
    return tuple(shown)
