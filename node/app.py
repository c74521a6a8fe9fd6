"""The composition root: everything is built here from the settings, started in one order and stopped in the other.

database ─ store ─ reception ─ listener        what arrives is kept from the first moment
         ─ rules ─ clerk
         ─ Triton ─ canaries ─ worker ─ destinations
         ─ web ─ feeds
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext
from time import monotonic
from urllib.parse import urlsplit

import structlog

from node.adapters.association import RemoteAE
from node.adapters.database import Database
from node.adapters.database import evidence as evidence_rows
from node.adapters.database import rules as rule_rows
from node.adapters.database import senders as sender_rows
from node.adapters.database.claims import Claimant
from node.adapters.decoding import Decoder
from node.adapters.destinations import Destination
from node.adapters.destinations.dicom import DicomPeer
from node.adapters.destinations.folder import Folder
from node.adapters.destinations.orthanc import OrthancDestination, OrthancServer
from node.adapters.destinations.storescu import Peer
from node.adapters.destinations.stow import HttpServer, StowServer
from node.adapters.destinations.tls import client_context
from node.adapters.files import Files
from node.adapters.orthanc import Orthanc
from node.adapters.rule_files import read_rule_files
from node.adapters.triton import EmbeddedTriton, Model, TritonClient, read_repository
from node.config import DestinationSettings, Settings
from node.core.completion import Policy
from node.core.jobs import Limits as JobLimits
from node.core.rules import RuleSet, check_rule_set, parse_rule_set
from node.core.windows import Window
from node.errors import BadConfiguration, ModelUnavailable, StoreUnavailable
from node.feeds import Feed, FolderSource, Follower, OrthancChanges, OrthancSource, WatchedFolder
from node.pipeline.commitment import Commitments
from node.pipeline.completion import Completion
from node.pipeline.delivery import Delivering
from node.pipeline.evidence import Evidence, SourceQueries
from node.pipeline.gate import Policy as DeliveryPolicy
from node.pipeline.gate import Proof
from node.pipeline.models import Models
from node.pipeline.procedure_steps import ProcedureSteps
from node.pipeline.reception import Reception
from node.pipeline.work import Work
from node.scp import Admission, Listener, Source
from node.scp.admission import Caller, Refusal
from node.scp.commitment import commitment
from node.scp.commitment_report import commitment_reports
from node.scp.contexts import Service
from node.scp.mpps import mpps
from node.scp.server import Limits
from node.scp.tls import Certificates
from node.web import Health, Web
from node.worker import Carrier, Clerk, ModelKeeper, Reporter, Watchdog, Worker

_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The node's clock."""
    return datetime.now(UTC)  # noqa: TID251 # the one clock; everybody else is told


