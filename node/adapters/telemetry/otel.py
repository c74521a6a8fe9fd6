"""Traces by OpenTelemetry, sent by OTLP over HTTP from a thread of their own.

The queue is bounded: where the collector does not answer, spans are dropped, and the log says so once in a while.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from time import monotonic

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from node.core.tracing import Value, Whose, is_sampled, kept

_log = structlog.get_logger(__name__)

_QUEUE, _BATCH = 4096, 256  # spans
_EVERY_MS = 2000
_ANSWER_S = 5.0
_LAST_MS = 2000
_SAY_EVERY_S = 60.0


class OtelTracing:
    """Safe to use from several threads."""

    def __init__(
        self,
        endpoint: str,
        headers: Mapping[str, str],
        *,
        share: float = 1.0,
        process: str = "",
        version: str = "",
    ) -> None:
        """`endpoint` is that of the collector, without /v1/traces."""
        session = requests.Session()
        session.trust_env = False  # a proxy from the environment would see the node's ways
        exporter = OTLPSpanExporter(
            endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers), timeout=_ANSWER_S, session=session
        )
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `_Sending` says what matters
        self._share = share
        self._ids = _Ids()
        resource = Resource(
            {"service.name": "mricore-node", "service.instance.id": process, "service.version": version}
        )
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _Sending(exporter),
                max_queue_size=_QUEUE,
                max_export_batch_size=_BATCH,
                schedule_delay_millis=_EVERY_MS,
            )
        )
        self._tracer = self._provider.get_tracer("mricore-node", version)

    def whole(self, of: Whose, begin: datetime, end: datetime, **attributes: Value | None) -> None:
        if not is_sampled(of.trace_id, self._share):
            return
        with self._ids.given(of):
            about = {"mricore.series": of.series_instance_uid, **kept({**attributes, "version": of.version})}
            span = self._tracer.start_span("series", Context(), attributes=about, start_time=_nanoseconds(begin))
        span.end(_nanoseconds(end))

    def over(self, name: str, of: Whose, begin: datetime, end: datetime, **attributes: Value | None) -> None:
        if is_sampled(of.trace_id, self._share):
            about = kept(attributes)
            span = self._tracer.start_span(name, _parent(of), attributes=about, start_time=_nanoseconds(begin))
            span.end(_nanoseconds(end))

    def within(self, name: str, of: Whose, **attributes: Value | None) -> AbstractContextManager[None]:
        if not is_sampled(of.trace_id, self._share):
            return nullcontext()
        return self._lasting(name, _parent(of), {**attributes, "version": of.version})

    def step(self, name: str, **attributes: Value | None) -> AbstractContextManager[None]:
        if not get_current_span().get_span_context().is_valid:
            return nullcontext()
        return self._lasting(name, None, attributes)

    def headers(self) -> Mapping[str, str]:
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        return carrier

    def close(self) -> None:
        self._provider.force_flush(_LAST_MS)
        threading.Thread(target=self._provider.shutdown, name="traces", daemon=True).start()

    @contextmanager
    def _lasting(self, name: str, parent: Context | None, attributes: Mapping[str, Value | None]) -> Iterator[None]:
        span = self._tracer.start_span(name, parent, attributes=kept(attributes))
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except BaseException as fault:
                # Its type alone: what it says may come from a header
                span.set_status(Status(StatusCode.ERROR, type(fault).__name__))
                raise


class _Ids(IdGenerator):
    """Random ones, unless the thread was given those of a series."""

    def __init__(self) -> None:
        self._random, self._given = RandomIdGenerator(), threading.local()

    @contextmanager
    def given(self, of: Whose) -> Iterator[None]:
        self._given.of = of
        try:
            yield
        finally:
            self._given.of = None

    def generate_trace_id(self) -> int:
        of: Whose | None = getattr(self._given, "of", None)
        return of.trace_id if of else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        of: Whose | None = getattr(self._given, "of", None)
        return of.span_id if of else self._random.generate_span_id()


class _Sending(SpanExporter):
    """Says now and then that the collector does not take spans."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter, self._said = exporter, -_SAY_EVERY_S

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS and monotonic() - self._said >= _SAY_EVERY_S:
            self._said = monotonic()
            _log.warning("traces not sent", reason="the collector does not take them; they are dropped")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _parent(of: Whose) -> Context:
    span = SpanContext(of.trace_id, of.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(span), Context())


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
