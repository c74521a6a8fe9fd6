"""Working: from a series that waits to a result that was delivered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import structlog

from node.adapters.association import RemoteAE
from node.adapters.database import Database, leases
from node.adapters.database import evidence as evidence_rows
from node.adapters.database.claims import Claimant
from node.adapters.decoding import Decoder
from node.adapters.files import Files
from node.adapters.objects import ResultFiles
from node.adapters.telemetry import Tracing
from node.adapters.triton import EmbeddedTriton, Model, TritonClient, read_repository
from node.adapters.triton.repository import ensembles
from node.app.clock import Clock
from node.app.destinations import wanted_forms
from node.app.places import LiveMapping, Places
from node.app.rules import Rules
from node.app.telemetry import build_tracing
from node.config import Settings
from node.core.completion import Policy
from node.core.jobs import Limits
from node.errors import BadConfiguration, ModelUnavailable
from node.pipeline.completion import Completion
from node.pipeline.delivery import Delivering
from node.pipeline.evidence import Evidence, SourceQueries
from node.pipeline.features import KeptFeatures
from node.pipeline.models import Models
from node.pipeline.retention import Retention
from node.pipeline.work import Work
from node.worker import Carrier, Clerk, Housekeeper, Loop, ModelKeeper, Worker

_log = structlog.get_logger(__name__)

_TRITON_CURE = "See its log; or set triton.url to a server that runs"


class Working:
    """Rules, clerk, Triton and workers."""

    def __init__(
        self,
        places: Places,
        database: Database,
        files: Files,
        results: ResultFiles,
        clock: Clock,
        delivering: Delivering,
        tell: Callable[[], None],
    ) -> None:
        """Build it all; nothing runs yet. `tell` is called when another process may have a job to attempt.

        Raises BadConfiguration for rules or models that are wrong.
        """
        self._tell = tell
        self._places, settings = places, places.file
        self._settings, self._database, self._files, self._results = settings, database, files, results
        self._clock, self._delivering = clock, delivering
        on_disk = read_repository(settings.triton.models)
        self.rules = Rules(places, database, clock, on_disk)
        self._triton = _triton(settings, on_disk)
        self._tracing = build_tracing(settings)
        self._client = _client(settings, self._triton, self._tracing)
        features = KeptFeatures(settings.node.data_dir / "features")
        self.models = Models(on_disk, self._client, settings.triton.deadline_seconds, features, self._tracing)
        self._decoder = Decoder()
        self._queries = SourceQueries(LiveMapping(places, _queries), clock, answered=self._look)
        self._clerk = Clerk(self._completion(), clock, self.job_created)
        self._workers = self._built_workers()
        self._carrier = self._built_carrier()
        self._keeper = ModelKeeper(self.models, clock, self._revive)
        self._housekeeper = Housekeeper(database, self._retention(), clock, self._tidies_alone)

    @property
    def wake(self) -> Callable[[], None]:
        """Somebody may want to look at a series."""
        return self._clerk.wake

    def start(self) -> None:
        """Raises BadConfiguration when Triton cannot be started."""
        import_module("node.core.results.making")  # now, and not while the first job waits
        self._clerk.start()
        self.rules.keeper.start()
        if self._triton:
            self._start_triton(self._triton)
        self._keeper.start()
        self._housekeeper.start()
        for loop in [self._carrier] if self._carrier else self._workers:
            loop.start()

    def ask_to_stop(self) -> None:
        """Begin nothing new."""
        for loop in self._loops():
            loop.ask_to_stop()

    def stop(self, seconds_left: Callable[[], float]) -> None:
        """Finish what runs, or leave it for the next start."""
        for loop in self._loops():
            loop.stop(seconds_left())

    def close(self) -> None:
        self._queries.close()
        self._client.close()
        if self._triton:
            self._triton.stop()
        self._decoder.close()
        self._tracing.close()

    def _loops(self) -> list[Loop]:
        keepers = [self.rules.keeper, self._keeper, self._housekeeper]
        return [self._clerk, *keepers, *([self._carrier] if self._carrier else self._workers)]

    def _retention(self) -> Retention:
        storage = self._settings.storage
        return Retention(
            self._database,
            self._files,
            self._results,
            self._settings.results,
            self._clock,
            keep=timedelta(days=storage.keep_days) if storage.keep_days else None,
            wanted_free=None if self._settings.bucket else storage.low_watermark,  # copies make room themselves
        )

    def _tidies_alone(self) -> bool:
        return leases.hold(self._database, "retention", self._settings.process_id)

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

    def job_created(self) -> None:
        """There may be a job to attempt, here or elsewhere."""
        self.look_for_jobs()
        self._tell()

    def look_for_jobs(self) -> None:
        """There may be a job to attempt here."""
        for loop in [self._carrier] if self._carrier else self._workers:
            loop.wake()

    def _built_carrier(self) -> Carrier | None:
        jobs = self._settings.jobs
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
        engine = Transact(self._settings.engine_url, self._settings.process_id)
        wanted = {queue: called for queue, called in queues.items() if called[1]}
        return Carrier(self._database, engine, wanted, self._clock)

    def _built_workers(self) -> list[Worker]:
        """Those that make results and those that deliver wait for different machines, and never for each other."""
        jobs, work = self._settings.jobs, self._work()
        limits = Limits(jobs.per_model, jobs.per_destination, jobs.models)
        owner = self._settings.process_id
        makes, delivers = Claimant(owner, True, False, limits), Claimant(owner, False, True, limits)
        makers = [
            Worker(f"maker {number}", self._database, work, self._clock, makes, self.job_created)
            for number in range(jobs.makers)
        ]
        return makers + [
            Worker(f"deliverer {number}", self._database, work, self._clock, delivers)
            for number in range(jobs.deliverers)
        ]

    def publish_rules(self) -> None:
        """Before anything comes in: these are the rules."""
        self.rules.arrive()

    def _look(self, series_instance_uid: str) -> None:
        if evidence_rows.look_now(self._database, [series_instance_uid], self._clock()):
            self._clerk.wake()

    def _reconsider(self, series_instance_uid: str, version: int) -> int:
        added = self._completion().reconsider(series_instance_uid, version)
        if added:
            self.job_created()
        return added

    def _completion(self) -> Completion:
        evidence = Evidence(self._database, self._queries, self._clock)
        return Completion(
            database=self._database,
            files=self._files,
            clock=self._clock,
            rule_set=self.rules.in_use,
            keep=self.rules.keep,
            policy=self._policy,
            known=evidence.known,
            learn=evidence.learn,
            tracing=self._tracing,
        )

    def _policy(self, calling_ae: str) -> Policy:
        completion = self._settings.completion
        # Feeds have no AE title: their name stands in the ledger for it.
        sources = [one for one in self._places.settings().source if calling_ae == (one.ae_title or one.name)]
        mine = (one.quiet_seconds for one in sources if one.quiet_seconds)
        return Policy(
            quiet_seconds=next(mine, completion.quiet_seconds),
            settle_seconds=completion.settle_seconds,
            grid_seconds=completion.grid_seconds,
            longest_seconds=completion.longest_seconds,
        )

    def _work(self) -> Work:
        return Work(
            database=self._database,
            files=self._files,
            results=self._results,
            decoder=self._decoder,
            models=self.models,
            delivery=replace(self._delivering, tracing=self._tracing),
            tracing=self._tracing,
            clock=self._clock,
            device_serial_number=self._settings.node.ae_title,
            reconsider=self._reconsider,
            objection=self._completion().objection,
            asked=LiveMapping(self._places, wanted_forms, looks_again=True),
        )


def _triton(settings: Settings, models: tuple[Model, ...]) -> EmbeddedTriton | None:
    if settings.triton.url != "embedded":
        return None
    names = [*(model.card.name for model in models), *ensembles(settings.triton.models)]
    return EmbeddedTriton(settings.triton.models, settings.node.data_dir / "triton", models=names)


def _client(settings: Settings, embedded: EmbeddedTriton | None, tracing: Tracing) -> TritonClient:
    if embedded:
        return TritonClient(embedded.url, token=embedded.token, trace=tracing.headers)
    url = settings.triton.url
    if not url.startswith("grpc://"):
        raise BadConfiguration("triton.url", f"{url!r} is neither embedded nor grpc://host:port")
    token = settings.triton.token.get_secret_value() or None
    return TritonClient(url.removeprefix("grpc://"), token=token, trace=tracing.headers)


def _queries(settings: Settings) -> dict[str, RemoteAE]:
    mine = settings.node.ae_title
    asked = [(one.ae_title, one.query) for one in settings.source if one.query and one.ae_title]
    return {ae: RemoteAE(at.ae_title, at.host, at.port, mine, at.timeout_seconds) for ae, at in asked}
