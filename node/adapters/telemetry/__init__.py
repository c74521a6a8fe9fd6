"""Traces: nothing, unless the settings name a collector (`otel.py`, the extra `telemetry`)."""

from node.adapters.telemetry.tracing import OFF, Off, Tracing

__all__ = ["OFF", "Off", "Tracing"]
