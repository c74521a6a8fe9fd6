"""`mricore-node trace`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.trace import SeriesLine, find
from node.cli import config_option, json_option
from node.cli.tables import likeness, moment, show, show_json
from node.config import load


@click.command()
@click.argument("text")
@config_option
@json_option
def trace(text: str, config: Path | None, as_json: bool) -> None:
    """Show what happened to TEXT: an accession number, patient ID, part of a name, or a UID.

    From the first byte to the last delivery: what was received, what completed the series, what each rule said,
    each job with its results, and what each destination answered. Exit status 1 when nothing is found.
    """
    database = Database(load(config).database_url)
    database.migrate()
    found = find(database, text)
    if as_json:
        studies = sorted({line.study_instance_uid for line in found})
        counted = {uid: balance(database, uid) for uid in studies}
        balances = {uid: vars(one) | {"residue": one.residue} for uid, one in counted.items()}
        show_json({"series": found, "balance": balances})
    for line in () if as_json else found:
        _print(line)
    if not found:
        click.echo("nothing was received under this accession number, patient ID, name or UID", err=True)
        raise click.exceptions.Exit(1)


def _print(line: SeriesLine) -> None:
    received = ", ".join(f"{number} {disposition}" for disposition, number in sorted(line.received.items()))
    click.echo(f"series {line.series_instance_uid}  {line.series_description}")
    show(
        ("", ""),
        [
            ("patient", f"{line.patient_name} ({line.patient_id}), accession {line.accession_number}"),
            ("received", f"{received} from {line.calling_ae}, {moment(line.first_at)} to {moment(line.last_at)}"),
            ("state", f"{line.state}, version {line.version}" + (f": {line.reason}" if line.reason else "")),
            ("complete", f"{moment(line.completed_at)}  {line.evidence}"),
        ],
    )
    for event in line.history:
        click.echo(f"  {moment(event.at)}  {event.what}" + (f" – {event.why}" if event.why else ""))
    for rule in line.rules:
        click.echo(f"  rule: {rule['why']}")
    if line.tags:
        click.echo(f"  tags: {', '.join(line.tags)}")
    for by, recipients, text in line.notices:
        click.echo(f"  notice to {', '.join(recipients)}: {text} ({by})")
    for job in line.jobs:
        click.echo(f"  job {job.id}: {job.model} {job.model_version} {job.state} {job.reason}".rstrip())
        for need, uid in job.inputs:
            click.echo(f"    {need}: series {uid}")
        if job.likeness:
            click.echo(f"    {likeness(job.likeness)}")
        for segment in job.segments:
            click.echo(f"    {segment['label']}: {segment['volume_ml']} ml")
        for kind, destination, state, answer in job.deliveries:
            click.echo(f"    {kind} → {destination}: {state} {answer}".rstrip())
    click.echo("")
