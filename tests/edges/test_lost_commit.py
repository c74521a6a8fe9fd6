"""The answer to a commit gets lost: the rows may be there, and what they name must be there with them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import make_url, select

from node.adapters.database import Database
from node.adapters.database.tables import instance
from node.adapters.files import Files
from node.core.status import OUT_OF_RESOURCES, SUCCESS
from node.pipeline.reception import Reception
from tests.postgresql import postgresql
from tests.receiving import SENDER, encoded
from tests.synthetic import mr_series
from tests.ways_in import clock


class Wire:
    """Between node and database: hands everything on until it is told to swallow the answer to the next commit."""

    def __init__(self, port: int) -> None:
        self._target, self.swallow, self._cut = port, False, False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, to_database: bool) -> None:
        with suppress(OSError), source, sink:
            while chunk := source.recv(1 << 16):
                if to_database and self.swallow and b"COMMIT" in chunk:
                    self.swallow, self._cut = False, True
                elif not to_database and self._cut and b"COMMIT" in chunk:  # the database says that it has done it
                    self._cut = False
                    break
                sink.sendall(chunk)
            for one in (source, sink):
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads the other way; closing would not


@contextmanager
def node_behind(wire: Wire, url: str, folder: Path) -> Iterator[tuple[Reception, Database, Files]]:
    database = Database(make_url(url).set(port=wire.port).render_as_string(hide_password=False))
    database.migrate()
    files = Files(folder / "instances", 0)
    reception = Reception(database, files, clock, chain="wire")
    yield reception, database, files
    reception.close()
    database.close()


def test_an_instance_whose_commit_was_not_answered_is_kept_and_its_second_try_is_not_lost(tmp_path: Path) -> None:
    sent = [encoded(ds) for ds in mr_series()[:3]]
    with postgresql() as url:
        wire = Wire(make_url(url).port or 0)
        with node_behind(wire, url, tmp_path) as (reception, database, files):
            one = (
                SENDER,
                sent[0].sop_class_uid,
                sent[0].sop_instance_uid,
                sent[0].transfer_syntax_uid,
                sent[0].data_set,
            )
            assert reception.receive(SENDER, *vars(sent[1]).values()).status == SUCCESS
            wire.swallow = True
            assert reception.receive(*one).status == OUT_OF_RESOURCES
            assert not wire.swallow
            assert reception.receive(*one).status == SUCCESS
            assert reception.receive(SENDER, *vars(sent[2]).values()).status == SUCCESS
            with database.reading() as connection:
                paths = connection.scalars(select(instance.c.path)).all()
            assert len(paths) == 3
            assert all(files.path(path).is_file() for path in paths)
        wire.close()
