"""The node's side of decoding: one child process with a memory limit and a deadline, started when first needed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self, cast

import numpy as np

from node.adapters.children import can_be_read, environment
from node.adapters.decoding.pixels import Pixels
from node.core.volume import Volume
from node.errors import BadInstance, NotProcessable, Retryable

_CHILD = Path(__file__).with_name("child.py")
_START_S = 60.0
_ANSWER_AT_MOST = 8 * 2**20  # bytes


class Decoder:
    """Decodes volumes, one at a time; safe to share between threads. A damaged file costs a job, never the node."""

    def __init__(self, memory_bytes: int = 2 * 2**30, deadline_s: float = 120.0) -> None:
        self._memory_bytes, self._deadline_s = memory_bytes, deadline_s
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def decode(self, volume: Volume, paths: Mapping[str, Path]) -> Pixels:
        """Voxels of a volume. `paths` gives the stored Part 10 file of each SOPInstanceUID.

        Raises BadInstance when a file has no pixels that can be decoded in time and memory, NotProcessable when
        the volume is larger than the memory limit allows, Retryable when no decoding process can be started.
        """
        shape = (len(volume.slices), volume.rows, volume.columns)
        size = shape[0] * shape[1] * shape[2] * 4
        if size == 0:
            raise NotProcessable("a volume without voxels")
        if size > self._memory_bytes // 3:
            raise NotProcessable(
                f"{shape[0]} slices of {shape[1]} x {shape[2]} take {size / 1e6:.0f} MB decoded, "
                f"more than a third of the {self._memory_bytes / 1e6:.0f} MB that decoding may use"
            )
        request = {"rows": volume.rows, "columns": volume.columns, "slices": _places(volume, paths)}
        with self._lock:
            answer, stored = self._ask(json.dumps(request), shape)
        return _pixels(answer, stored)

    def close(self) -> None:
        """End the child process; a later decode starts another."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: str, shape: tuple[int, int, int]) -> tuple[Mapping[str, Any], np.ndarray[Any, Any]]:
        try:
            return self._running().ask(request, shape, self._deadline_s)
        except (BadInstance, OSError, ValueError):
            self._end()
            raise

    def _running(self) -> _Child:
        if self._child is None or not self._child.alive():
            self._end()
            self._child = _Child(self._memory_bytes, self._deadline_s)
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    """A running child process and the memory that it shares with us."""

    def __init__(self, memory_bytes: int, deadline_s: float) -> None:
        self._memory = _anonymous_memory()
        arguments = [str(self._memory), str(memory_bytes), str(deadline_s)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_CHILD), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(self._memory,),
                env=environment(),
            )
            self._read(monotonic() + _START_S)
        except (OSError, BadInstance) as failed:
            self.end()
            raise Retryable("the decoding process could not be started: is there memory left?") from failed

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(
        self, request: str, shape: tuple[int, int, int], deadline_s: float
    ) -> tuple[Mapping[str, Any], np.ndarray[Any, Any]]:
        """The answer to a request and the voxels, int32. Raises BadInstance when the process dies or is late."""
        size = shape[0] * shape[1] * shape[2] * 4
        os.ftruncate(self._memory, size)
        try:
            self._write(request)
            answer = self._read(monotonic() + deadline_s)
            with mmap(self._memory, size, access=ACCESS_READ) as shared:
                # copied: the memory serves the next request
                stored = np.array(np.frombuffer(shared, np.int32).reshape(shape)) if "fault" not in answer else _NONE
        finally:
            os.ftruncate(self._memory, 0)
        return answer, stored

    def end(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
        os.close(self._memory)

    def _write(self, request: str) -> None:
        pipe = self._process.stdin
        if pipe is None:  # pragma: no cover # for the type checker: it was asked for
            raise BadInstance("the decoding process has no input")
        try:
            pipe.write(request.encode() + b"\n")
            pipe.flush()
        except BrokenPipeError as gone:
            raise BadInstance("the decoding process ended before its work") from gone

    def _read(self, until: float) -> Mapping[str, Any]:
        pipe = self._process.stdout
        if pipe is None:  # pragma: no cover # for the type checker: it was asked for
            raise BadInstance("the decoding process has no output")
        found = bytearray()
        while not found.endswith(b"\n"):
            if not can_be_read(pipe, max(0.0, until - monotonic())):
                raise BadInstance("the pixels could not be decoded in time")
            part = os.read(pipe.fileno(), 2**16)
            if not part or len(found) > _ANSWER_AT_MOST:
                raise BadInstance("the decoding process broke down: damaged pixels, or more memory than it may use")
            found += part
        return cast("Mapping[str, Any]", json.loads(found))


_NONE = np.zeros((0, 0, 0), np.int32)


def _anonymous_memory() -> int:
    """A descriptor of memory that vanishes with its last user."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("voxels", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:  # systems other than Linux
        return os.dup(file.fileno())


def _places(volume: Volume, paths: Mapping[str, Path]) -> Sequence[tuple[str, int | None]]:
    absent = sum(one.sop_instance_uid not in paths for one in volume.slices)
    if absent:
        raise BadInstance(f"the files of {absent} of {len(volume.slices)} slices are not stored")
    return [(str(paths[one.sop_instance_uid].absolute()), one.frame) for one in volume.slices]


def _pixels(answer: Mapping[str, Any], stored: np.ndarray[Any, Any]) -> Pixels:
    if "fault" in answer:
        raise BadInstance(str(answer["fault"]))
    rescale = tuple((float(slope), float(intercept)) for slope, intercept in answer["rescale"])
    return Pixels(stored=stored, rescale=rescale, padding=answer["padding"])
