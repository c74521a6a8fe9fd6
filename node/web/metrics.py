"""/metrics: the node's figures in Prometheus' text format; docs/metrics.md explains each.

They are read when they are asked for, from the rows and from the server: a process that starts knows them all. What is
counted over all that ever came is as it was counted last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from node.adapters.database import Database, deliveries, feeds, job_counts, notices, pauses
from node.adapters.files import Files
from node.adapters.triton import Statistics
from node.core.ledger import Balance
from node.core.notices import Severity
from node.errors import ModelUnavailable
from node.pipeline.board.totals import Totals, count
from node.pipeline.models import Models


@dataclass(frozen=True)
class Sources:
    """Where figures come from."""

    database: Database
    files: Files
    models: Models | None  # of a process that infers
    totals: Callable[[], tuple[Totals, datetime] | None] | None = None  # as they were counted last; None: count now


def exposition(sources: Sources) -> bytes:
    """Everything there is to say now."""
    registry = CollectorRegistry()
    registry.register(_Collector(sources))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        database, models = self._sources.database, self._sources.models
        counted = self._sources.totals() if self._sources.totals else (count(database), None)
        totals = counted[0] if counted else None
        if counted and totals:
            yield from _ledger(totals.balance, counted[1])
        yield _gauge("mricore_storage_room_bytes", "Bytes free above the low watermark", self._sources.files.room())
        yield from _feeds(database)
        yield from _jobs(database, totals)
        yield from _destinations(database)
        yield _paused(database)
        yield from _notices(database)
        if models:
            yield from _models(models)
            yield from _server(models)


def _ledger(found: Balance, counted_at: datetime | None) -> Iterator[Metric]:
    instances = GaugeMetricFamily("mricore_ledger_instances", "Acknowledged instances", labels=["place"])
    for place, number in asdict(found).items():
        instances.add_metric([place], number)
    yield instances
    yield _gauge(
        "mricore_ledger_residue_instances",
        "Acknowledged instances that the node cannot account for; anything but 0 is an alarm",
        found.residue,
    )
    if counted_at:
        what = "When the instances were counted, and the settled jobs"
        yield _gauge("mricore_ledger_counted_timestamp_seconds", what, counted_at.timestamp())


def _feeds(database: Database) -> Iterator[Metric]:
    well = GaugeMetricFamily("mricore_feed_well", "1 while the feed gets on", labels=["feed"])
    missed = GaugeMetricFamily(
        "mricore_feed_missed_instances", "Instances that the feed could not get", labels=["feed"]
    )
    for one in feeds.states(database):
        well.add_metric([one.name], 0 if one.fault else 1)
        missed.add_metric([one.name], one.missed)
    yield from (well, missed)


def _jobs(database: Database, totals: Totals | None) -> Iterator[Metric]:
    found = job_counts.unsettled(database)
    jobs = GaugeMetricFamily("mricore_jobs", "Jobs", labels=["state", "priority"])
    for (state, priority), number in sorted([*found.jobs.items(), *(totals.settled.items() if totals else ())]):
        jobs.add_metric([state, priority], number)
    oldest = GaugeMetricFamily(
        "mricore_model_oldest_job_created_timestamp_seconds",
        "When the oldest job was created that waits for the model",
        labels=["model"],
    )
    for lane, at in sorted(found.oldest_of_each.items(), key=lambda one: one[0].model):
        if lane.model:
            oldest.add_metric([lane.model], at.timestamp())
    yield from (jobs, oldest)
    yield _gauge("mricore_jobs_overdue", "Open jobs whose deadline has passed", found.overdue)
    if totals:
        what = "Jobs that were late, finished ones too"
        yield CounterMetricFamily("mricore_jobs_missed_deadlines", what, totals.missed_deadlines)


def _destinations(database: Database) -> Iterator[Metric]:
    """As rules name them: what waits for a group is counted under its name."""
    waiting = GaugeMetricFamily(
        "mricore_destination_waiting_results", "Results that wait for the destination", labels=["destination"]
    )
    oldest = GaugeMetricFamily(
        "mricore_destination_oldest_job_created_timestamp_seconds",
        "When the oldest job was created whose results wait for the destination",
        labels=["destination"],
    )
    for name, (number, since) in sorted(deliveries.all_queued(database).items()):
        waiting.add_metric([name], number)
        oldest.add_metric([name], since.timestamp())
    yield from (waiting, oldest)
    yield from _breakers(database)


def _breakers(database: Database) -> Iterator[Metric]:
    failures = GaugeMetricFamily(
        "mricore_destination_failures", "Failures in a row of the destination", labels=["destination"]
    )
    is_open = GaugeMetricFamily(
        "mricore_destination_breaker_open", "1 while the destination is left alone", labels=["destination"]
    )
    next_try = GaugeMetricFamily(
        "mricore_destination_next_try_timestamp_seconds",
        "When a destination that is left alone is tried again",
        labels=["destination"],
    )
    for name, breaker in sorted(deliveries.known_breakers(database).items()):
        failures.add_metric([name], breaker.failures)
        is_open.add_metric([name], 1 if breaker.is_open else 0)
        if breaker.next_try_at:
            next_try.add_metric([name], breaker.next_try_at.timestamp())
    yield from (failures, is_open, next_try)


def _paused(database: Database) -> Metric:
    paused = GaugeMetricFamily("mricore_paused", "1: a person paused it", labels=["kind", "name"])
    for one in pauses.listed(database):
        paused.add_metric([one.kind, one.name], 1)
    return paused


def _notices(database: Database) -> Iterator[Metric]:
    unknown = GaugeMetricFamily(
        "mricore_notices_open", "Causes that are there and that nobody acknowledged", labels=["severity"]
    )
    found = notices.open_by_severity(database)
    for severity in Severity:
        unknown.add_metric([severity], found.get(severity, 0))
    yield unknown
    yield _gauge("mricore_notices_unsent", "Notices of rules that nobody was told of yet", notices.unsent(database))
    sent = CounterMetricFamily("mricore_notices_sent", "Messages that were taken", labels=["listener"])
    failures = GaugeMetricFamily(
        "mricore_listener_failures", "Failures in a row of somebody who is told", labels=["listener"]
    )
    for name, one in sorted(notices.reaches(database).items()):
        sent.add_metric([name], one.sent)
        failures.add_metric([name], one.breaker.failures)
    yield from (sent, failures)


def _models(models: Models) -> Iterator[Metric]:
    faults, alone, in_flight = models.faults(), models.left_alone(), models.in_flight()
    ready = GaugeMetricFamily("mricore_model_ready", "1 when the canary of the model passed", labels=["model"])
    breaker = GaugeMetricFamily("mricore_model_breaker_open", "1 while the model is left alone", labels=["model"])
    asked = GaugeMetricFamily(
        "mricore_model_requests_in_flight", "Requests that the server has not answered yet", labels=["model"]
    )
    for name in models.cards:
        ready.add_metric([name], 0 if name in faults else 1)
        breaker.add_metric([name], 1 if name in alone else 0)
        asked.add_metric([name], in_flight.get(name, 0))
    canaries = CounterMetricFamily(
        "mricore_model_canaries", "Canaries that were asked for", labels=["model", "outcome"]
    )
    for (name, passed), number in sorted(models.canaries().items()):
        canaries.add_metric([name, "passed" if passed else "failed"], number)
    yield from (ready, breaker, asked, canaries)


def _server(models: Models) -> Iterator[Metric]:
    """What Triton says of itself; of a server that says nothing, only that."""
    up = "mricore_triton_up", "1 when the server told its statistics"
    try:
        found = models.statistics()
    except ModelUnavailable:
        yield _gauge(*up, 0)
        return
    yield _gauge(*up, 1)
    for name, what, of in _COUNTED:
        counted = CounterMetricFamily(f"mricore_triton_{name}", what, labels=["model", "version"])
        for one in found:
            counted.add_metric([one.model, one.version], of(one))
        yield counted


_COUNTED: tuple[tuple[str, str, Callable[[Statistics], float]], ...] = (
    ("slices", "Slices that the model inferred", lambda one: one.slices),
    ("executions", "Executions of the model; fewer than requests where Triton batched", lambda one: one.executions),
    ("requests", "Requests that were answered", lambda one: one.succeeded),
    ("failed_requests", "Requests that failed, were canceled or waited too long", lambda one: one.failed),
    ("queue_seconds", "Seconds that requests waited in the server", lambda one: one.queue_seconds),
    ("compute_seconds", "Seconds that the model worked on requests", lambda one: one.compute_seconds),
)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
