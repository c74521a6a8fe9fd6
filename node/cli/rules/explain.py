"""`mricore-node rules explain`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.database import Database
from node.adapters.database import series as rows
from node.adapters.headers import read_header
from node.adapters.rule_files import read_rule_files
from node.cli import config_option
from node.cli.files import find
from node.config import Settings, load
from node.core.rules import decide, explain, parse_rule_set
from node.errors import Usage
from node.pipeline.completion import subject_of


@click.command("explain")
@click.option("--series", required=True, metavar="PATH|UID", help="A folder of DICOM files, or a received series' UID.")
@click.option("--show-identifying", is_flag=True, help="Show values that name a patient.")
@config_option
def explain_series(series: str, show_identifying: bool, config: Path | None) -> None:
    """Explain what the rules say of a series: each rule, the clause that decided, the value it saw."""
    settings = load(config)
    paths = _paths(series, settings)
    headers = [read_header(path) for path in paths]
    subject, _ = subject_of(
        [header.ds for header in headers], [header.facts for header in headers], calling_ae="", called_ae="", host=""
    )
    rule_set = parse_rule_set(read_rule_files(settings.rules.directory))
    for line in explain(decide(rule_set, subject), show_identifying=show_identifying):
        click.echo(line)


def _paths(series: str, settings: Settings) -> list[Path]:
    if Path(series).exists():
        found = find([Path(series)])
        if not found.files:
            raise Usage(f"{series}: holds no DICOM file")
        return [path for path, _ in found.files]
    database = Database(settings.database_url)
    database.migrate()
    stored = rows.instances(database, series)
    if not stored:
        raise Usage(f"--series {series}: neither a path nor a series that this node keeps")
    return [settings.instances / one.path for one in stored]