class Node:
    """A running node. `start` returns when it listens; `stop` is safe at any time."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = utc_now) -> None:
        """Build it all; nothing runs yet. Raises BadConfiguration for settings, rules or models that are wrong."""
        self.settings, self._clock = settings, clock
        self.database = Database(settings.database_url)
        self.files = Files(settings.instances, settings.storage.low_watermark)
        self.results = settings.node.data_dir / "results"
        self._models_on_disk = read_repository(settings.triton.models)
        self.rule_set = _read_rules(settings, self._models_on_disk)
        self._triton = _triton(settings, self._models_on_disk)
        self._client = _client(settings, self._triton)
        self.models = Models(self._models_on_disk, self._client, settings.triton.deadline_seconds)
        self._decoder = Decoder()
        self._delivering = self._delivery()
        self._queries = SourceQueries(_queries(settings), clock, answered=self._look)
        self._clerk = Clerk(self._completion(), clock, self._job_created)
        self._watchdog = Watchdog(self.database, settings.process_id, clock, self._job_created)
        self._workers = self._built_workers()
        self._carrier = self._built_carrier()
        self._keeper = ModelKeeper(self.models, clock, self._revive)
        self._reporter: Reporter | None = None
        self._reception: Reception | None = None
        self._listener: Listener | None = None
        self._web: Web | None = None
        self._feeds: list[Follower] = []
        self.dicom_port = self.tls_port = self.http_port = 0

    def start(self) -> None:
        """Start everything. Raises BadConfiguration when a port is taken or Triton cannot be started."""
        settings = self.settings
        self.database.migrate()
        self._publish_rules()
        self._watchdog.arrive()
        self._reception = Reception(
            self.database,
            self.files,
            self._clock,
            chain=settings.node.ae_title,
            settle=timedelta(seconds=min(1.0, settings.completion.settle_seconds)),
            stored=self._clerk.wake,
        )
        health = Health(self.database, self.files, self.models, self._alive)
        self._web = Web(health, self._reception, settings.http.max_request)
        self.http_port = self._web.start(settings.http.host, settings.http.port)
        self._listener = Listener(
            self._reception, self._admission(), _limits(settings), note=self._note, services=self._services()
        )
        self.dicom_port = self._listener.start(settings.dicom.host, settings.dicom.port)
        if certificates := _certificates(settings):
            self.tls_port = self._listener.start(settings.dicom.host, settings.dicom.tls_port or 0, certificates)
        if settings.dicom.accept == "any":
            _log.warning("anybody may send to this node", reason='dicom.accept is "any"')
        self._feeds = [Follower(feed, self.database, self._clock) for feed in self._built_feeds(self._reception)]
        for feed in self._feeds:
            feed.start()
        if self._reporter:
            self._reporter.start()
        self._clerk.start()
        if self._triton:
            self._start_triton(self._triton)
        self._keeper.start()
        for loop in (self._watchdog, *([self._carrier] if self._carrier else self._workers)):
            loop.start()

    def stop(self) -> None:
        """Refuse new associations, finish what runs or leave it for the next start, close."""
        ends_at = monotonic() + self.settings.node.stop_seconds
        working = [self._clerk, self._keeper, *([self._carrier] if self._carrier else self._workers)]
        for loop in working:
            loop.ask_to_stop()
        if self._listener:
            self._listener.stop(max(0.0, ends_at - monotonic()))
        for feed in self._feeds:
            feed.stop(max(0.0, ends_at - monotonic()))
        for loop in working:
            loop.stop(max(0.0, ends_at - monotonic()))
        if self._reporter:
            self._reporter.stop(max(0.0, ends_at - monotonic()))
        self._hand_back()
        self._queries.close()
        if self._web:
            self._web.stop()
        if self._reception:
            self._reception.close()
        self._client.close()
        if self._triton:
            self._triton.stop()
        self._decoder.close()
        self.database.close()

    @property
    def reception(self) -> Reception:
        """The one function that receives; there once the node was started."""
        if self._reception is None:
            raise RuntimeError("the node was not started")
        return self._reception

    def _start_triton(self, triton: EmbeddedTriton) -> None:
        try:
            triton.start()
        except ModelUnavailable as failed:
            raise BadConfiguration(
                "triton.url", f"the embedded Triton did not start: {failed}", _TRITON_CURE
            ) from failed

    def _revive(self) -> None:
        if self._triton and not self._triton.alive:
            _log.warning("embedded Triton died; starting it again")
            self._triton.kill()
            self._triton.start()

    def _job_created(self) -> None:
        for loop in [self._carrier] if self._carrier else self._workers:
            loop.wake()

    def _hand_back(self) -> None:
        """What could not be finished in time is free for others at once, or for the next start."""
        self._watchdog.stop(_MOMENT_S)
        try:
            self._watchdog.leave()
        except StoreUnavailable as gone:
            _log.warning("jobs not handed back", reason=str(gone))

    def _built_carrier(self) -> Carrier | None:
        jobs = self.settings.jobs
        if jobs.engine == "rows":
            return None
        try:
            from node.adapters.engine.transact import Transact  # only where it is asked for: it takes a second
        except ImportError as missing:
            raise BadConfiguration(
                "jobs.engine", "DBOS is not installed", "pip install mricore-node[dbos]"
            ) from missing
        maker, deliverer = self._workers[0], self._workers[-1]
        queues = {"make": (maker, jobs.makers), "deliver": (deliverer, jobs.deliverers)}
        engine = Transact(self.settings.engine_url, self.settings.process_id)
        wanted = {queue: called for queue, called in queues.items() if called[1]}
        return Carrier(self.database, engine, wanted, self._clock)

    def _built_workers(self) -> list[Worker]:
        """Those that make results and those that deliver wait for different machines, and never for each other."""
        jobs, work = self.settings.jobs, self._work()
        limits = JobLimits(jobs.per_model, jobs.per_destination, jobs.models)
        owner = self.settings.process_id
        makes, delivers = Claimant(owner, True, False, limits), Claimant(owner, False, True, limits)
        makers = [
            Worker(f"maker {number}", self.database, work, self._clock, makes, self._job_created)
            for number in range(jobs.makers)
        ]
        return makers + [
            Worker(f"deliverer {number}", self.database, work, self._clock, delivers)
            for number in range(jobs.deliverers)
        ]

    def _alive(self) -> list[str]:
        return [] if self._listener else ["the DICOM listener is not open"]

    def _admission(self) -> Admission:
        settings = self.settings
        sources = [
            Source(one.name, one.ae_title, one.hosts, one.certificate_name) for one in settings.source if one.ae_title
        ]
        anybody = settings.dicom.accept == "any"
        return Admission(
            settings.node.ae_title, anybody, sources, lambda ae, host: sender_rows.is_admitted(self.database, ae, host)
        )

    def _note(self, caller: Caller, refused: Refusal | None) -> None:
        sender_rows.note_sender(
            self.database,
            calling_ae=caller.calling_ae[:64],
            host=caller.host[:64],
            at=self._clock(),
            admitted=refused is None or refused.transient,
            reason=refused.sentence if refused else "",
        )

    def _publish_rules(self) -> None:
        files = read_rule_files(self.settings.rules.directory)
        rule_rows.keep(
            self.database,
            self.rule_set.version,
            files,
            author="node",
            reason="read from rules.directory at start",
            now=self._clock(),
        )

    def _built_feeds(self, reception: Reception) -> list[Feed]:
        feeds: list[Feed] = []
        for one in self.settings.source:
            if one.kind == "orthanc":
                orthanc = Orthanc(one.url, one.user, one.password.get_secret_value())
                host = urlsplit(one.url).hostname or ""
                source = OrthancSource(one.name, host, frozenset(one.modalities), one.poll_seconds)
                feeds.append(OrthancChanges(source, orthanc, self.database, reception, self._clock))
            elif one.kind == "folder":
                settle, delete = timedelta(seconds=one.settle_seconds), one.received == "delete"
                folder = FolderSource(one.name, one.path or Path(), settle, one.poll_seconds, delete)
                feeds.append(WatchedFolder(folder, reception, self._clock))
        return feeds

    def _services(self) -> list[Service]:
        services = [mpps(ProcedureSteps(self.database, self._clock, self._clerk.wake))]
        if self.settings.commitment.enabled:
            commitments = Commitments(self.database, self.files, self._clock, _reports(self.settings), self._report)
            self._reporter = Reporter(commitments, self._clock)
            services.append(commitment(commitments))
        if any(one.proof == "commitment" for one in self.settings.destination):
            services.append(commitment_reports(self._delivering.promises))
        return services

    def _report(self) -> None:
        if self._reporter:
            self._reporter.wake()

    def _look(self, series_instance_uid: str) -> None:
        if evidence_rows.look_now(self.database, [series_instance_uid], self._clock()):
            self._clerk.wake()

    def _completion(self) -> Completion:
        evidence = Evidence(self.database, self._queries, self._clock)
        return Completion(
            database=self.database,
            files=self.files,
            clock=self._clock,
            rule_set=lambda: self.rule_set,
            policy=self._policy,
            known=evidence.known,
            learn=evidence.learn,
        )

    def _policy(self, calling_ae: str) -> Policy:
        completion = self.settings.completion
        # Feeds have no AE title: their name stands in the ledger for it.
        sources = [one for one in self.settings.source if calling_ae == (one.ae_title or one.name)]
        mine = (one.quiet_seconds for one in sources if one.quiet_seconds)
        return Policy(
            quiet_seconds=next(mine, completion.quiet_seconds),
            settle_seconds=completion.settle_seconds,
            grid_seconds=completion.grid_seconds,
            longest_seconds=completion.longest_seconds,
        )

    def _delivery(self) -> Delivering:
        settings = self.settings
        built = [build_destination(one, settings.node.ae_title) for one in settings.destination]
        return Delivering(
            self.database,
            self.results,
            {one.name: one for one in built},
            self._clock,
            policies={one.name: _policy(one) for one in settings.destination},
            groups={group.name: group.members for group in settings.destination_group},
        )

    def _work(self) -> Work:
        return Work(
            database=self.database,
            files=self.files,
            results=self.results,
            decoder=self._decoder,
            models=self.models,
            delivery=self._delivering,
            clock=self._clock,
            device_serial_number=self.settings.node.ae_title,
        )


_MOMENT_S = 5.0  # for the watchdog's last step
_TRITON_CURE = "See its log; or set triton.url to a server that runs"


def _read_rules(settings: Settings, models: tuple[Model, ...]) -> RuleSet:
    files = read_rule_files(settings.rules.directory)
    rule_set = parse_rule_set(files)
    cards = {model.card.name: model.card for model in models}
    for mistake in check_rule_set(files, models=cards, destinations=settings.destination_names):
        _log.warning("rules", reason=str(mistake))
    return rule_set


def _triton(settings: Settings, models: tuple[Model, ...]) -> EmbeddedTriton | None:
    if settings.triton.url != "embedded":
        return None
    names = [model.card.name for model in models]
    return EmbeddedTriton(settings.triton.models, settings.node.data_dir / "triton", models=names)


def _client(settings: Settings, embedded: EmbeddedTriton | None) -> TritonClient:
    if embedded:
        return TritonClient(embedded.url, token=embedded.token)
    url = settings.triton.url
    if not url.startswith("grpc://"):
        raise BadConfiguration("triton.url", f"{url!r} is neither embedded nor grpc://host:port")
    return TritonClient(url.removeprefix("grpc://"), token=settings.triton.token or None)


def build_destination(settings: DestinationSettings, calling_ae: str) -> Destination:
    """The adapter of a [[destination]]. Raises BadConfiguration when its TLS files are no good."""
    one, reads_back = settings, settings.proof == "query"
    password = one.password.get_secret_value()
    tls = _client_tls(one) if one.tls or one.tls_ca or one.tls_certificate else None
    match one.kind:
        case "folder":
            return Folder(one.name, one.path or Path())
        case "stow":
            token = one.token.get_secret_value()
            server = HttpServer(one.url, one.user, password, token, one.timeout_seconds, tls)
            return StowServer(one.name, server, reads_back=reads_back)
        case "orthanc":
            orthanc = OrthancServer(one.url, one.user, password, one.timeout_seconds)
            return OrthancDestination(one.name, orthanc, labels=one.labels, reads_back=reads_back)
        case "dicom":
            peer = Peer(one.ae_title or "", one.host, one.port, calling_ae, one.timeout_seconds, tls)
            return DicomPeer(one.name, peer, reads_back=reads_back)


def _policy(one: DestinationSettings) -> DeliveryPolicy:
    return DeliveryPolicy(
        windows=tuple(Window.read(window) for window in one.windows),
        max_parallel=one.max_parallel,
        proof=Proof(one.proof),
        commitment=timedelta(seconds=one.commitment_seconds),
    )


def _client_tls(one: DestinationSettings) -> SSLContext:
    where = f"destination {one.name}: tls_ca, tls_certificate, tls_key"
    return client_context(where, one.tls_ca, one.tls_certificate, one.tls_key)


def _reports(settings: Settings) -> dict[str, RemoteAE]:
    mine = settings.node.ae_title
    told = [(one.ae_title, one.commitment) for one in settings.source if one.commitment and one.ae_title]
    return {ae: RemoteAE(ae, at.host, at.port, mine, at.timeout_seconds) for ae, at in told}


def _queries(settings: Settings) -> dict[str, RemoteAE]:
    mine = settings.node.ae_title
    asked = [(one.ae_title, one.query) for one in settings.source if one.query and one.ae_title]
    return {ae: RemoteAE(at.ae_title, at.host, at.port, mine, at.timeout_seconds) for ae, at in asked}


def _certificates(settings: Settings) -> Certificates | None:
    dicom = settings.dicom
    if dicom.tls_port is None or dicom.tls_certificate is None or dicom.tls_key is None:
        return None
    return Certificates(dicom.tls_certificate, dicom.tls_key, dicom.tls_ca)


def _limits(settings: Settings) -> Limits:
    dicom = settings.dicom
    return Limits(dicom.max_associations, dicom.max_pdu, dicom.stall_seconds)
