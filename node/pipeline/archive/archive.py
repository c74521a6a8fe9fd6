"""Searches, and what a retrieval needs. Blocking; safe for many threads."""

from __future__ import annotations

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node.adapters.database.index import Index, documents, searching
from node.adapters.database.index.documents import Held, HeldSeries
from node.adapters.imaging import Imaging
from node.core.dicomweb.model import Json, based
from node.core.dicomweb.query import Query
from node.pipeline.archive.answers import result
from node.pipeline.archive.erasing import Erasing

_REMEMBERED = 8192  # instances whose place is known without asking the index
_GZIP = 31  # window bits of zlib for a gzip header
_LEVEL = 6


@dataclass(frozen=True)
class Answer:
    """What a search found."""

    results: Sequence[Json]
    more: int  # results behind this page


@dataclass(frozen=True)
class Place:
    """A study, a series or an instance, by UIDs; "" for what is not named."""

    study: str
    series: str = ""
    instance: str = ""


@dataclass
class _Remembered:
    """The places of the last instances that were asked for: viewers fetch a thousand frames of one."""

    places: OrderedDict[Place, Held] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, place: Place) -> Held | None:
        with self.lock:
            return self.places.get(place)

    def put(self, place: Place, held: Held) -> None:
        with self.lock:
            self.places[place] = held
            if len(self.places) > _REMEMBERED:
                self.places.popitem(last=False)


@dataclass(frozen=True)
class Archive:
    """The index and the files behind it."""

    index: Index
    imaging: Imaging
    path_of: Callable[[str, str], Path]  # store and name → a file on this machine
    erasing: Erasing | None = None  # None: nobody may delete anything
    local_of: Callable[[str, str], Path] | None = None  # the same, where nothing is to be waited for
    _remembered: _Remembered = field(default_factory=_Remembered)

    def search(self, query: Query, base: str) -> Answer:
        """Raises StoreUnavailable."""
        found = searching.search(self.index, query)
        return Answer([result(hit, query, base) for hit in found.hits], found.more)

    def held(self, place: Place) -> list[Held]:
        """The instances at a place, in order; [] when there are none."""
        if not place.instance:
            return documents.held(self.index, place.study, place.series)
        known = self._remembered.get(place)
        if known is not None and self.path(known).is_file():
            return [known]
        found = documents.held(self.index, place.study, place.series, place.instance)
        if len(found) == 1:
            self._remembered.put(place, found[0])
        return found

    def remembered(self, place: Place) -> Held | None:
        """An instance that was asked for before; its file may be gone."""
        return self._remembered.get(place)

    def path(self, held: Held) -> Path:
        """The stored file, on this machine; it may be gone."""
        return self.path_of(held.store, held.path)

    def local(self, held: Held) -> Path:
        """Where its file lies on this machine, if it does; at once, also where the store is a bucket."""
        return (self.local_of or self.path_of)(held.store, held.path)

    def series(self, place: Place) -> list[HeldSeries]:
        """The series at a place, in order."""
        return documents.held_series(self.index, place.study, place.series)

    def find(self, study: str, sop_instance_uids: Sequence[str]) -> list[Held]:
        """Instances of a study by their own UIDs, superseded or not, in the order asked for."""
        found = {one.sop_instance_uid: one for one in documents.by_uid(self.index, study, sop_instance_uids)}
        return [found[uid] for uid in sop_instance_uids if uid in found]

    def series_metadata(self, series: HeldSeries, base: str) -> bytes:
        """The metadata of a series as a JSON array, gzip. Made once, and again when it, or `base`, changed."""
        etag = series_etag([series], base)
        found = documents.find_prepared(self.index, series.key, etag)
        if found is None:
            found = b"".join(_gzipped(_array(documents.documents(self.index, series.key), base)))
            documents.keep_prepared(self.index, series.key, etag, found)
        return found

    def study_metadata(self, every: Sequence[HeldSeries], base: str) -> Iterator[bytes]:
        """The metadata of several series as one JSON array, gzip, piece by piece."""
        return _gzipped(_array(self._documents(every), base))

    def instance_metadata(self, held: Held, base: str) -> bytes:
        """The metadata of an instance as a JSON array of one, gzip."""
        return b"".join(_gzipped(_array([documents.document(self.index, held.key)], base)))

    def models(self, every: Sequence[HeldSeries], base: str, only: Held | None = None) -> Iterator[Json]:
        """The metadata of each instance in the DICOM JSON Model."""
        packed = [documents.document(self.index, only.key)] if only else self._documents(every)
        for one in packed:
            yield json.loads(based(zlib.decompress(one), base))

    def _documents(self, every: Sequence[HeldSeries]) -> Iterator[bytes]:
        for series in every:
            yield from documents.documents(self.index, series.key)


def series_etag(every: Sequence[HeldSeries], base: str) -> str:
    """Changes when the metadata of these series does."""
    told = [base, *(f"{one.key}/{one.instance_count}/{one.newest}" for one in every)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def instance_etag(held: Held, base: str) -> str:
    return hashlib.sha256(f"{base}\n{held.key}\n{held.sha256}".encode()).hexdigest()[:32]


def _array(packed: Iterable[bytes], base: str) -> Iterator[bytes]:
    before = b"["
    for one in packed:
        yield before + based(zlib.decompress(one), base)
        before = b","
    yield b"[]" if before == b"[" else b"]"


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def unzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What gzip made of it, taken back piece by piece."""
    unpacker = zlib.decompressobj(_GZIP)
    for piece in pieces:
        if content := unpacker.decompress(piece):
            yield content
    yield unpacker.flush()
