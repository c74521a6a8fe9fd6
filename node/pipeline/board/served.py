"""Triton and its models on the board, by what the processes that infer say."""

from __future__ import annotations

from collections.abc import Sequence

from node.adapters.database.model_reports import ModelReport
from node.adapters.database.pauses import MODEL, Pause
from node.core.board import Standing, judge
from node.pipeline.board.items import Item, ModelItem


def triton_items(reports: Sequence[ModelReport]) -> tuple[Item, ...]:
    """One server for each process that infers."""
    made = []
    for process in dict.fromkeys(one.process for one in reports):
        if any(one.answered for one in reports if one.process == process):
            made.append(Item(process, Standing.OK, "It answers.", ""))
        else:
            cure = "See that Triton runs and that triton.url names it; an embedded one is started again by itself."
            made.append(Item(process, Standing.ACT, "It does not answer.", cure))
    return tuple(made)


def model_items(names: Sequence[str], reports: Sequence[ModelReport], paused: Sequence[Pause]) -> tuple[ModelItem, ...]:
    """Every model that is installed, or that somebody says something of."""
    held_up = {one.name: one for one in paused if one.kind == MODEL}
    every = dict.fromkeys([*names, *(one.model for one in reports)])
    return tuple(_item(name, [one for one in reports if one.model == name], held_up.get(name)) for name in every)


def _item(name: str, mine: Sequence[ModelReport], pause: Pause | None) -> ModelItem:
    fault = next((one.fault for one in mine if one.fault), "")
    said = judge.model(bool(mine), fault, paused=pause is not None, alone=any(one.alone for one in mine))
    requests = sum(one.requests for one in mine)
    asked = [one.canary_at for one in mine if one.canary_at]
    return ModelItem(
        name=name,
        standing=said.standing,
        sentence=said.sentence,
        cure=said.cure,
        version=", ".join(dict.fromkeys(one.version for one in mine)),
        ready=bool(mine) and not fault,
        canary_at=min(asked, default=None),
        in_flight=sum(one.in_flight for one in mine),
        requests=requests,
        failed=sum(one.failed for one in mine),
        queue_ms=1000 * sum(one.queue_seconds for one in mine) / requests if requests else None,
        compute_ms=1000 * sum(one.compute_seconds for one in mine) / requests if requests else None,
        paused_at=pause.at if pause else None,
    )
