"""DBOS Transact as the engine: in a SQLite file of its own for one node, in the shared PostgreSQL for replicas.

What was measured, and the rules that came of it, is in docs/jobs.md. One in each process: DBOS itself is global.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from dbos._error import DBOSException
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from node.adapters.engine import Carry
from node.errors import StoreUnavailable

# Work enqueued under another version would wait for ever: the version is that of the row ids, not of this release.
_VERSION = "1"
_POLL_S = 0.1
_WAITING, _RUNNING = ["ENQUEUED", "DELAYED"], "PENDING"
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]

_carry: Carry | None = None  # the workflow below is known by its name, and may be called before anybody asks for it


@DBOS.workflow(name="carry_v1", max_recovery_attempts=None)  # attempts are counted in the rows
def _call(queue: str, row_id: int) -> None:
    if _carry is not None:
        _carry(queue, row_id)


class Transact:
    """An Engine. `process` is this process among all; the same one after a restart, or what it did is not recovered."""

    def __init__(self, url: str, process: str) -> None:
        self._url, self._process = url, process
        self._store: sa.Engine | None = None
        self._lock = threading.Lock()

    def start(self, queues: Mapping[str, int], carry: Carry) -> None:
        global _carry  # see above
        _carry = carry
        self._store = _opened(self._url)
        config: DBOSConfig = {
            "name": "mricore",
            "system_database_url": self._url,
            "system_database_engine": self._store,
            "application_version": _VERSION,
            "executor_id": self._process,
            "log_level": "ERROR",
            "notification_listener_polling_interval_sec": _POLL_S,
        }
        with _translated():
            DBOS(config=config)
            DBOS.launch()
            for name, at_once in queues.items():
                DBOS.register_queue(
                    name, worker_concurrency=at_once, polling_interval_sec=_POLL_S, on_conflict="always_update"
                )

    def enqueue(self, queue: str, row_id: int, *, rank: int = 0, delay_seconds: float = 0.0) -> None:
        # DBOS takes priorities from 1 on, and those without one first.
        options = SetEnqueueOptions(priority=rank + 1, delay_seconds=delay_seconds or None)
        with _translated(), SetWorkflowID(f"{_prefix(row_id)}{uuid4().hex}"), options:
            DBOS.enqueue_workflow(queue, _call, queue, row_id)

    def carried(self, queue: str) -> frozenset[int]:
        with _translated():
            found = DBOS.list_workflows(
                queue_name=queue, status=[*_WAITING, _RUNNING], load_input=False, load_output=False
            )
        return frozenset(_row_id(one.workflow_id) for one in found)

    def withdraw(self, row_id: int) -> None:
        with _translated():
            found = DBOS.list_workflows(
                workflow_id_prefix=_prefix(row_id), status=_WAITING, load_input=False, load_output=False
            )
            if found:
                DBOS.cancel_workflows([one.workflow_id for one in found])

    def take_up(self, living: Collection[str]) -> int:
        orphans: dict[str, list[str]] = defaultdict(list)
        with _translated():
            for one in DBOS.list_workflows(status=_RUNNING, load_input=False, load_output=False):
                if one.executor_id not in living and one.queue_name:
                    orphans[one.queue_name].append(one.workflow_id)
            for queue, ids in orphans.items():
                DBOS.resume_workflows(ids, queue_name=queue)  # without its queue's name no limit would hold
        return sum(map(len, orphans.values()))

    def forget(self, most: int = 1000) -> int:
        with _translated():
            ended = DBOS.list_workflows(status=_ENDED, limit=most, load_input=False, load_output=False)
            if ended:
                DBOS.delete_workflows([one.workflow_id for one in ended])
        return len(ended)

    def stop(self, grace_seconds: float) -> None:
        with self._lock:
            if self._store is None:
                return
            DBOS.destroy(workflow_completion_timeout_sec=int(grace_seconds))
            self._store.dispose()
            self._store = None


def _prefix(row_id: int) -> str:
    return f"row-{row_id}-"


def _row_id(workflow_id: str) -> int:
    return int(workflow_id.split("-")[1])


def _opened(url: str) -> sa.Engine:
    """DBOS begins its own transactions, so it gets an engine of its own; WAL makes it three times as quick."""
    sqlite = url.startswith("sqlite")
    opened = sa.create_engine(url, pool_pre_ping=True, connect_args={"timeout": 30} if sqlite else {})
    if sqlite:
        sa.event.listen(opened, "connect", _durable_wal)
    return opened


def _durable_wal(connection: object, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101 # for the type checker
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}").close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, DBOSException) as broken:
        raise StoreUnavailable(f"the engine's database does not answer ({type(broken).__name__})") from broken
