"""A job: the picture first, then what was measured, what made it, where it went, and the objects themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import HTMLResponse

from node.adapters.database import findings as rows
from node.core.access import Actor, Right
from node.core.states import JOB_STEPS, JobState
from node.errors import NoSuch
from node.pipeline import findings, series
from node.pipeline.findings import Earlier, Trace
from node.web.access import may
from node.web.api.results import Findings
from node.web.pages.charts import Chart, Value, over_time
from node.web.pages.pages import Crumb, Pages
from node.web.pages.timeline import timeline

Reading = Annotated[Actor, Depends(may(Right.READ))]
_Kind = Annotated[str, Path(max_length=8, pattern=r"^[A-Z-]+$")]


def job_pages(pages: Pages, about: Findings) -> APIRouter:
    """/admin/jobs/{id} and /admin/jobs/{id}/objects/{kind}."""
    router = APIRouter(include_in_schema=False)

    @router.get("/jobs/{job_id}")
    def shown(request: Request, job_id: int, actor: Reading) -> HTMLResponse:
        what = _shown(pages, about, job_id, actor)
        crumbs = [*_way(pages, what["whose"]), Crumb(pages.texts("job.title", number=job_id))]
        return pages.page(request, "job/job.html", "trace", crumbs=crumbs, **what)

    @router.get("/jobs/{job_id}/objects/{kind}")
    def looked_into(request: Request, job_id: int, kind: _Kind, actor: Reading) -> HTMLResponse:
        found = findings.readable(about.database, about.archive, job_id, kind, hides_patients=not actor.sees_patients)
        whose = rows.whose(about.database, job_id)
        crumbs = [
            *(_way(pages, whose) if whose else ()),
            Crumb(pages.texts("job.title", number=job_id), f"/admin/jobs/{job_id}"),
            Crumb(kind),
        ]
        return pages.page(request, "job/object.html", "trace", crumbs=crumbs, found=found, job_id=job_id)

    return router


def _way(pages: Pages, whose: rows.Whose) -> tuple[Crumb, ...]:
    """The way to a job: the search, its study, its series."""
    return (
        Crumb(pages.texts("job.trace"), "/admin/"),
        Crumb(pages.texts("trace.study.title"), f"/admin/studies?{urlencode({'uid': whose.study_instance_uid})}"),
        Crumb(
            whose.series_description or pages.texts("trace.series.nameless"),
            f"/admin/series?{urlencode({'uid': whose.series_instance_uid})}",
        ),
    )


@dataclass(frozen=True)
class Structure:
    """What was measured on one structure, and what was before."""

    number: int
    label: str
    figures: dict[str, float | None]
    slice: int  # that shows most of it; 0: it was not found
    before: Trace | None  # its volume over time
    chart: Chart | None  # of it, where there is something to compare with


def _shown(pages: Pages, about: Findings, job_id: int, actor: Actor) -> dict[str, Any]:
    """Raises NoSuch."""
    whose = rows.whose(about.database, job_id) if 0 < job_id < 2**31 else None
    if whose is None:
        raise NoSuch(pages.texts("job.missing", number=job_id))
    line = series.show(about.database, whose.series_instance_uid)
    job = next(one for one in line.jobs if one.id == job_id)
    picture = findings.picture(about.database, about.archive, job_id)
    traces = findings.earlier(about.database, job_id, hides_patients=not actor.sees_patients)
    objects = findings.objects(about.database, about.archive, job_id)
    return {
        "job": job,
        "line": line,
        "steps": [step for step in timeline(line) if step.job_id in (None, job_id)],
        "whose": whose,
        "picture": picture,
        "made_of": _made_of(objects),
        "structures": _structures(pages, job.segments, picture, traces),
        "compared": max((len(one.values) for one in traces), default=0) > 1,
        "provenance": findings.provenance(about.database, about.cards(), job_id),
        "objects": objects,
        "next_states": JOB_STEPS[JobState(job.state)],
        "destinations": about.destinations(),
    }


def _made_of(objects: Sequence[findings.Object]) -> str:
    """What is drawn on its slices, which a browser keeps by this; "" while it is not in the index: they are plain."""
    return next((one.sha256[:12] for one in objects if one.here and one.kind in ("SEG", "LABELMAP")), "")


def _structures(
    pages: Pages, segments: Sequence[Any], picture: findings.Picture, traces: Sequence[Trace]
) -> list[Structure]:
    shows = {one.segment: one.slice for one in picture.key_slices}
    volumes = {one.segment: one for one in traces if one.figure == "volume_ml"}
    made = []
    for segment in segments:
        number = int(segment.get("number") or 0)
        before = volumes.get(number)
        figures = {name: segment.get(name) for name in ("volume_ml", "diameter_mm", "mean", "sd")}
        chart = _chart(pages, before) if before and len(before.values) > 1 else None
        made.append(Structure(number, str(segment["label"]), figures, shows.get(number, 0), before, chart))
    return made


def _chart(pages: Pages, trace: Trace) -> Chart:
    values = [
        Value(
            examined(one),
            one.value,
            pages.texts("job.measured.point", job=one.job_id, value=f"{one.value:.1f}", unit=trace.unit),
        )
        for one in trace.values
    ]
    return over_time(sorted(values, key=lambda one: one.at), width=360, height=140)


def examined(one: Earlier) -> datetime:
    """The day of the study (UTC, midnight); where it is not told or is no likely day, when the job came."""
    try:
        day = datetime.strptime(one.study_date, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return one.created_at
    return day if 1900 <= day.year < 2200 else one.created_at
