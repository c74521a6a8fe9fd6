"""A collector of traces: takes OTLP over HTTP, as any other does, and remembers."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.posting import posted_to


@dataclass
class Collector:
    """What came in."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    status: int = 200

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Span]:
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found

    def named(self, name: str) -> Span:
        """The one span of that name."""
        (span,) = [one for one in self.spans if one.name == name]
        return span


def attributes(span: Span) -> dict[str, object]:
    """Name → value."""
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    found = Collector()

    def take(body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
        if found.status == 200:
            found.bodies.append(gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body)
        return found.status, {}

    with posted_to(take) as found.port:
        yield found
