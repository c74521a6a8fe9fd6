"""Is the node alive, may work be sent to it, and what are its figures?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from node.adapters.database import Database, processes
from node.adapters.files import Files
from node.errors import NodeError
from node.pipeline.board.totals import Totals
from node.pipeline.models import Models
from node.web.metrics import Sources, exposition


@dataclass(frozen=True)
class Health:
    """Looks at the parts of a running node."""

    database: Database
    files: Files
    models: Models | None  # of a process that infers
    alive: Callable[[], list[str]]  # reasons why it is not
    totals: Callable[[], tuple[Totals, datetime] | None] | None = None  # None: counted whenever somebody asks

    def unready(self) -> list[str]:
        """Reasons why no series should be sent here now; empty: ready."""
        reasons = list(self.alive())
        try:
            if self.files.room() < 0:
                reasons.append("less disk is free than storage.low_watermark")
            processes.living(self.database)  # a few rows: whether it answers at all
        except NodeError as fault:
            reasons.append(str(fault))
        if self.models:
            reasons += [f"{model}: {fault}" for model, fault in self.models.faults().items()]
        return reasons

    def metrics(self) -> bytes:
        """Prometheus text format."""
        return exposition(Sources(self.database, self.files, self.models, self.totals))


def health_routes(health: Health) -> list[BaseRoute]:
    """/healthz, /readyz and /metrics."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        reasons = await run_in_threadpool(health.unready)
        body = {"ready": not reasons, "reasons": reasons}
        return JSONResponse(body, status_code=503 if reasons else 200)

    async def metrics(_request: Request) -> Response:
        content = await run_in_threadpool(health.metrics)
        return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
