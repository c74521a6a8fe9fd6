"""Looks at many things side by side, each bounded in time, and tells each as soon as it is seen."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from node.core.inspection import Seen, Verdict
from node.errors import BadConfiguration, NodeError

_log = structlog.get_logger(__name__)

_AT_ONCE = 6


@dataclass(frozen=True)
class Looked:
    """What one look has shown."""

    verdict: Verdict
    sentence: str
    cure: str = ""


@dataclass(frozen=True)
class Part:
    """Something to be looked at."""

    name: str
    look: Callable[[], Looked | str]  # a sentence: all is well. Raises NodeError where it is not
    seconds: float = 15.0  # that it may take
    cure: str = ""  # where it takes longer


def look_at(parts: Sequence[Part], at_once: int = _AT_ONCE) -> Iterator[Seen]:
    """One line a part, in the order in which they are done. A look that hangs is left behind."""
    told: queue.SimpleQueue[Seen] = queue.SimpleQueue()
    seats = threading.Semaphore(at_once)
    running = {part.name: _Running(part, seats, told) for part in parts}
    for one in running.values():
        one.start()
    while running:
        wait = min(one.seconds_left() for one in running.values())
        try:
            seen = told.get(timeout=max(0.05, min(wait, 1.0)))
        except queue.Empty:
            for late in [one for one in running.values() if one.seconds_left() <= 0]:
                del running[late.part.name]
                late.give_up()
                yield late.too_long()
            continue
        if running.pop(seen.part, None):
            yield seen


class _Running:
    """One look in a thread of its own: what hangs in the system cannot be called back."""

    def __init__(self, part: Part, seats: threading.Semaphore, told: queue.SimpleQueue[Seen]) -> None:
        self.part, self._seats, self._told = part, seats, told
        self._begun: float | None = None
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self._sits = False

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"check {self.part.name}"[:60], daemon=True).start()

    def seconds_left(self) -> float:
        return self.part.seconds if self._begun is None else self._begun + self.part.seconds - time.monotonic()

    def give_up(self) -> None:
        """Its seat is for another one."""
        self._given_up.set()
        self._stand_up()

    def too_long(self) -> Seen:
        return Seen(
            self.part.name, Verdict.FAILED, f"no answer in {self.part.seconds:g} s", self.part.cure, self.part.seconds
        )

    def _run(self) -> None:
        self._seats.acquire()
        self._sits = True
        begin = self._begun = time.monotonic()
        try:
            found = _safely(self.part)
        finally:
            self._stand_up()
        if not self._given_up.is_set():
            took = round(time.monotonic() - begin, 3)
            self._told.put(Seen(self.part.name, found.verdict, found.sentence, found.cure, took))

    def _stand_up(self) -> None:
        with self._lock:
            if self._sits:
                self._sits = False
                self._seats.release()


def _safely(part: Part) -> Looked:
    try:
        found = part.look()
    except BadConfiguration as wrong:
        return Looked(Verdict.FAILED, f"{wrong.where}: {wrong.what}" if wrong.where else wrong.what, wrong.cure)
    except NodeError as fault:
        return Looked(Verdict.FAILED, str(fault), part.cure)
    except Exception:  # noqa: BLE001 # one look must not hide the others; the log keeps the traceback
        _log.exception("look broke")
        return Looked(Verdict.FAILED, "the node failed on it: see its log")
    return Looked(Verdict.OK, found) if isinstance(found, str) else found
