"""What made a result: everything that has to be the same for it to be the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from node import __version__
from node.adapters.database import Database, conclusions, findings
from node.adapters.database import jobs as rows
from node.core.card import Card
from node.errors import NoSuch


@dataclass(frozen=True)
class Input:
    """A series that the model was given."""

    name: str  # what the rule calls it; "" for the only one
    series_instance_uid: str
    slices: int | None  # that were shown to the model; null: not known
    blank: int | None  # of them, those of one value


@dataclass(frozen=True)
class Provenance:
    """Who made it, of what, by whose order."""

    model: str
    model_version: str
    weights_sha256: str  # "" where the model is not installed here in this version
    weights_origin: str
    card_sha256: str
    encoder: str  # whose features a shared head took; "": none
    rule: str
    rule_set_version: str
    series_version: int
    volume: str  # which volume of the series; "" for the only one
    priority: str
    attempts: int
    created_at: datetime
    deadline_at: datetime | None
    supersedes: int | None  # the job whose result this one replaces
    inputs: tuple[Input, ...]
    node_version: str  # of the node that shows it


def provenance(database: Database, cards: Mapping[str, Card], job_id: int) -> Provenance:
    """Raises NoSuch, StoreUnavailable."""
    job = rows.get(database, job_id) if 0 < job_id < 2**31 else None
    if job is None:
        raise NoSuch(f"there is no job {job_id}: see `mricore-node jobs list`")
    shown = conclusions.was_shown(database, job_id)
    card = cards.get(job.model)
    known = card if card and job.model_version in ("", card.version) else None
    given = [Input("", job.series_instance_uid, shown.slices if shown else None, shown.blank if shown else None)]
    if several := findings.inputs(database, job_id):
        given = [Input(name, uid, None, None) for name, uid in several]
    return Provenance(
        model=job.model,
        model_version=job.model_version,
        weights_sha256=known.weights.sha256 if known else "",
        weights_origin=known.weights.origin if known else "",
        card_sha256=known.sha256 if known else "",
        encoder=shown.encoder if shown else "",
        rule=job.rule,
        rule_set_version=job.rule_set_version,
        series_version=job.version,
        volume=job.volume,
        priority=job.priority,
        attempts=job.attempts,
        created_at=job.created_at,
        deadline_at=job.deadline_at,
        supersedes=job.supersedes,
        inputs=tuple(given),
        node_version=__version__,
    )
