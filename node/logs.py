"""Logs: one line an event, keys and values. Patient data cannot get in: only these keys are let through."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "exc_info", "exception",
        "association", "called_ae", "calling_ae", "channel", "destination", "evidence", "fault", "files", "host",
        "instances", "job_id", "jobs", "listener", "loop", "model", "port", "reason", "rule", "seconds", "series",
        "series_instance_uid", "size", "sop_instance_uid", "stage", "state", "study_instance_uid", "transaction_uid",
        "url", "version",
    }
)  # fmt: skip


def only_known_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop every key that is not on the list, so that a careless line shows a gap and never a name."""
    return {key: value for key, value in event.items() if key in ALLOWED}


def configure(*, verbose: bool, stream: TextIO = sys.stderr) -> None:
    """Write to `stream`; without `verbose` only what somebody should look at."""
    level = logging.INFO if verbose else logging.WARNING
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known_keys,
            # A traceback with local variables would print headers, and with them patients.
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    # pynetdicom logs peers' bytes and our own faults twice; what matters is said by the scp room.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # malformed requests are answered and logged
