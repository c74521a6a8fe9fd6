"""Models: what each is for and must not be used for, and how it does here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import HTMLResponse

from node.core.access import Actor, Right
from node.core.board import Standing
from node.core.card import Card, Segment
from node.core.drift import HIGH
from node.pipeline.cards import Activity, Look, ModelPage
from node.web.access import may
from node.web.pages.charts import Chart, Value, over_time
from node.web.pages.pages import Crumb, Pages

Reading = Annotated[Actor, Depends(may(Right.READ))]
_Name = Annotated[str, Path(max_length=128)]
_LOOKS = {Standing.OK: "good", Standing.ATTENTION: "hold", Standing.ACT: "bad"}


def models_pages(pages: Pages, look: Look) -> APIRouter:
    """/admin/models and /admin/models/{name}."""
    router = APIRouter(include_in_schema=False)

    @router.get("/models")
    def listed(request: Request, _actor: Reading) -> HTMLResponse:
        return pages.page(request, "models/list.html", "models", found=look.every(), looks=_LOOKS)

    @router.get("/models/{name}")
    def shown(request: Request, name: _Name, _actor: Reading) -> HTMLResponse:
        found = look.one(name)
        crumbs = [Crumb(pages.texts("models.title"), "/admin/models"), Crumb(name)]
        return pages.page(request, "models/model.html", "models", crumbs=crumbs, looks=_LOOKS, **_shown(pages, found))

    return router


@dataclass(frozen=True)
class Figures:
    """A table of measured quality: every figure that any row has, in the order in which they appear."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _shown(pages: Pages, found: ModelPage) -> dict[str, Any]:
    return {
        "found": found,
        "card": found.card,
        "figures": figures(found.card) if found.card else None,
        "colours": {one.number: colour(one) for one in found.card.segments} if found.card else {},
        "chart": _chart(pages, found.activity),
        "limit": _limit(),
        "states": _states(found.activity),
        "totals": sum((Counter(day.states) for day in found.activity.days), Counter[str]()),
    }


def figures(card: Card) -> Figures:
    """The card's quality as a table."""
    names = tuple(dict.fromkeys(name for row in card.quality for name, _ in row))
    return Figures(names, tuple(tuple(dict(row).get(name, "") for name in names) for row in card.quality))


def colour(segment: Segment) -> str:
    """A segment's CIELab colour (PS3.3 C.10.7.1.1) as #rrggbb, for the swatch beside its name."""
    lightness, a, b = segment.color
    fy = (lightness + 16) / 116
    x, y, z = (_inverse(fy + a / 500) * 0.95047, _inverse(fy), _inverse(fy - b / 200) * 1.08883)
    linear = (
        3.2406 * x - 1.5372 * y - 0.4986 * z,
        -0.9689 * x + 1.8758 * y + 0.0415 * z,
        0.0557 * x - 0.2040 * y + 1.0570 * z,
    )
    return "#" + "".join(f"{_gamma(min(max(one, 0.0), 1.0)):02x}" for one in linear)


def _inverse(value: float) -> float:
    return value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29)


def _gamma(value: float) -> int:
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def _chart(pages: Pages, activity: Activity) -> Chart | None:
    """The percentile of each judged job over time, and a line through the medians of the days."""
    values = [
        Value(
            one.at,
            one.percentile,
            pages.texts("models.ood.point", job=one.job_id, percentile=f"{one.percentile:.0f}"),
            high=one.percentile > HIGH,
        )
        for one in sorted(activity.points, key=lambda one: one.at)
    ]
    if not values:
        return None
    noons = [(datetime.combine(one.day, time(12), UTC), one.median) for one in activity.likeness]
    begin, end = values[0].at, values[-1].at
    medians = [(at, number) for at, number in noons if begin <= at <= end]
    return over_time(values, low=0, high=100, through=medians)


def _limit() -> float:
    """Where the line of HIGH lies in such a chart."""
    chart = over_time([], low=0, high=100)
    return round(chart.bottom - (chart.bottom - chart.top) * HIGH / 100, 1)


def _states(activity: Activity) -> list[str]:
    """The states that jobs of late are in, those that went well first."""
    order = ("completed", "scheduled", "in_progress", "held", "not_processable", "failed", "canceled", "superseded")
    there = {state for day in activity.days for state in day.states}
    return [state for state in order if state in there] + sorted(there - {*order})
