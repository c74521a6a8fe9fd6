"""Rules, models, Triton."""

from __future__ import annotations

import secrets
import shutil
from datetime import timedelta
from functools import partial

from node.adapters.database import Database, model_reports, processes
from node.adapters.rule_files import read_rule_files
from node.adapters.triton import EmbeddedTriton, TritonClient, read_repository
from node.app.clock import Clock
from node.app.places import Places
from node.app.rules import build_versions
from node.config import Settings
from node.core.inspection import Verdict
from node.core.rules import Severity
from node.pipeline.checking import Looked, Part
from node.pipeline.rule_sets.start import look_at

_TRITON_S = 180.0
_FRESH = timedelta(minutes=2)  # a report is written every few seconds


def work_parts(places: Places, database: Database, clock: Clock, *, starts: bool) -> list[Part]:
    """`starts`: whether an embedded Triton may be started where none runs."""
    settings = places.file
    return [
        Part("rules", partial(_rules, places, database, clock), 60),
        Part("models", partial(_models, settings), 60),
        Part("triton", partial(_triton, settings, database, clock, starts), _TRITON_S, _CURE),
        Part("processes", partial(_processes, database)),
    ]


_CURE = "See its log below data_dir; or set triton.url to a server that runs"


def _rules(places: Places, database: Database, clock: Clock) -> Looked:
    files = read_rule_files(places.file.rules.directory)
    versions = build_versions(places, database, clock)
    mistakes = versions.check(files)
    for mistake in mistakes:
        if mistake.severity is Severity.ERROR:
            raise mistake.error()
    folder = look_at(versions, files).sentence
    told = f"{len(files)} files in {places.file.rules.directory}; {folder}"
    if mistakes:
        return Looked(Verdict.ATTENTION, f"{told}; {len(mistakes)} warnings", "See `mricore-node rules check`")
    return Looked(Verdict.OK, told)


def _models(settings: Settings) -> str:
    models = read_repository(settings.triton.models)
    return ", ".join(f"{model.card.name} {model.card.version}" for model in models) + ": cards and weights agree"


def _reported(database: Database, clock: Clock) -> Looked | None:
    """What processes that run say of their canaries; None where none does."""
    reports = [one for one in model_reports.of_the_living(database) if clock() - one.at < _FRESH]
    if not reports:
        return None
    if any(one.canary_at is None for one in reports):
        return Looked(Verdict.ATTENTION, "the node that runs has not asked its canaries yet", "Look again in a minute")
    if faults := [f"{one.model}: {one.fault}" for one in reports if one.fault]:
        return Looked(Verdict.FAILED, "; ".join(faults), _CURE)
    names = ", ".join(dict.fromkeys(one.model for one in reports))
    return Looked(Verdict.OK, f"the node that runs has the known answers of {names}")


def _triton(settings: Settings, database: Database, clock: Clock, starts: bool) -> Looked | str:
    if reported := _reported(database, clock):
        return reported
    models = read_repository(settings.triton.models)
    if settings.triton.url == "embedded" and not starts:
        return Looked(Verdict.NOT_ASKED, "no process that infers says how its models are")
    if settings.triton.url != "embedded":
        token = settings.triton.token.get_secret_value() or None
        with TritonClient(settings.triton.url.removeprefix("grpc://"), token=token) as client:
            for model in models:
                client.canary(model)
        return f"{settings.triton.url} gives the known answers"
    names = [model.card.name for model in models]
    work = settings.node.data_dir / f"triton-check-{secrets.token_hex(4)}"
    try:
        with (
            EmbeddedTriton(settings.triton.models, work, models=names) as server,
            TritonClient(server.url, token=server.token) as client,
        ):
            for model in models:
                client.canary(model)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return "the embedded server starts and gives the known answers"


def _processes(database: Database) -> Looked:
    living = processes.living(database)
    if not living:
        return Looked(Verdict.NOT_ASKED, "no process of the node runs")
    return Looked(Verdict.OK, f"{len(living)} with a sign of life: {', '.join(sorted(living)[:8])}")
