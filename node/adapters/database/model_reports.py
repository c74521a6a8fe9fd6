"""What processes that infer say of their models, for those that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from node.adapters.database.board_tables import model_report
from node.adapters.database.engine import Database
from node.adapters.database.engine_tables import process


@dataclass(frozen=True)
class ModelReport:
    """One model, as one process sees it. Counts and seconds are sums since the server loaded the model."""

    process: str
    model: str
    version: str
    at: datetime
    canary_at: datetime | None
    fault: str  # "": its canary passed
    alone: bool
    in_flight: int
    answered: bool  # whether the server told its statistics
    requests: int
    failed: int
    slices: int
    queue_seconds: float
    compute_seconds: float


def keep(database: Database, process_id: str, reports: Sequence[ModelReport]) -> None:
    """Take the place of what the process said before."""
    with database.transaction() as connection:
        connection.execute(delete(model_report).where(model_report.c.process == process_id))
        rows = [{**asdict(one), "alone": int(one.alone), "answered": int(one.answered)} for one in reports]
        if rows:
            connection.execute(insert(model_report), rows)


def of_the_living(database: Database) -> list[ModelReport]:
    """What processes say that did not end, by model."""
    alive = model_report.c.process.in_(select(process.c.id))
    wanted = select(model_report).where(alive).order_by(model_report.c.model, model_report.c.process)
    with database.reading() as connection:
        rows = connection.execute(wanted).mappings()
        return [ModelReport(**{**row, "alone": bool(row["alone"]), "answered": bool(row["answered"])}) for row in rows]
