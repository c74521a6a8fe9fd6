"""The archive: the index, who fills it, and who asks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from node.adapters.database import Database
from node.adapters.database.index import Index
from node.adapters.files import Files
from node.adapters.imaging import Imaging
from node.adapters.objects import ResultFiles
from node.app.clock import Clock
from node.app.roles import Role
from node.config import Settings
from node.pipeline.archive import Archive, Indexing
from node.pipeline.archive.erasing import Erasing
from node.worker.indexer import Indexer


class Archiving:
    """What the role needs of it: who receives fills the index, who shows answers from it."""

    def __init__(
        self, settings: Settings, database: Database, files: Files, results: ResultFiles, clock: Clock, role: Role
    ) -> None:
        """Build it; nothing runs yet."""
        self._index = Index(settings.index_url)
        self._reading, self._showing = Imaging(1, niceness=10), Imaging(2)  # nobody waits for the indexer

        def path_of(store: str, name: str) -> Path:
            return files.path(name) if store == "instances" else results.path(name)

        def local_of(store: str, name: str) -> Path:
            return files.local(name) if store == "instances" else results.local(name)

        erasing = Erasing(database, self._index, files.remove, results.drop, clock)
        self.archive = Archive(self._index, self._showing, path_of, erasing, local_of)
        indexing = Indexing(database, self._index, self._reading, path_of, clock, settings.chain)
        self._indexer = Indexer(indexing, clock) if role.receives else None

    def migrate(self) -> None:
        self._index.migrate()

    def start(self) -> None:
        if self._indexer:
            self._indexer.start()

    def stop(self, seconds_left: Callable[[], float]) -> None:
        if self._indexer:
            self._indexer.stop(seconds_left())

    def close(self) -> None:
        self._reading.close()
        self._showing.close()
        self._index.close()
