"""Traces, where the settings name a collector."""

from __future__ import annotations

from node import __version__
from node.adapters.telemetry import OFF, Tracing
from node.config import Settings
from node.errors import BadConfiguration


def build_tracing(settings: Settings) -> Tracing:
    """Raises BadConfiguration where a collector is named and OpenTelemetry is not installed."""
    said = settings.telemetry
    if not said.endpoint:
        return OFF
    try:
        from node.adapters.telemetry.otel import OtelTracing  # only where it is asked for
    except ImportError as missing:
        cure = "pip install mricore-node[telemetry]"
        raise BadConfiguration("telemetry.endpoint", "OpenTelemetry is not installed", cure) from missing
    headers = {name: value.get_secret_value() for name, value in said.headers.items()}
    return OtelTracing(said.endpoint, headers, share=said.share, process=settings.process_id, version=__version__)
