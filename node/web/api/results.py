"""/api/v1/jobs/{id}/…: what a job found: its picture, its figures over time, what made it, the objects themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from node.adapters.database import Database
from node.core.access import Actor, Right
from node.core.audit import What
from node.core.card import Card
from node.errors import NotAllowed
from node.pipeline import findings
from node.pipeline.archive import Archive
from node.pipeline.findings import Object, Picture, Provenance, Readable, Trace
from node.web.access import may, note_read

Reading = Annotated[Actor, Depends(may(Right.READ))]
_Kind = Annotated[str, Path(max_length=8, pattern=r"^[A-Z-]+$")]
Cards = Callable[[], Mapping[str, Card]]


@dataclass(frozen=True)
class Findings:
    """Where what a job found is read from."""

    database: Database
    archive: Archive
    cards: Cards
    destinations: Callable[[], Sequence[str]] = tuple  # where results may be sent


def results_router(about: Findings) -> APIRouter:
    """A thin shell over pipeline.findings."""
    router = APIRouter(prefix="/jobs/{job_id}", tags=["results"])
    database, archive = about.database, about.archive

    @router.get("/picture", summary="Its slices in their order, and those that show most of each segment")
    def picture(job_id: int, _actor: Reading) -> Picture:
        return findings.picture(database, archive, job_id)

    @router.get(
        "/slices/{number}",
        summary="One slice as JPEG, with the segmentation burnt in unless overlay=false",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    def drawn(
        job_id: int,
        number: int,
        actor: Reading,
        request: Request,
        overlay: bool = True,
        side: Annotated[int, Query(ge=32, le=2048)] = 512,
    ) -> Response:
        if not actor.sees_patients:
            raise NotAllowed("images are shown to who may see patients: names may be burnt into them")
        note_read(request, What.VIEWED, f"job {job_id}")
        content = findings.drawn(database, archive, job_id, number, overlaid=overlay, side=side)
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    @router.get("/earlier", summary="Each figure with the same patient's earlier ones, by the same model")
    def earlier(job_id: int, actor: Reading) -> list[Trace]:
        return findings.earlier(database, job_id, hides_patients=not actor.sees_patients)

    @router.get("/provenance", summary="What made it: model, weights, rule, inputs")
    def provenance(job_id: int, _actor: Reading) -> Provenance:
        return findings.provenance(database, about.cards(), job_id)

    @router.get("/results", summary="The DICOM objects that it made")
    def objects(job_id: int, _actor: Reading) -> list[Object]:
        return list(findings.objects(database, archive, job_id))

    @router.get("/results/{kind}", summary="One of them as a tree of attributes; a report also as a tree in words")
    def readable(job_id: int, kind: _Kind, actor: Reading) -> Readable:
        return findings.readable(database, archive, job_id, kind, hides_patients=not actor.sees_patients)

    return router
