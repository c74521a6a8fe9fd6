"""A running node.

database ─ store ─ reception ─ http ─ listener      what arrives is kept from the first moment
         ─ feeds ─ clerk ─ Triton ─ canaries ─ workers ─ destinations
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from time import monotonic

import structlog

from node.adapters.database import Database
from node.adapters.database.bell import Bell
from node.adapters.database.clock import shared
from node.app.access import Doors, certificates_of
from node.app.archiving import Archiving
from node.app.auditing import build_auditor, tell
from node.app.clock import Clock, utc_now
from node.app.destinations import build_delivering
from node.app.noticing import build_notice_teller, build_notices
from node.app.places import Places
from node.app.receiving import Receiving
from node.app.roles import Role
from node.app.rules import build_rules_room
from node.app.serving import build_pages, build_routers, build_web
from node.app.showing import Showing, build_teller, cards_of
from node.app.site import build_site
from node.app.store import build_store
from node.app.working import Working
from node.config import Settings
from node.core.audit import What
from node.core.card import Card
from node.errors import BadConfiguration, StoreUnavailable
from node.pipeline.board import Board
from node.pipeline.board.totals import Counted
from node.pipeline.reception import Reception
from node.web import Health, Web
from node.worker import NoticeTeller, Watchdog
from node.worker.trail_writer import TrailWriter

_log = structlog.get_logger(__name__)

_SERIES, _JOBS = "series", "jobs"  # what processes ring for
_MOMENT_S = 5.0  # for the watchdog's last step
_NOTABLE_S = 5.0  # by which two clocks may differ without a word


class Node:
    """`start` returns when it listens; `stop` is safe at any time."""

    def __init__(self, settings: Settings, clock: Clock = utc_now, role: Role = Role.ALL) -> None:
        """Build what the role needs; nothing runs yet.

        Raises BadConfiguration for settings, rules or models that are wrong.
        """
        self.settings, self.role = settings, role
        self.database = Database(settings.database_url)
        self._shared_clock = shared(self.database, clock)
        if role is not Role.ALL and self._shared_clock is None:
            cure = "Set it to a postgresql+psycopg:// URL that all processes share; docs/scale-out.md"
            raise BadConfiguration("database.url", f"--role {role} is for processes that share a PostgreSQL", cure)
        self._clock = self._shared_clock or clock
        self.files, self.results = build_store(settings)
        self.doors = Doors(settings, self.database, self._clock)
        self._places = Places(settings, self.database)
        self._delivering = build_delivering(self._places, self.database, self.results, self._clock)
        self._working = (
            Working(
                self._places,
                self.database,
                self.files,
                self.results,
                self._clock,
                self._delivering,
                self._tell_of_jobs,
            )
            if role.works
            else None
        )
        self._bell = Bell(self.database, settings.process_id, self._hear) if self._shared_clock else None
        taken_up = self._working.job_created if self._working else _nothing
        self._watchdog = Watchdog(
            self.database, settings.process_id, self._clock, taken_up, self._look_at_the_clock, role.value
        )
        self._teller = self._notice_teller() if role.works else None
        self._archiving = Archiving(settings, self.database, self.files, self.results, self._clock, role)
        self._totals = Counted(self.database, self._clock)
        self._auditor = build_auditor(settings, self.database, self._clock)
        self._trail_writer = TrailWriter(self.doors.reads, self._clock)
        models = self._working.models if self._working else None
        self._board_teller = build_teller(settings, self.database, self.files, models, self._clock, role)
        self._receiving: Receiving | None = None
        self._web: Web | None = None
        self.http_port = 0

    @property
    def reception(self) -> Reception:
        """The one function that receives; there once a node that receives was started."""
        if self._receiving is None:
            raise RuntimeError("the node was not started, or does not receive")
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
        self._archiving.migrate()
        self._look_at_the_clock()
        if self._working:
            self._working.publish_rules()
        self._watchdog.arrive()
        self._watchdog.start()
        tell(self.database, self._clock, What.STARTED, settings.process_id)
        self._trail_writer.start()
        if self._auditor:
            self._auditor.start()
        if self._bell:
            self._bell.start()
        if self.role.receives:
            wake = self._tell_of_series
            self._receiving = Receiving(
                self._places, self.database, self.files, self._clock, self._delivering, wake, self._archiving.archive,
                self.doors.reads,
            )  # fmt: skip
        reception = self._receiving.reception if self._receiving else None
        rules = build_rules_room(self._places, self.database, self._clock)
        notices = build_notices(settings, self.database, self._clock) if self.role.shows else None
        routers = build_routers(self._places, self.database, self._clock, rules, notices) if self.role.shows else []
        archive = self._archiving.archive if self.role.shows else None
        shown, leave = build_pages(self._places, self.database, rules, notices), _nothing
        if self.role.shows:
            showing = self._showing()
            routers, shown, leave = [*routers, *showing.routers()], showing.beside(shown), showing.leave
        self._web = build_web(
            settings, self._health(), reception, archive, routers, self._clock, self.doors, shown, leave
        )
        self.http_port = self._web.start(settings.http.host, settings.http.port, certificates_of(settings))
        if self._receiving:
            self._receiving.listen()
            self._receiving.follow()
        self._archiving.start()
        if self._working:
            self._working.start()
        if self._board_teller:
            self._board_teller.start()
        if self._teller:
            self._teller.start()

    def stop(self) -> None:
        """Refuse new associations, finish what runs or leave it for the next start, close."""
        ends_at = monotonic() + self.settings.node.stop_seconds

        def seconds_left() -> float:
            return max(0.0, ends_at - monotonic())

        self._ask_to_stop()
        if self._receiving:
            self._receiving.stop(seconds_left)
        if self._working:
            self._working.stop(seconds_left)
        if self._receiving:
            self._receiving.close(seconds_left)
        self._archiving.stop(seconds_left)
        if self._bell:
            self._bell.stop()
        self._leave()
        if self._web:
            self._web.stop()
        self._trail_writer.stop(_MOMENT_S)  # nobody reads any more
        if self._receiving:
            self._receiving.reception.close()
        if self._working:
            self._working.close()
        self._archiving.close()
        self.database.close()

    def _ask_to_stop(self) -> None:
        for one in (self._working, self._teller):
            if one:
                one.ask_to_stop()

    def _notice_teller(self) -> NoticeTeller:
        """Raises BadConfiguration for templates and TLS files of [[notify]] that are no good."""
        return build_notice_teller(self.settings, self.database, lambda: self._board, self._clock)

    def _showing(self) -> Showing:
        """The board, the models and what jobs found."""
        archive = self._archiving.archive
        return Showing(self._places, self.database, archive, self._board, self._clock, self._cards)

    @cached_property
    def _cards(self) -> Mapping[str, Card]:
        """Of the models that are installed here."""
        return cards_of(self.settings, self._working.models if self._working else None)

    @cached_property
    def _board(self) -> Board:
        """One for all who ask: pages, the API, notices."""
        site = build_site(self._places, self.files, self._delivering, self._ahead, lambda: [*self._cards])
        return Board(self.database, site, self._clock, self._totals)

    def _ahead(self) -> timedelta | None:
        """How far this machine's clock is ahead of the one that counts; None: it is the one."""
        return self._shared_clock.ahead if self._shared_clock else None

    def _tell_of_series(self) -> None:
        if self._working:
            self._working.wake()
        if self._bell:
            self._bell.ring(_SERIES)

    def _tell_of_jobs(self) -> None:
        if self._bell:
            self._bell.ring(_JOBS)

    def _hear(self, what: str) -> None:
        """Another process rang; "" stands for anything."""
        if self._working and what != _JOBS:
            self._working.wake()
        if self._working and what != _SERIES:
            self._working.look_for_jobs()

    def _leave(self) -> None:
        """What could not be finished in time is free for others at once, or for the next start."""
        if self._teller:
            self._teller.stop(_MOMENT_S)
        if self._auditor:
            self._auditor.stop(_MOMENT_S)
        if self._board_teller:
            self._board_teller.stop(_MOMENT_S)
        self._watchdog.stop(_MOMENT_S)
        try:
            tell(self.database, self._clock, What.STOPPED, self.settings.process_id)
            self._watchdog.leave()
        except StoreUnavailable as gone:
            _log.warning("jobs not handed back", reason=str(gone))

    def _health(self) -> Health:
        models = self._working.models if self._working else None
        faults = self._receiving.faults if self._receiving else list
        return Health(self.database, self.files, models, faults, self._totals)

    def _look_at_the_clock(self) -> None:
        """Where several machines share a database, its clock is the node's."""
        if self._shared_clock:
            before = self._shared_clock.ahead.total_seconds()
            self._shared_clock.look()
            ahead = self._shared_clock.ahead.total_seconds()
            if abs(ahead) > _NOTABLE_S and abs(ahead - before) > _NOTABLE_S:
                said = f"this machine's clock is {ahead:+.0f} s from the database's, which counts"
                _log.warning("clocks differ", reason=said)


def _nothing() -> None:
    """Other processes look by themselves."""
