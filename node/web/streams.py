"""Answers that come line by line, while the work goes on: JSON objects, one a line (application/x-ndjson).

A client that goes away ends the work with its next line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

from fastapi.encoders import jsonable_encoder
from starlette.responses import StreamingResponse

from node.errors import NodeError

LINES = "application/x-ndjson"


def line_by_line(lines: Iterator[Any]) -> StreamingResponse:
    """The first line is waited for: what is refused before it is answered as such. A later fault is the last line."""
    first = next(lines, None)
    return StreamingResponse(
        _encoded(lines if first is None else chain([first], _kept_open(lines))),
        media_type=LINES,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _kept_open(lines: Iterator[Any]) -> Iterator[Any]:
    if hasattr(lines, "close"):
        with closing(lines):  # type: ignore[type-var] # a generator has it
            yield from lines
    else:
        yield from lines


def _encoded(lines: Iterator[Any]) -> Iterator[bytes]:
    try:
        for one in lines:
            yield json.dumps(jsonable_encoder(one), ensure_ascii=False).encode() + b"\n"
    except NodeError as fault:
        yield json.dumps({"fault": str(fault)}, ensure_ascii=False).encode() + b"\n"
