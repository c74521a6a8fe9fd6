"""Is the node alive, may work be sent to it, and does its ledger balance?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from node.adapters.database import Database, deliveries, feeds
from node.adapters.database.balance import balance
from node.adapters.files import Files
from node.errors import NodeError
from node.pipeline.models import Models


@dataclass(frozen=True)
class Health:
    """Looks at the parts of a running node."""

    database: Database
    files: Files
    models: Models | None  # of a process that infers
    alive: Callable[[], list[str]]  # reasons why it is not

    def unready(self) -> list[str]:
        """Reasons why no series should be sent here now; empty: ready."""
        reasons = list(self.alive())
        try:
            if self.files.room() < 0:
                reasons.append("less disk is free than storage.low_watermark")
            balance(self.database)
        except NodeError as fault:
            reasons.append(str(fault))
        if self.models:
            reasons += [f"{model}: {fault}" for model, fault in self.models.faults().items()]
        return reasons

    def metrics(self) -> bytes:
        """Prometheus text format."""
        registry = CollectorRegistry()
        registry.register(_Ledger(self))
        return generate_latest(registry)


class _Ledger(Collector):
    def __init__(self, health: Health) -> None:
        self._health = health

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        found = balance(self._health.database)
        instances = GaugeMetricFamily("mricore_ledger_instances", "Acknowledged instances", labels=["place"])
        for place, number in asdict(found).items():
            instances.add_metric([place], number)
        yield instances
        yield GaugeMetricFamily(
            "mricore_ledger_residue_instances",
            "Acknowledged instances that the node cannot account for; anything but 0 is an alarm",
            value=found.residue,
        )
        yield GaugeMetricFamily(
            "mricore_storage_room_bytes", "Bytes free above the low watermark", value=self._health.files.room()
        )
        yield from self._feeds()
        yield from self._destinations()
        if models := self._health.models:
            faults = models.faults()
            ready = GaugeMetricFamily("mricore_model_ready", "1 when the canary of the model passed", labels=["model"])
            for name in models.cards:
                ready.add_metric([name], 0 if name in faults else 1)
            yield ready

    def _feeds(self) -> Iterator[Metric]:
        well = GaugeMetricFamily("mricore_feed_well", "1 while the feed gets on", labels=["feed"])
        missed = GaugeMetricFamily(
            "mricore_feed_missed_instances", "Instances that the feed could not get", labels=["feed"]
        )
        for one in feeds.states(self._health.database):
            well.add_metric([one.name], 0 if one.fault else 1)
            missed.add_metric([one.name], one.missed)
        yield well
        yield missed

    def _destinations(self) -> Iterator[Metric]:
        """As rules name them: what waits for a group is counted under its name."""
        waiting = GaugeMetricFamily(
            "mricore_destination_waiting_results", "Results that wait for the destination", labels=["destination"]
        )
        for name, (number, _oldest) in sorted(deliveries.all_queued(self._health.database).items()):
            waiting.add_metric([name], number)
        failures = GaugeMetricFamily(
            "mricore_destination_failures", "Failures in a row of the destination", labels=["destination"]
        )
        is_open = GaugeMetricFamily(
            "mricore_destination_breaker_open", "1 while the destination is left alone", labels=["destination"]
        )
        for name, breaker in sorted(deliveries.known_breakers(self._health.database).items()):
            failures.add_metric([name], breaker.failures)
            is_open.add_metric([name], 1 if breaker.is_open else 0)
        yield from (waiting, failures, is_open)


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
