"""What changes while the node runs. Who holds one of these sees every change within a second, without being told."""

from __future__ import annotations

import threading
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView
from time import monotonic
from typing import Any, TypeVar, overload

import structlog

from node.adapters.database import Database, places
from node.app.places.merging import Merged, merged
from node.config import Settings
from node.errors import StoreUnavailable

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 1.0

Key = TypeVar("Key")
Value = TypeVar("Value", covariant=True)


class Places:
    """The settings of this moment, in one process. While the database is away, those of the moment before."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Nothing is read yet: the tables may not be there."""
        self.file, self._database = settings, database
        self._now = Merged(settings)
        self._number: int | None = None
        self._looked: float | None = None
        self._lock = threading.Lock()

    def settings(self) -> Settings:
        return self.merged().settings

    def merged(self) -> Merged:
        """With why some rows are not in use."""
        with self._lock:
            now = monotonic()
            if self._looked is None or now - self._looked >= _LOOK_EVERY_S:
                self._look()
                self._looked = now
            return self._now

    def look(self) -> None:
        """Something was changed here: look at once when next asked."""
        with self._lock:
            self._looked = None

    def _look(self) -> None:
        try:
            if self._number is not None and places.number(self._database) == self._number:
                return
            self._number, rows = places.listed(self._database)
        except StoreUnavailable as away:
            _log.warning("destinations and sources not looked at", reason=str(away))
            return
        self._now = merged(self.file, rows)
        for (family, name), fault in self._now.faults.items():
            _log.warning("place not in use", reason=f"{family} {name}: {fault}")


class _Live:
    """Made anew when the settings are others than before; what became of it is kept until then."""

    def __init__(self, places: Places, make: Callable[[Settings], Any]) -> None:
        self._places, self._make = places, make
        self._of: Merged | None = None
        self._made: Any = None
        self._lock = threading.Lock()

    def now(self) -> Any:
        found = self._places.merged()
        with self._lock:
            if found is not self._of:
                self._made, self._of = self._make(found.settings), found
            return self._made

    def anew(self) -> Any:
        """After another look."""
        self._places.look()
        return self.now()


class LiveMapping(Mapping[Key, Value]):
    """A mapping of this moment."""

    def __init__(
        self, places: Places, make: Callable[[Settings], Mapping[Key, Value]], *, looks_again: bool = False
    ) -> None:
        """`looks_again`: before it says that something is not there, for what another process added a moment ago."""
        self._live, self._looks_again = _Live(places, make), looks_again

    def __getitem__(self, key: Key) -> Value:
        there = self._live.now()
        if self._looks_again and key not in there:
            there = self._live.anew()
        found: Value = there[key]
        return found

    def __iter__(self) -> Iterator[Key]:
        return iter(self._live.now())

    def __len__(self) -> int:
        return len(self._live.now())

    def items(self) -> ItemsView[Key, Value]:
        """All of one moment."""
        found: ItemsView[Key, Value] = self._live.now().items()
        return found

    def values(self) -> ValuesView[Value]:
        """All of one moment."""
        found: ValuesView[Value] = self._live.now().values()
        return found


class LiveSequence(Sequence[Value]):
    """A sequence of this moment."""

    def __init__(self, places: Places, make: Callable[[Settings], Sequence[Value]]) -> None:
        self._live = _Live(places, make)

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value]: ...
    def __getitem__(self, index: int | slice) -> Value | Sequence[Value]:
        found: Value | Sequence[Value] = self._live.now()[index]
        return found

    def __iter__(self) -> Iterator[Value]:
        return iter(self._live.now())

    def __len__(self) -> int:
        return len(self._live.now())
