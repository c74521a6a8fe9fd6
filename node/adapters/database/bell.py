"""Wakes the other processes of a node, by PostgreSQL's NOTIFY. Nothing depends on it: behind it everybody polls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from sqlalchemy import func, select

from node.adapters.database.engine import Database
from node.errors import NodeError, StoreUnavailable

_log = structlog.get_logger(__name__)

_CHANNEL, _BETWEEN = "mricore", " "
_TOGETHER_S = 0.1  # what is rung within so long is heard once
_LOOK_S = 1.0  # how often a listener sees whether it is to stop
_AGAIN_S = 1.0  # after a fault


class Bell:
    """Rings for what others may want to look at, and hears what they ring for."""

    def __init__(self, database: Database, process_id: str, heard: Callable[[str], None]) -> None:
        """`heard` is called with what another process rang for; with "" when something may have been missed."""
        self._database, self._process, self._heard = database, process_id, heard
        self._lock, self._what = threading.Lock(), set[str]()
        self._rung, self._stopping = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=run, name="bell", daemon=True) for run in (self._send, self._listen)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._rung.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(2 * _LOOK_S)

    def ring(self, what: str) -> None:
        """A word without blanks. Returns at once."""
        with self._lock:
            self._what.add(what)
        self._rung.set()

    def _send(self) -> None:
        while self._rung.wait() and not self._stopping.is_set():
            self._rung.clear()
            with self._lock:
                words, self._what = self._what, set()
            with suppress(NodeError), self._database.transaction() as connection:  # who does not hear it polls
                for what in words:
                    connection.execute(select(func.pg_notify(_CHANNEL, f"{self._process}{_BETWEEN}{what}")))
            self._stopping.wait(_TOGETHER_S)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._connection() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._heard("")
                    while not self._stopping.is_set():
                        for one in connection.notifies(timeout=_LOOK_S):
                            self._hear(one.payload)
            except NodeError as gone:
                _log.warning("nobody is heard", reason=str(gone))
                self._stopping.wait(_AGAIN_S)

    def _hear(self, said: str) -> None:
        process, _, what = said.rpartition(_BETWEEN)
        if process != self._process:
            self._heard(what)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """The driver's, of its own. Raises StoreUnavailable for every fault of it."""
        driver: Any = self._database.engine.dialect.dbapi
        try:
            with self._database.translated():
                pooled = self._database.engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()
            with connection:
                connection.autocommit = True
                yield connection
        except driver.Error as broken:
            raise StoreUnavailable(f"the database does not answer ({type(broken).__name__})") from broken
