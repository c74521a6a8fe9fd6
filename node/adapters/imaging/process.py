"""A child process and the pipe to it: a JSON line and what belongs to it there, a JSON line and blobs back."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any, cast

import node
from node.adapters.children import can_be_read, environment
from node.errors import BadInstance, Retryable

_START_S = 60.0
_LINE_AT_MOST = 64 * 2**20
_BROKE_DOWN = "reading it took more memory than it may, or broke the process that read it"


class Process:
    """A running child."""

    def __init__(self, memory_bytes: int, niceness: int = 0) -> None:
        """Raises Retryable when it cannot be started."""
        root = str(Path(node.__file__).resolve().parents[1])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "node.adapters.imaging.child", str(memory_bytes), str(niceness)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**environment(), "PYTHONPATH": root},
            )
        except OSError as failed:
            raise Retryable("no process to read images in could be started: is there memory left?") from failed
        self._input = self._process.stdin
        self._output = self._process.stdout
        self._left = bytearray()
        try:
            self._line(monotonic() + _START_S)
        except BadInstance as failed:
            self.end()
            raise Retryable("the process to read images in did not start: is there memory left?") from failed

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], deadline_s: float) -> tuple[Mapping[str, Any], list[bytes]]:
        """The answer and its blobs. Raises BadInstance when the child says so, dies or is late."""
        until = monotonic() + deadline_s
        try:
            if self._input is None:  # pragma: no cover # for the type checker: it was asked for
                raise BadInstance(_BROKE_DOWN)
            self._input.write(json.dumps(request).encode() + b"\n")
            self._input.flush()
        except OSError as gone:
            raise BadInstance(_BROKE_DOWN) from gone
        answer = self._line(until)
        blobs = [self._bytes(size, until) for size in answer.get("sizes", ())]
        if "fault" in answer:
            raise BadInstance(str(answer["fault"]))
        return answer, blobs

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._input, self._output):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _line(self, until: float) -> Mapping[str, Any]:
        while (end := self._left.find(b"\n")) < 0:
            if len(self._left) > _LINE_AT_MOST:
                raise BadInstance(_BROKE_DOWN)
            self._more(until)
        line = bytes(self._left[:end])
        del self._left[: end + 1]
        return cast("Mapping[str, Any]", json.loads(line))

    def _bytes(self, size: int, until: float) -> bytes:
        while len(self._left) < size:
            self._more(until)
        found = bytes(self._left[:size])
        del self._left[:size]
        return found

    def _more(self, until: float) -> None:
        if self._output is None:  # pragma: no cover # for the type checker: it was asked for
            raise BadInstance(_BROKE_DOWN)
        if not can_be_read(self._output, max(0.0, until - monotonic())):
            raise BadInstance("it could not be read in time")
        part = os.read(self._output.fileno(), 1 << 20)
        if not part:
            raise BadInstance(_BROKE_DOWN)
        self._left += part
