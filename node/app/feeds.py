"""The feeds of a process: those that are followed now are those that are written down now."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from node.app.places import Places
from node.config import SourceSettings
from node.feeds import Feed, Follower

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 1.0
_OF_ONE_S = 5.0  # that a feed which was taken away may take to end its step


class Feeds:
    """Starts a follower for each feed, and another one when its settings change."""

    def __init__(
        self, places: Places, build: Callable[[SourceSettings], Feed], follow: Callable[[Feed], Follower]
    ) -> None:
        self._places, self._build, self._follow = places, build, follow
        self._running: dict[str, tuple[SourceSettings, Follower]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeds", daemon=True)

    @property
    def names(self) -> list[str]:
        return list(self._running)

    def start(self) -> None:
        self._look()
        self._thread.start()

    def stop(self, seconds_left: Callable[[], float]) -> None:
        """Finish the instances that are being received, as far as the time goes."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds_left())
        for _, follower in self._running.values():
            follower.stop(seconds_left())

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            try:
                self._look()
            except Exception:  # noqa: BLE001 # one that cannot be built must not end the others; the log keeps it
                _log.exception("feeds not looked at")

    def _look(self) -> None:
        wanted = {one.name: one for one in self._places.settings().source if one.kind != "dicom"}
        for name in [name for name, (was, _) in self._running.items() if wanted.get(name) != was]:
            self._running.pop(name)[1].stop(_OF_ONE_S)
            _log.info("feed ends", loop=name, reason="it was changed or removed")
        for name, one in wanted.items():
            if name not in self._running and not self._stopping.is_set():
                follower = self._follow(self._build(one))
                self._running[name] = (one, follower)
                follower.start()
