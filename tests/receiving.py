"""A reception on a real database and a real folder, for tests, and encoded instances to give it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Row, select

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.series import missing_files
from node.adapters.database.tables import instance, receipt, series
from node.adapters.files import Files
from node.adapters.objects import kept_size
from node.core.arrival import Sender
from node.core.part10 import read_head
from node.core.status import SUCCESS
from node.pipeline.reception import Answer, Reception
from tests.clock import Clock
from tests.databases import migrated
from tests.synthetic import Grid, mr_series, to_bytes, uid

SENDER = Sender("dicom", "SCANNER", "MRICORE", "192.0.2.1", "association-1")


@dataclass(frozen=True)
class Encoded:
    """An instance as C-STORE brings it: what the command says, and the encoded data set."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data_set).hexdigest()


def from_file(content: bytes) -> Encoded:
    """The instance of a Part 10 file."""
    head = read_head(content)
    return Encoded(head.sop_class_uid, head.sop_instance_uid, head.transfer_syntax_uid, content[head.data_set_at :])


def encoded(ds: Dataset) -> Encoded:
    return from_file(to_bytes(ds))


_BASE = encoded(mr_series(Grid(slices=1, rows=64, columns=64))[0])


def numbered(*parts: object) -> Encoded:
    """A slice of 8 KiB under a UID of its own."""
    old = _BASE.sop_instance_uid.encode()
    new = uid("instance", *parts)[: len(old)].ljust(len(old), "7").encode()
    return Encoded(_BASE.sop_class_uid, new.decode(), _BASE.transfer_syntax_uid, _BASE.data_set.replace(old, new))


@dataclass
class Store:
    """What keeps received instances, below one folder."""

    folder: Path
    database: Database
    files: Files
    clock: Callable[[], datetime]
    reception: Reception

    def receive(self, one: Encoded, sender: Sender = SENDER) -> Answer:
        return self.reception.receive(
            sender, one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid, one.data_set
        )

    def receive_all(self, many: Sequence[Encoded], threads: int = 1) -> list[Answer]:
        if threads == 1:
            return [self.receive(one) for one in many]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.receive, many))

    def receipts(self) -> Sequence[Row[Any]]:
        with self.database.reading() as connection:
            return connection.execute(select(receipt).order_by(receipt.c.chain, receipt.c.number)).all()

    def instances(self) -> Sequence[Row[Any]]:
        with self.database.reading() as connection:
            return connection.execute(select(instance).order_by(instance.c.sop_instance_uid)).all()

    def series(self) -> Sequence[Row[Any]]:
        with self.database.reading() as connection:
            return connection.execute(select(series).order_by(series.c.first_at)).all()

    def paths(self) -> set[str]:
        """Every file of the store, finished or not, relative to it."""
        return {str(path.relative_to(self.files.root)) for path in self.files.root.rglob("*") if path.is_file()}

    def data_set(self, path: str) -> bytes:
        """The encoded data set in a stored file."""
        content = self.files.path(path).read_bytes()
        return content[read_head(content).data_set_at :]

    def close(self) -> None:
        self.reception.close()
        self.database.close()


def open_store(
    folder: Path,
    clock: Callable[[], datetime] | None = None,
    *,
    chain: str = "MRICORE",
    low_watermark: int = 0,
    url: str = "",
) -> Store:
    """A reception on what lies in the folder already, as after a start of the node."""
    database = migrated(Database(url or f"sqlite:///{folder / 'node.db'}"))
    files = Files(folder / "instances", low_watermark)
    told = clock or Clock()
    return Store(folder, database, files, told, Reception(database, files, told, chain=chain))


@contextmanager
def opened(folder: Path, clock: Callable[[], datetime] | None = None, **options: Any) -> Iterator[Store]:
    store = open_store(folder, clock, **options)
    try:
        yield store
    finally:
        store.close()


def demand_kept(store: Store, heard: dict[str, str]) -> None:
    """The ledger, the disk and what the senders heard agree."""
    receipts = {line.sop_instance_uid: line for line in store.receipts() if line.status == SUCCESS}
    instances = {line.sop_instance_uid: line for line in store.instances()}
    assert broken_chains(store.database) == {}
    assert missing_files(store.database, partial(kept_size, store.files)) == []
    assert heard.keys() <= receipts.keys()
    for sop_instance_uid, sha256 in heard.items():
        kept = instances[sop_instance_uid]
        assert receipts[sop_instance_uid].sha256 == kept.sha256 == sha256
        assert hashlib.sha256(store.data_set(kept.path)).hexdigest() == sha256
    assert balance(store.database).residue == 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with opened(tmp_path, clock) as opened_store:
        yield opened_store
