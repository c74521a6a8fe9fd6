"""Logs: one line an event, keys and values. Patient data cannot get in: only these keys are let through."""

from __future__ import annotations

import logging
import sys
import traceback
from collections import deque
from typing import TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from node.errors import NodeError

_RECENT: deque[str] = deque(maxlen=2000)  # for the support bundle

ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "exc_info", "exception",
        "association", "called_ae", "calling_ae", "channel", "destination", "evidence", "fault", "files", "host",
        "instances", "job_id", "jobs", "left", "listener", "loop", "model", "port", "reason", "rule", "seconds",
        "series", "series_instance_uid", "size", "sop_instance_uid", "stage", "state", "study_instance_uid",
        "transaction_uid", "url", "version",
    }
)  # fmt: skip


def only_known_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop every key that is not on the list, so that a careless line shows a gap and never a name."""
    return {key: value for key, value in event.items() if key in ALLOWED}


def recent() -> list[str]:
    """The last lines of this process, the oldest first, as they were let through."""
    return list(_RECENT)


def _remember(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    _RECENT.append(" ".join(f"{key}={value}" for key, value in event.items() if key != "exc_info")[:2000])
    return event


def _traceback(written: TextIO, raised: ExcInfo) -> None:
    """Where it came from and what kind it is. What it says only where it is the node's own: the message of another
    library may repeat a header, and so would local variables."""
    chain: list[BaseException] = []
    fault: BaseException | None = raised[1]
    while fault is not None and fault not in chain:
        chain.append(fault)
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    for one in reversed(chain):
        written.write("\n")
        written.writelines(traceback.format_tb(one.__traceback__))
        told = f": {one}" if isinstance(one, NodeError) else ""
        written.write(f"{type(one).__module__}.{type(one).__qualname__}{told}")


class _Foreign(logging.Handler):
    """What other libraries have to say, at all: which, how bad, and where; not what, for the same reason."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(_SILENT) and record.levelno < logging.CRITICAL:
            return  # they raise their own level again when they are imported
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        where = f"{record.name}: {record.module}:{record.lineno}{f', {kind}' if kind else ''}"
        said = record.getMessage() if record.name.startswith(_OWN_WORDS) else ""
        structlog.get_logger(record.name).warning("library", fault=where, reason=said)


_SILENT = ("pydicom", "pynetdicom", "python_multipart", "opentelemetry")  # what matters of theirs is said by the node
_OWN_WORDS = ("uvicorn",)  # who says nothing of what it was sent


def configure(*, verbose: bool, stream: TextIO = sys.stderr) -> None:
    """Write to `stream`; without `verbose` only what somebody should look at."""
    level = logging.INFO if verbose else logging.WARNING
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known_keys,
            _remember,
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, _Foreign)] + [_Foreign(logging.WARNING)]
    # pynetdicom logs peers' bytes and our own faults twice; what matters is said by the scp room.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # malformed requests are answered and logged
