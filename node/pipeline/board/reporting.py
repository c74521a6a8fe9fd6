"""What a process tells the board, by way of the database: others may show it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from node.adapters.database import Database, disk_samples, model_reports
from node.adapters.database.model_reports import ModelReport
from node.adapters.triton import Statistics
from node.core.board import Sample
from node.errors import ModelUnavailable
from node.pipeline.models import Models

SAMPLE_EVERY = timedelta(minutes=30)


def report_models(database: Database, process_id: str, models: Models, now: datetime) -> None:
    """How this process sees its models. Raises StoreUnavailable."""
    try:
        counted, answered = models.statistics(), True
    except ModelUnavailable:
        counted, answered = (), False
    faults, alone, in_flight, asked_at = models.faults(), models.left_alone(), models.in_flight(), models.asked_at()
    reports = []
    for name, card in models.cards.items():
        mine: list[Statistics] = [one for one in counted if one.model == name]
        reports.append(
            ModelReport(
                process=process_id,
                model=name,
                version=card.version,
                at=now,
                canary_at=asked_at.get(name),
                fault=faults.get(name, ""),
                alone=name in alone,
                in_flight=in_flight.get(name, 0),
                answered=answered,
                requests=sum(one.succeeded for one in mine),
                failed=sum(one.failed for one in mine),
                slices=sum(one.slices for one in mine),
                queue_seconds=sum(one.queue_seconds for one in mine),
                compute_seconds=sum(one.compute_seconds for one in mine),
            )
        )
    model_reports.keep(database, process_id, reports)


def sample_disk(database: Database, room: Callable[[], int], now: datetime) -> bool:
    """Keep what is free now, unless somebody did a short while ago. Raises StoreUnavailable."""
    newest = disk_samples.newest_at(database)
    if newest is not None and now - newest < SAMPLE_EVERY:
        return False
    disk_samples.keep(database, Sample(now, room()))
    return True
