"""Orthanc's log of changes, followed from the last one that is wholly in the ledger.

    ┌▶ changes after our place ─▶ stable series of a wanted modality ─▶ each instance's file ─▶ ledger ─┐
    └───────────────────────────────────── the place is kept ◀──────────────────────────────────────────┘

The place moves only after the ledger. Killed in between, the node fetches a series again and finds duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime

import structlog

from node.adapters.database import Database
from node.adapters.database import feeds as rows
from node.adapters.database.feeds import START, Place
from node.adapters.orthanc import STABLE_SERIES, Change, Changes, Orthanc
from node.core.arrival import Sender
from node.core.status import OUT_OF_RESOURCES
from node.errors import BadInstance, SourceRefused, StorageFull
from node.pipeline.incoming_file import IncomingFile
from node.pipeline.reception import Answer, Reception

_log = structlog.get_logger(__name__)

_AT_ONCE = 100  # changes asked for
_FETCHED_AT_ONCE = 8
_TRIES = 5  # for a file that Orthanc has and does not give


@dataclass(frozen=True)
class OrthancSource:
    """Which Orthanc, and what of it."""

    name: str
    host: str
    modalities: frozenset[str]  # empty: all
    poll_seconds: float


class OrthancChanges:
    """The stable series of one Orthanc."""

    def __init__(
        self,
        source: OrthancSource,
        orthanc: Orthanc,
        database: Database,
        reception: Reception,
        clock: Callable[[], datetime],
    ) -> None:
        self._source, self._orthanc = source, orthanc
        self._database, self._reception, self._clock = database, reception, clock
        self._refusals: dict[str, int] = {}  # instance → how often Orthanc did not give it
        self._threads = ThreadPoolExecutor(_FETCHED_AT_ONCE, f"feed {source.name}")

    @property
    def name(self) -> str:
        return self._source.name

    def step(self, is_stopping: Callable[[], bool]) -> float:
        """Receive what became stable since the kept place; 0 when there is more to ask for at once."""
        found = self._news(rows.place(self._database, self.name))
        for change in found.changes:
            if change.kind == STABLE_SERIES:
                if not self._receive_series(change, is_stopping):
                    return 0.0
                self._keep(change)
        if found.changes:
            self._keep(found.changes[-1])
        return self._source.poll_seconds if found.is_end else 0.0

    def _news(self, place: Place) -> Changes:
        """The changes behind our place; from the beginning when that place is not one of this database."""
        found = self._orthanc.changes(max(place.position - 1, 0), _AT_ONCE)
        if place == START:
            return found
        if found.changes and found.changes[0].number == place.position:
            if found.changes[0].mark != place.mark:
                return self._rewind("another change has the number of the last one: this is another database")
            return Changes(found.changes[1:], found.is_end)
        if not found.changes and self._orthanc.last_change() < place.position:
            # Deleting a study deletes its changes, so this may be the same database. Reading all again is harmless.
            return self._rewind("the newest changes are gone")
        return found

    def _rewind(self, why: str) -> Changes:
        _log.warning("all that Orthanc has is read again", loop=self.name, reason=why)
        rows.keep_place(self._database, self.name, START, self._clock())
        return self._orthanc.changes(0, _AT_ONCE)

    def _keep(self, change: Change) -> None:
        rows.keep_place(self._database, self.name, Place(change.number, change.mark), self._clock())

    def _receive_series(self, change: Change, is_stopping: Callable[[], bool]) -> bool:
        """False when the node stops before all of the series is in the ledger."""
        series = self._orthanc.series(change.resource)
        if series is None or (self._source.modalities and series.modality not in self._source.modalities):
            return True
        sender = Sender("orthanc", self.name, "", self._source.host, f"change {change.number}")
        for some in _batches(series.instances):
            if is_stopping():
                return False
            self._receive_together(some, sender)
        _log.info("series fetched", loop=self.name, instances=len(series.instances))
        return True

    def _receive_together(self, identifiers: Sequence[str], sender: Sender) -> None:
        """Together, so that they share the wait for the disk and the ledger."""
        fetched = [self._threads.submit(self._receive, one, sender) for one in identifiers]
        wait(fetched)
        for one in fetched:
            one.result()  # raises the first fault; the others of this batch had their chance

    def _receive(self, identifier: str, sender: Sender) -> None:
        try:
            answer = self._fetch(identifier, sender)
        except SourceRefused as refused:
            # Not at once: Orthanc may be short of something. Not for ever: other series wait behind it.
            self._refusals[identifier] = self._refusals.get(identifier, 0) + 1
            if self._refusals[identifier] < _TRIES:
                raise
            self._miss(identifier, str(refused))
        except BadInstance as bad:
            self._miss(identifier, str(bad))
        else:
            if answer and answer.status == OUT_OF_RESOURCES:
                raise StorageFull(answer.reason)
            self._refusals.pop(identifier, None)

    def _miss(self, identifier: str, reason: str) -> None:
        _log.error("instance missed", loop=self.name, reason=reason)
        rows.note_missed(self._database, self.name, identifier, reason, self._clock())
        self._refusals.pop(identifier, None)

    def _fetch(self, identifier: str, sender: Sender) -> Answer | None:
        """None when Orthanc does not have it any more. What the ledger refuses has its line and reason there."""
        with self._orthanc.file(identifier) as chunks:
            if chunks is None:
                return None
            file = IncomingFile(self._reception, sender)
            try:
                for chunk in chunks:
                    file.write(chunk)
            except BaseException:
                file.abandon()
                raise
            return file.finish()


def _batches(identifiers: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(identifiers), _FETCHED_AT_ONCE):
        yield identifiers[at : at + _FETCHED_AT_ONCE]
