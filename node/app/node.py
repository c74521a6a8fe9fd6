"""A running node.

database ─ store ─ reception ─ http ─ listener      what arrives is kept from the first moment
         ─ feeds ─ clerk ─ Triton ─ canaries ─ workers ─ destinations
"""

from __future__ import annotations

from time import monotonic

from node.adapters.database import Database
from node.adapters.files import Files
from node.app.clock import Clock, utc_now
from node.app.destinations import build_delivering
from node.app.receiving import Receiving
from node.app.serving import build_web
from node.app.working import Working
from node.config import Settings
from node.core.rules import RuleSet
from node.pipeline.models import Models
from node.pipeline.reception import Reception
from node.web import Health, Web


class Node:
    """`start` returns when it listens; `stop` is safe at any time."""

    def __init__(self, settings: Settings, clock: Clock = utc_now) -> None:
        """Build it all; nothing runs yet. Raises BadConfiguration for settings, rules or models that are wrong."""
        self.settings, self._clock = settings, clock
        self.database = Database(settings.database_url)
        self.files = Files(settings.instances, settings.storage.low_watermark)
        self.results = settings.node.data_dir / "results"
        self._delivering = build_delivering(settings, self.database, self.results, clock)
        self._working = Working(settings, self.database, self.files, self.results, clock, self._delivering)
        self._receiving: Receiving | None = None
        self._web: Web | None = None
        self.http_port = 0

    @property
    def rule_set(self) -> RuleSet:
        return self._working.rule_set

    @property
    def models(self) -> Models:
        return self._working.models

    @property
    def reception(self) -> Reception:
        """The one function that receives; there once the node was started."""
        if self._receiving is None:
            raise RuntimeError("the node was not started")
        return self._receiving.reception

    @property
    def dicom_port(self) -> int:
        return self._receiving.dicom_port if self._receiving else 0

    @property
    def tls_port(self) -> int:
        return self._receiving.tls_port if self._receiving else 0

    def start(self) -> None:
        """Start everything. Raises BadConfiguration when a port is taken or Triton cannot be started."""
        settings = self.settings
        self.database.migrate()
        self._working.arrive()
        self._receiving = Receiving(
            settings, self.database, self.files, self._clock, self._delivering, self._working.wake
        )
        health = Health(self.database, self.files, self.models, self._receiving.faults)
        self._web = build_web(settings, health, self._receiving.reception)
        self.http_port = self._web.start(settings.http.host, settings.http.port)
        self._receiving.listen()
        self._receiving.follow()
        self._working.start()

    def stop(self) -> None:
        """Refuse new associations, finish what runs or leave it for the next start, close."""
        ends_at = monotonic() + self.settings.node.stop_seconds

        def seconds_left() -> float:
            return max(0.0, ends_at - monotonic())

        self._working.ask_to_stop()
        if self._receiving:
            self._receiving.stop(seconds_left)
        self._working.stop(seconds_left)
        if self._receiving:
            self._receiving.close(seconds_left)
        self._working.hand_back()
        if self._web:
            self._web.stop()
        if self._receiving:
            self._receiving.reception.close()
        self._working.close()
        self.database.close()
