"""Receiving: the reception and every way into it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from node.adapters.association import RemoteAE
from node.adapters.database import Database, leases, sender_requests
from node.adapters.database import senders as sender_rows
from node.adapters.database.sender_requests import Request
from node.adapters.files import Files
from node.adapters.orthanc import Orthanc
from node.app.clock import Clock
from node.app.destinations import peer_of
from node.app.feeds import Feeds
from node.app.places import LiveMapping, LiveSequence, Places
from node.config import Settings, SourceSettings
from node.errors import BadConfiguration
from node.feeds import Feed, FolderSource, Follower, OrthancChanges, OrthancSource, WatchedFolder
from node.pipeline.access.reads import Reads
from node.pipeline.archive import Archive
from node.pipeline.commitment import Commitments
from node.pipeline.delivery import Delivering
from node.pipeline.procedure_steps import ProcedureSteps
from node.pipeline.reception import Reception
from node.scp import Admission, Listener, Source
from node.scp.admission import Caller, Refusal
from node.scp.commitment import commitment
from node.scp.commitment_report import commitment_reports
from node.scp.contexts import Service
from node.scp.mpps import mpps
from node.scp.query import query
from node.scp.retrieve import get, move
from node.scp.server import Limits
from node.scp.tls import Certificates
from node.worker import Reporter

_log = structlog.get_logger(__name__)


class Receiving:
    """What takes instances in. Listens from `listen` on, follows feeds from `follow` on."""

    def __init__(
        self,
        places: Places,
        database: Database,
        files: Files,
        clock: Clock,
        delivering: Delivering,
        stored: Callable[[], None],
        archive: Archive | None = None,
        reads: Reads | None = None,
    ) -> None:
        """`stored` is called when something came that somebody may want to look at; `archive` is to be queried.

        `reads` is told who did.
        """
        settings = places.file
        self._places, self._settings = places, settings
        self._database, self._files, self._clock = database, files, clock
        self._delivering, self._stored, self._archive = delivering, stored, archive
        self._reads = reads or Reads(database, clock)
        self.reception = Reception(
            database,
            files,
            clock,
            chain=settings.chain,
            settle=timedelta(seconds=min(1.0, settings.completion.settle_seconds)),
            stored=stored,
        )
        self._reporter: Reporter | None = None
        self._listener: Listener | None = None
        self._feeds = Feeds(places, self._built_feed, self._follower)
        self.dicom_port = self.tls_port = 0

    def listen(self) -> None:
        """Open the DICOM ports. Raises BadConfiguration when one is taken."""
        settings = self._settings
        self._listener = Listener(
            self.reception, self._admission(), _limits(settings), note=self._note, services=self._services()
        )
        self.dicom_port = self._listener.start(settings.dicom.host, settings.dicom.port)
        if certificates := _certificates(settings):
            self.tls_port = self._listener.start(settings.dicom.host, settings.dicom.tls_port or 0, certificates)
        if settings.dicom.accept == "any":
            _log.warning("anybody may send to this node", reason='dicom.accept is "any"')

    def follow(self) -> None:
        """Start the feeds, and the reports that senders are owed."""
        self._feeds.start()
        if self._reporter:
            self._reporter.start()

    def stop(self, seconds_left: Callable[[], float]) -> None:
        """Refuse new associations and let those that are open come to their end."""
        if self._listener:
            self._listener.stop(seconds_left())
        self._feeds.stop(seconds_left)

    def close(self, seconds_left: Callable[[], float]) -> None:
        """Nothing comes in any more."""
        if self._reporter:
            self._reporter.stop(seconds_left())

    @property
    def followed(self) -> list[str]:
        """The feeds that this process looks after."""
        return self._feeds.names

    def faults(self) -> list[str]:
        """Reasons why nothing can be received."""
        return [] if self._listener else ["the DICOM listener is not open"]

    def _admission(self) -> Admission:
        settings = self._settings
        sources = LiveSequence(self._places, _senders)
        anybody = settings.dicom.accept == "any"
        return Admission(
            settings.node.ae_title, anybody, sources, lambda ae, host: sender_rows.is_admitted(self._database, ae, host)
        )

    def _note(self, caller: Caller, refused: Refusal | None) -> None:
        sender_rows.note_sender(
            self._database,
            calling_ae=caller.calling_ae[:64],
            host=caller.host[:64],
            at=self._clock(),
            admitted=refused is None or refused.transient,
            reason=refused.sentence if refused else "",
        )
        request = Request(caller.called_ae[:64], caller.certificate_name[:256], caller.proposed)
        sender_requests.note(self._database, caller.calling_ae[:64], caller.host[:64], request)

    def _services(self) -> list[Service]:
        services = [mpps(ProcedureSteps(self._database, self._clock, self._stored))]
        if self._settings.commitment.enabled:
            told = LiveMapping(self._places, _reports)
            commitments = Commitments(self._database, self._files, self._clock, told, self._report)
            self._reporter = Reporter(commitments, self._clock, self._alone("commitment reports"))
            services.append(commitment(commitments))
        services.append(replace(commitment_reports(self._delivering.promises), is_offered=self._is_promised))
        if self._archive:
            known = LiveMapping(self._places, _known).get
            services += [
                query(self._archive, self._settings.node.ae_title, self._reads),
                move(self._archive, known, self._reads),
                get(self._archive, self._reads),
            ]
        return services

    def _alone(self, what: str) -> Callable[[], bool]:
        """Whether it is this process that does it."""
        return partial(leases.hold, self._database, what, self._settings.process_id)

    def _report(self) -> None:
        if self._reporter:
            self._reporter.wake()

    def _is_promised(self) -> bool:
        return any(one.proof == "commitment" for one in self._places.settings().destination)

    def _built_feed(self, one: SourceSettings) -> Feed:
        if one.kind == "orthanc":
            orthanc = Orthanc(one.url, one.user, one.password.get_secret_value())
            host = urlsplit(one.url).hostname or ""
            source = OrthancSource(one.name, host, frozenset(one.modalities), one.poll_seconds)
            return OrthancChanges(source, orthanc, self._database, self.reception, self._clock)
        settle, delete = timedelta(seconds=one.settle_seconds), one.received == "delete"
        folder = FolderSource(one.name, one.path or Path(), settle, one.poll_seconds, delete)
        return WatchedFolder(folder, self.reception, self._clock)

    def _follower(self, feed: Feed) -> Follower:
        return Follower(feed, self._database, self._clock, self._alone(f"feed {feed.name}"))


def _senders(settings: Settings) -> list[Source]:
    return [Source(one.name, one.ae_title, one.hosts, one.certificate_name) for one in settings.source if one.ae_title]


def _reports(settings: Settings) -> dict[str, RemoteAE]:
    mine = settings.node.ae_title
    told = [(one.ae_title, one.commitment) for one in settings.source if one.commitment and one.ae_title]
    return {ae: RemoteAE(ae, at.host, at.port, mine, at.timeout_seconds) for ae, at in told}


def _known(settings: Settings) -> dict[str, RemoteAE]:
    """Whom instances may be sent to when somebody asks for it: destinations, and sources that are queried."""
    mine = settings.node.ae_title
    asked = {
        one.query.ae_title: RemoteAE(one.query.ae_title, one.query.host, one.query.port, mine)
        for one in settings.source
        if one.query
    }
    for one in settings.destination:
        with suppress(BadConfiguration):  # whose TLS files cannot be used is nobody that can be sent to
            if one.ae_title:
                asked[one.ae_title] = peer_of(one, mine)
    return asked


def _certificates(settings: Settings) -> Certificates | None:
    dicom = settings.dicom
    if dicom.tls_port is None or dicom.tls_certificate is None or dicom.tls_key is None:
        return None
    return Certificates(dicom.tls_certificate, dicom.tls_key, dicom.tls_ca)


def _limits(settings: Settings) -> Limits:
    dicom = settings.dicom
    return Limits(dicom.max_associations, dicom.max_pdu, dicom.stall_seconds)
