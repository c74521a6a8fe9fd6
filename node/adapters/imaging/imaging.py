"""The node's side: a few child processes, started when first needed; who finds none free waits."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from node.adapters.imaging.process import Process
from node.core.dicomweb.attributes import Level
from node.core.dicomweb.entry import Entry
from node.core.dicomweb.pixels import PixelPlace, place_of
from node.errors import BadInstance, Retryable

_BUSY_S = 30.0  # that a request waits for a free process


@dataclass(frozen=True)
class Indexed:
    """What was read of a header."""

    entry: Entry
    place: PixelPlace | None
    transfer_syntax_uid: str
    document: bytes  # the whole header in the DICOM JSON Model, zlib-compressed, with model.BASE in it


@dataclass(frozen=True)
class Picture:
    """How a frame is to be drawn."""

    frame: int = 1
    media_type: str = "image/jpeg"
    quality: int = 90
    window: tuple[float, float, str] | None = None  # centre, width, function (PS3.3 C.11.2.1.2)
    size: tuple[int, int] | None = None  # columns and rows that it has to fit in
    region: tuple[int, int, int, int] | None = None  # of the image: left, top, columns, rows
    annotations: tuple[str, ...] = ()  # lines of text to burn in
    overlays: tuple[str, ...] = ()  # files of segmentations to burn in
    sop_instance_uid: str = ""  # that the segmentations refer to


class Imaging:
    """Safe to share between threads."""

    def __init__(
        self, processes: int = 2, memory_bytes: int = 2 * 2**30, deadline_s: float = 60.0, niceness: int = 0
    ) -> None:
        """`niceness`: how far they step back for the rest of the machine."""
        self._memory_bytes, self._deadline_s, self._niceness = memory_bytes, deadline_s, niceness
        self._free: queue.LifoQueue[Process | None] = queue.LifoQueue()
        self._processes = processes
        for _ in range(processes):
            self._free.put(None)

    def index(self, path: Path, bulk: str) -> Indexed:
        """Read a header for the index; `bulk` is the URI of its bulk data. Raises BadInstance when it cannot be."""
        answer, (document,) = self._ask({"op": "index", "path": str(path.absolute()), "bulk": bulk})
        levels = {level: answer["attributes"][level.value] for level in Level}
        keys = {level: answer["keys"][level.value] for level in Level}
        requests = tuple((str(step), str(procedure)) for step, procedure in answer["requests"])
        place = answer["place"]
        return Indexed(
            Entry(levels, keys, requests), place_of(place) if place else None, answer["transfer_syntax_uid"], document
        )

    def bulk(self, path: Path, tags: Sequence[str]) -> bytes:
        """The value at a path of tags and item numbers. Raises BadInstance when there is none."""
        _, (value,) = self._ask({"op": "bulk", "path": str(path.absolute()), "tags": list(tags)})
        return value

    def frames(self, path: Path, numbers: Sequence[int], transfer_syntax_uid: str) -> list[bytes]:
        """Frames, from 1, encoded anew. Raises BadInstance when they cannot be decoded or encoded so."""
        request = {"op": "frames", "path": str(path.absolute()), "frames": list(numbers)}
        return self._ask({**request, "syntax": transfer_syntax_uid})[1]

    def convert(self, path: Path, transfer_syntax_uid: str, to: Path) -> None:
        """Write the whole instance in another transfer syntax to a file. Raises BadInstance when that cannot be."""
        request = {"op": "convert", "path": str(path.absolute()), "syntax": transfer_syntax_uid, "to": str(to)}
        self._ask(request)

    def draw(self, path: Path, picture: Picture) -> bytes:
        """A frame as a picture. Raises BadInstance when it has no pixels that can be drawn."""
        return self._ask({"op": "draw", "path": str(path.absolute()), **vars(picture)})[1][0]

    def close(self) -> None:
        """End the processes that are free; those at work end with their work."""
        for _ in range(self._processes):
            try:
                process = self._free.get(timeout=_BUSY_S)
            except queue.Empty:
                return
            if process:
                process.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[bytes]]:
        with self._process() as process:
            return process.ask(request, self._deadline_s)

    @contextmanager
    def _process(self) -> Iterator[Process]:
        try:
            process = self._free.get(timeout=_BUSY_S)
        except queue.Empty as busy:
            raise Retryable("all processes that read images are busy") from busy
        try:
            if process is None or not process.alive():
                if process:
                    process.end()
                process = None  # should the start fail, the next one tries again
                process = Process(self._memory_bytes, self._niceness)
            yield process
        except BaseException as broken:
            # A fault that the child told leaves it whole; anything else leaves an answer in the pipe.
            if process and not (isinstance(broken, BadInstance) and broken.__cause__ is None and process.alive()):
                process.end()
                process = None
            raise
        finally:
            self._free.put(process)
