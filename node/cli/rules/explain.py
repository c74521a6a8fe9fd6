"""`mricore-node rules explain`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from node.adapters.database import headers as kept_rows
from node.adapters.database import rules as rule_rows
from node.adapters.database import series as rows
from node.adapters.headers import read_header
from node.adapters.rule_files import read_rule_files
from node.cli import config_option
from node.cli.files import find
from node.cli.rules.opening import opened
from node.config import Settings
from node.core.kept import KeptSubject
from node.core.rules import Readable, decide, explain, parse_rule_set
from node.core.rules.mistakes import did_you_mean
from node.errors import Usage
from node.pipeline.completion import subject_of
from node.pipeline.rule_sets.versions import Versions


@click.command("explain")
@click.option("--series", required=True, metavar="PATH|UID", help="A folder of DICOM files, or a received series' UID.")
@click.option(
    "--rules", "source", metavar="DIR|VERSION", help="Rules to explain. Default: what is in use, else rules.directory."
)
@click.option("--rule", default="", metavar="NAME", help="Only this rule, even if another came first.")
@click.option("--show-identifying", is_flag=True, help="Show values that name a patient.")
@config_option
def explain_series(series: str, source: str | None, rule: str, show_identifying: bool, config: Path | None) -> None:
    """Explain what the rules say of a series: each rule, the clause that decided, the value it saw, and the smallest
    edit of the rule that would turn its answer.

    A series that came is explained from what is kept of its headers, as the rules saw it.
    """
    with opened(config) as (settings, versions):
        rule_set = parse_rule_set(_files(source, settings, versions))
        subject = _subject(series, settings, versions)
    if rule and all(one.name != rule for one in rule_set.rules):
        near = did_you_mean(rule, [one.name for one in rule_set.rules])
        raise Usage(f"--rule {rule}: there is no such rule. {near}".rstrip())
    for line in explain(decide(rule_set, subject), show_identifying=show_identifying, rule=rule):
        click.echo(line)


def _files(source: str | None, settings: Settings, versions: Versions) -> Mapping[str, str]:
    if source is not None and Path(source).is_dir():
        return read_rule_files(Path(source))
    if source is None and rule_rows.newest(versions.database) is None:
        return read_rule_files(settings.rules.directory)
    return versions.files(source)[1]


def _subject(series: str, settings: Settings, versions: Versions) -> Readable:
    if not Path(series).exists() and (kept := kept_rows.of_series(versions.database, series)):
        return KeptSubject(kept.cells)
    headers = [read_header(path) for path in _paths(series, settings, versions)]
    subject, _ = subject_of(
        [header.ds for header in headers], [header.facts for header in headers], calling_ae="", called_ae="", host=""
    )
    return subject


def _paths(series: str, settings: Settings, versions: Versions) -> list[Path]:
    if Path(series).exists():
        found = find([Path(series)])
        if not found.files:
            raise Usage(f"{series}: holds no DICOM file")
        return [path for path, _ in found.files]
    stored = rows.instances(versions.database, series)
    if not stored:
        raise Usage(f"--series {series}: neither a path nor a series that this node keeps")
    from node.app.store import build_store  # only here: it takes a second

    files, _ = build_store(settings)
    return [files.path(one.path) for one in stored]
