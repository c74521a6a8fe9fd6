"""`mricore-node jobs`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import click

from node.adapters.database import Database, pauses
from node.adapters.database import processes as process_rows
from node.adapters.database.job_list import Wanted
from node.app.clock import utc_now
from node.cli import config_option, integer, json_option
from node.cli.tables import likeness, moment, show, show_json
from node.config import load
from node.core.states import JobState
from node.pipeline import jobs as actions
from node.pipeline.forms import Choice
from node.pipeline.rerouting import Rerouting

_ACTOR = "command line"


@click.group()
def jobs() -> None:
    """What the node is working on, and what became of it."""


@jobs.command("list")
@config_option
@json_option
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@click.option("--model", help="Only jobs of this model.")
@click.option("--destination", help="Only jobs for this destination or group.")
@click.option("--priority", type=click.Choice(["stat", "routine", "low"]), help="Only jobs of this priority.")
@click.option("--text", help="Accession number, patient ID or a UID; or part of the patient's name.")
@click.option("--before", type=integer, help="Only jobs older than this one.")
@click.option("--limit", default=50, show_default=True, help=f"At most so many, newest first; {actions.MOST} at most.")
def list_jobs(config: Path | None, as_json: bool, before: int | None, limit: int, **wanted: str | None) -> None:
    """List jobs, newest first."""
    state = JobState(chosen) if (chosen := wanted.pop("state")) else None
    page = actions.list_jobs(
        _database(config),
        Wanted(state, wanted["model"], wanted["destination"], wanted["priority"], wanted["text"]),
        before,
        limit,
    )
    if as_json:
        show_json([vars(one) for one in page.jobs])
        return
    show(
        ("job", "state", "stage", "priority", "model", "volume", "rule", "reason"),
        [
            (one.id, one.state, one.stage, one.priority, one.model, one.volume, one.rule, one.reason)
            for one in page.jobs
        ],
    )
    if page.before:
        click.echo(f"older ones: --before {page.before}")


@jobs.command("show")
@click.argument("job_id", type=integer)
@config_option
@json_option
def show_job(job_id: int, config: Path | None, as_json: bool) -> None:
    """Show one job: its history, its results, and what each destination answered."""
    story = actions.show(_database(config), job_id)
    mine = story.job
    if as_json:
        show_json(mine)
        return
    apart = ("results", "deliveries", "likeness", "inputs", "made", "sent")
    show(("", ""), [(name, value) for name, value in vars(mine).items() if name not in apart])
    if mine.likeness:
        click.echo(likeness(mine.likeness))
    if mine.inputs:
        show(("input", "series"), mine.inputs)
    show(("kind", "file"), mine.results)
    show(("kind", "destination", "state", "answer"), mine.deliveries)
    show(("when", "what", "why"), [(moment(one.at), one.what, one.why) for one in story.history])


@jobs.command()
@click.argument("job_id", type=integer)
@config_option
def retry(job_id: int, config: Path | None) -> None:
    """Try a failed, canceled, held or not processable job again."""
    actions.retry(_database(config), job_id, _ACTOR, utc_now())
    click.echo(f"job {job_id} is scheduled")


@jobs.command()
@click.argument("job_id", type=integer)
@click.option("--reason", default="canceled on request", show_default=True, help="Kept with the job.")
@config_option
def cancel(job_id: int, reason: str, config: Path | None) -> None:
    """Cancel a job that is not finished. What was delivered stays delivered."""
    actions.cancel(_database(config), job_id, reason, _ACTOR, utc_now())
    click.echo(f"job {job_id} is canceled")


@jobs.command()
@click.argument("job_id", type=integer)
@click.option("--to", "destinations", multiple=True, help="A destination or group; none: all that the job had.")
@click.option("--instead", is_flag=True, help="Give up what waits for other destinations, or was refused there.")
@click.option("--reason", default="sent again on request", show_default=True, help="Kept with the job.")
@config_option
def reroute(job_id: int, destinations: tuple[str, ...], instead: bool, reason: str, config: Path | None) -> None:
    """Send the results of a job to other destinations, or once more. Nothing is inferred anew."""
    from node.app.destinations import wanted_forms
    from node.app.places import Places

    settings, database = load(config), _database(config)
    now = Places(settings, database).settings()
    choice = Choice(database, wanted_forms(now))
    rerouting = Rerouting(database, lambda: now.destination_names, choice, utc_now)
    rerouting.reroute(job_id, destinations, reason, _ACTOR, instead=instead)
    click.echo(f"the results of job {job_id} are on their way")


@jobs.command()
@click.option("--model", "models", multiple=True, help="This model gets no more jobs.")
@click.option("--destination", "destinations", multiple=True, help="This destination gets no more objects.")
@config_option
def pause(models: tuple[str, ...], destinations: tuple[str, ...], config: Path | None) -> None:
    """Begin no more jobs of a model, or send no more to a destination. What is in progress goes on.

    Without an option: show what is paused.
    """
    database = _database(config)
    if not models and not destinations:
        found = actions.paused(database)
        show(("paused", "name", "since", "by"), [(one.kind, one.name, moment(one.at), one.actor) for one in found])
        return
    for kind, name in _named(models, destinations):
        there = actions.pause(database, kind, name, _ACTOR, utc_now())
        click.echo(f"{kind} {name} is paused" if there else f"{kind} {name} was paused already")


@jobs.command()
@click.option("--model", "models", multiple=True, help="This model gets jobs again.")
@click.option("--destination", "destinations", multiple=True, help="This destination gets objects again.")
@config_option
def resume(models: tuple[str, ...], destinations: tuple[str, ...], config: Path | None) -> None:
    """End a pause: what waited for it is due at once."""
    if not models and not destinations:
        raise click.UsageError("name a --model or a --destination; `mricore-node jobs pause` shows what is paused")
    database = _database(config)
    groups = _groups(config, database) if destinations else {}
    for kind, name in _named(models, destinations):
        there = actions.resume(database, kind, name, utc_now(), _ACTOR, groups)
        click.echo(f"{kind} {name} goes on" if there else f"{kind} {name} was not paused")


@jobs.command()
@config_option
@json_option
def processes(config: Path | None, as_json: bool) -> None:
    """List the processes that work, with the seconds since each one's last sign of life."""
    living = process_rows.living(_database(config))
    if as_json:
        show_json(living)
        return
    show(("process", "seconds"), [(name, f"{silent:.1f}") for name, silent in sorted(living.items())])


def _named(models: tuple[str, ...], destinations: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(pauses.MODEL, one) for one in models] + [(pauses.DESTINATION, one) for one in destinations]


def _groups(config: Path | None, database: Database) -> Mapping[str, Collection[str]]:
    from node.app.destinations import groups_of
    from node.app.places import Places

    return groups_of(Places(load(config), database).settings())


def _database(config: Path | None) -> Database:
    database = Database(load(config).database_url)
    database.migrate()
    return database
