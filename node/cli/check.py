"""`mricore-node check`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import click

from node.adapters.database import Database, feeds
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.series import missing_files
from node.adapters.destinations import Probing
from node.adapters.objects import kept_size
from node.adapters.rule_files import read_rule_files
from node.adapters.triton import EmbeddedTriton, TritonClient, read_repository
from node.app import build_destination, build_store
from node.cli import config_option, json_option
from node.cli.rules import mistakes_of
from node.cli.rules.opening import versions_of
from node.cli.tables import moment, show_json
from node.config import DestinationSettings, Settings, load
from node.core.rules import Severity
from node.errors import BadConfiguration, NodeError
from node.pipeline.rule_sets.start import look_at


@dataclass(frozen=True)
class Finding:
    """One line of the check."""

    part: str
    ok: bool
    sentence: str  # what was seen, with the cure where something is wrong


@click.command()
@config_option
@json_option
@click.option("--ledger", is_flag=True, help="Also follow the whole ledger's chain and look at every stored file.")
def check(config: Path | None, as_json: bool, ledger: bool) -> None:
    """Check everything this node needs: one line each, with the cure where something is wrong.

    Configuration, database and ledger balance, disk, rules, models, Triton's canary, and C-ECHO to every
    destination. Exit status 0 when all is well, 1 when something is not, 2 when the configuration cannot be used.
    """
    settings = load(config)
    findings = [_found(part, look) for part, look in _parts(settings, ledger)]
    if as_json:
        show_json(findings)
    for one in () if as_json else findings:
        click.echo(f"{'ok  ' if one.ok else 'BAD '} {one.part}: {one.sentence}")
    if not all(one.ok for one in findings):
        raise click.exceptions.Exit(1)


def _found(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, look())
    except NodeError as fault:
        return Finding(part, False, str(fault))


def _parts(settings: Settings, ledger: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "configuration", lambda: f"AE title {settings.node.ae_title}, data in {settings.node.data_dir}"
    yield "database", lambda: _database(settings)
    yield "ledger", lambda: _ledger(settings, ledger)
    yield "disk", lambda: _disk(settings)
    yield "rules", lambda: _rules(settings)
    yield "models", lambda: _models(settings)
    yield "triton", lambda: _triton(settings)
    for feed in settings.source:
        if feed.kind != "dicom":
            yield f"source {feed.name}", lambda name=feed.name: _feed(name, settings)  # type: ignore[misc]
    for one in settings.destination:
        yield f"destination {one.name}", lambda one=one: _destination(one, settings)  # type: ignore[misc]


def _database(settings: Settings) -> str:
    database = Database(settings.database_url)
    database.migrate()
    return f"{database.engine.dialect.name} answers, its tables are of this release"


def _ledger(settings: Settings, whole: bool) -> str:
    database = Database(settings.database_url)
    found = balance(database)
    if found.residue:
        raise BadConfiguration(
            "ledger",
            f"{found.residue} acknowledged instances cannot be accounted for",
            "Run check --ledger, keep the data",
        )
    told = (
        f"{found.received} received = {found.delivered} delivered + {found.filtered} filtered"
        f" + {found.waiting} waiting + {found.held} held + {found.failed} failed"
    )
    return f"{told}; {_whole_ledger(database, settings)}" if whole else told


def _whole_ledger(database: Database, settings: Settings) -> str:
    broken = broken_chains(database)
    if broken:
        chain, numbers = next(iter(broken.items()))
        raise BadConfiguration("ledger", f"line {numbers[0]} of {chain} was changed or is missing", "Restore a backup")
    files, _ = build_store(settings)
    missing = missing_files(database, partial(kept_size, files))
    if missing:
        raise BadConfiguration(
            "ledger", f"{len(missing)} stored files are missing or of another size, e.g. {missing[0]}"
        )
    return "its chain is whole and every stored file is there"


def _disk(settings: Settings) -> str:
    files, _ = build_store(settings)
    room = files.room()
    if room < 0:
        raise BadConfiguration(
            "storage.low_watermark", "less disk is free than that: nothing is accepted", "Make room or lower it"
        )
    return f"{room / 1e9:.1f} GB above the low watermark"


def _rules(settings: Settings) -> str:
    files = read_rule_files(settings.rules.directory)
    mistakes = mistakes_of(files, settings)
    for mistake in mistakes:
        if mistake.severity is Severity.ERROR:
            raise mistake.error()
    warnings = f", {len(mistakes)} warnings (see `rules check`)" if mistakes else ""
    folder = look_at(versions_of(settings, Database(settings.database_url)), files).sentence
    return f"{len(files)} files in {settings.rules.directory}{warnings}; {folder}"


def _models(settings: Settings) -> str:
    models = read_repository(settings.triton.models)
    return ", ".join(f"{model.card.name} {model.card.version}" for model in models) + ": cards and weights agree"


def _triton(settings: Settings) -> str:
    models = read_repository(settings.triton.models)
    if settings.triton.url != "embedded":
        with TritonClient(settings.triton.url.removeprefix("grpc://"), token=settings.triton.token.get_secret_value() or None) as client:
            for model in models:
                client.canary(model)
        return f"{settings.triton.url} gives the known answers"
    names = [model.card.name for model in models]
    with (
        EmbeddedTriton(settings.triton.models, settings.node.data_dir / "triton-check", models=names) as server,
        TritonClient(server.url, token=server.token) as client,
    ):
        for model in models:
            client.canary(model)
    return "the embedded server starts and gives the known answers"


def _feed(name: str, settings: Settings) -> str:
    """What the running node noted of a feed."""
    state = next((one for one in feeds.states(Database(settings.database_url)) if one.name == name), None)
    if state is None:
        return "has not brought anything yet"
    if state.fault:
        raise BadConfiguration(f"source {name}", f"{state.fault} (since {moment(state.at)})")
    if state.missed:
        raise BadConfiguration(
            f"source {name}",
            f"{state.missed} instances could not be fetched",
            "docs/ways-in.md tells what a missed instance is",
        )
    return f"last brought something {moment(state.at)}"


def _destination(one: DestinationSettings, settings: Settings) -> str:
    if one.kind == "folder":
        path = one.path or Path()
        if path.exists() and not path.is_dir():
            raise BadConfiguration(f"destination {one.name}: path", f"{path} is not a folder")
        return f"folder {path}"
    host, port = (one.host, one.port) if one.kind == "dicom" else (urlsplit(one.url).hostname or "", 0)
    try:
        socket.getaddrinfo(host, port)
    except OSError as unknown:
        raise BadConfiguration(f"destination {one.name}", f"{host} cannot be resolved") from unknown
    destination = build_destination(one, settings.node.ae_title)
    if not isinstance(destination, Probing):
        return f"{host} has an address; `destinations test {one.name}` stores a synthetic report there"
    destination.probe()
    if one.kind == "dicom":
        return f"{one.ae_title}@{one.host}:{one.port} answers C-ECHO"
    return f"{host} answers"
