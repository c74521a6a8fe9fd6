"""A process that receives and kills itself: `python -m tests.system.dying_node FOLDER POINT NTH`.

It dies by SIGKILL at the NTH time that it reaches a point between an instance's last byte and its answer.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from node.adapters.database import Database
from node.adapters.files import Files, Kept
from node.pipeline.reception import Reception
from node.scp import Admission, Listener
from node.scp.server import Limits
from tests.system.reception_node import now

POINTS = ("before write", "after write", "before force", "after force", "before the transaction", "after commit")


class Death:
    """Counts how often its point was reached."""

    def __init__(self, point: str, nth: int) -> None:
        self._point, self._left, self._lock = point, nth, threading.Lock()

    def at(self, point: str) -> None:
        with self._lock:
            self._left -= point == self._point
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DyingFiles(Files):
    def __init__(self, root: Path, death: Death) -> None:
        super().__init__(root, 0)
        self._death = death

    def write(self, at: datetime, head: bytes, data_set: bytes) -> Kept:
        self._death.at("before write")
        kept = super().write(at, head, data_set)
        self._death.at("after write")
        return kept

    def force(self, kept: Sequence[Kept]) -> None:
        self._death.at("before force")
        super().force(kept)
        self._death.at("after force")


class DyingDatabase(Database):
    """The ledger's transactions run inside `translated`: what follows a good one is behind its commit."""

    def __init__(self, url: str, death: Death) -> None:
        super().__init__(url)
        self._death = death

    @contextmanager
    def translated(self) -> Iterator[None]:
        with super().translated():
            if threading.current_thread().name == "scribe":
                self._death.at("before the transaction")
            yield
        if threading.current_thread().name == "scribe":
            self._death.at("after commit")


def main(folder: Path, point: str, nth: int) -> None:
    death = Death(point, nth)
    database = DyingDatabase(f"sqlite:///{folder / 'node.db'}", death)
    database.migrate()
    reception = Reception(database, DyingFiles(folder / "instances", death), now, chain="MRICORE")
    limits = Limits(100, 1 << 18, stall_seconds=60)
    listener = Listener(reception, Admission("MRICORE", True, []), limits, note=lambda *_: None)
    print("port", listener.start("127.0.0.1", 0), flush=True)  # noqa: T201 # who started it waits for this line
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
