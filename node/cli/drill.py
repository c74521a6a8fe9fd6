"""`mricore-node drill`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from node.cli import config_option
from node.core.drill import EXERCISES


@click.command()
@click.argument("names", nargs=-1)
@config_option
@click.option("--list", "only_list", is_flag=True, help="List the exercises, and do nothing.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the pass sheet (PDF) there.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write outcomes there.")
def drill(
    names: tuple[str, ...], config: Path | None, only_list: bool, out: Path | None, json_file: Path | None
) -> None:
    """Break things on purpose, with phantom data, and see that the node does what it has to.

    NAMES are exercises; without any, all of them are done: about five minutes. A second node is drilled, in a process
    and on a scratch folder of its own, with the same program, model and settings of work: the node that runs is
    neither stopped nor sent anything. The pass sheet is for the site's risk file.

    Exit status 0 when every exercise passed, 1 when one failed.
    """
    if only_list:
        for one in EXERCISES:
            click.echo(f"{one.name:14} {one.title}. {one.done}\n{'':15}Expected: {one.expected}")
        return
    from contextlib import suppress

    from node.adapters.database import Database
    from node.app.clock import utc_now
    from node.app.drill.running import Drill
    from node.app.places import Places
    from node.config import load
    from node.errors import NodeError

    settings = load(config)
    database = Database(settings.database_url)
    outcomes: list[dict[str, Any]] = []
    passed = False
    try:
        with suppress(NodeError):
            database.migrate()
        one_drill = Drill(Places(settings, database), database, utc_now)
        for line in one_drill.lines(names):
            _tell(line)
            if "seen" in line:
                outcomes.append(line)
            passed = line.get("passed", False) if "sum" in line else passed
        if out and outcomes:
            out.write_bytes(one_drill.last())
            click.echo(f"the sheet is {out}")
        if json_file:
            json_file.write_text(json.dumps(outcomes, indent=2, ensure_ascii=False), encoding="utf-8")
    finally:
        database.close()
    if not passed:
        raise click.exceptions.Exit(1)


def _tell(line: dict[str, Any]) -> None:
    if "says" in line:
        click.echo(f"          {line['says']}")
    elif "begins" in line:
        click.echo(f"          {line['begins']} begins")
    elif "fault" in line:
        click.echo(f"FAILED    {line['fault']}")
    elif "seen" in line:
        click.echo(
            f"{'passed' if line['passed'] else 'FAILED'}    {line['name']} ({line['seconds']:.0f} s): {line['seen']}"
        )
    else:
        word = "passed" if line["passed"] else "FAILED"
        click.echo(f"{word}    {line['sum']} exercises; {line['traces']} of their series are among those of the node")
