"""The child: answers requests on standard input until it ends. Started with the bytes of memory that it may use
and its niceness.

An answer is a JSON line, {"sizes": [bytes of each blob], …} or {"fault": sentence}, and the blobs. What is not foreseen
here ends the process; the node then starts another.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from node.adapters.imaging.drawing import draw
from node.adapters.imaging.frames import convert, encode
from node.adapters.imaging.headers import bulk, index
from node.core.encoded import UNREADABLE
from node.errors import BadInstance

Answer = tuple[Mapping[str, Any], Sequence[bytes]]

OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
    "index": index,
    "bulk": bulk,
    "frames": encode,
    "convert": convert,
    "draw": draw,
}


def main(memory_bytes: int, niceness: int) -> None:
    """Serve until standard input ends."""
    warnings.simplefilter("ignore")
    _confine(memory_bytes)
    os.nice(niceness)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # codecs that print must not get into the answers
    answers.write(b"{}\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        told, blobs = _answer(request)
        head = {**told, "sizes": [len(blob) for blob in blobs]}
        answers.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        for blob in blobs:
            answers.write(blob)
        answers.flush()


def _answer(request: Mapping[str, Any]) -> Answer:
    try:
        return OPERATIONS[request["op"]](request)
    except BadInstance as fault:
        return {"fault": str(fault)}, ()
    except (MemoryError, RecursionError):
        return {"fault": "it takes more memory than it may"}, ()
    except (*UNREADABLE, RuntimeError) as broken:
        return {"fault": f"it is damaged, or in a form that is not read ({type(broken).__name__})"}, ()


def _confine(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError):  # no /proc, or a system without this limit
        used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
        resource.setrlimit(resource.RLIMIT_AS, (used + memory_bytes, used + memory_bytes))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
