"""`mricore-node check`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from node.adapters.database import Database
from node.app.clock import utc_now
from node.app.places import Places
from node.cli import config_option, json_option
from node.cli.lines import tell
from node.cli.tables import show_json
from node.config import load
from node.core.inspection import Seen, Verdict
from node.errors import NodeError
from node.pipeline.checking import look_at


@click.command()
@config_option
@json_option
@click.option("--ledger", is_flag=True, help="Also follow the whole ledger's chain and look at every stored file.")
def check(config: Path | None, as_json: bool, ledger: bool) -> None:
    """Check everything this node needs: one line each, with the cure where something is wrong.

    Configuration, database and ledger, disk speed and room, memory, clock, ports, certificates, permissions, rules,
    models, Triton's canary, feeds, and what each destination takes. Nothing is stored anywhere; every look is bounded
    in time. Safe beside a running node.

    Exit status 0 when nothing failed, 1 when something did, 2 when the configuration cannot be used.
    """
    settings = load(config)
    from node.app.checking import all_parts  # only here: it takes a second

    database = Database(settings.database_url)
    seen: list[Seen] = []
    try:
        with suppress(NodeError):  # its own line tells why
            database.migrate()
        for one in look_at(all_parts(Places(settings, database), database, utc_now, ledger=ledger)):
            seen.append(one)
            if not as_json:
                tell(one)
    finally:
        database.close()
    if as_json:
        show_json([{**vars(one), "ok": one.verdict is not Verdict.FAILED} for one in seen])
    else:
        click.echo(_sum(seen))
    if any(one.verdict is Verdict.FAILED for one in seen):
        raise click.exceptions.Exit(1)


def _sum(seen: list[Seen]) -> str:
    counted = {verdict: sum(one.verdict is verdict for one in seen) for verdict in Verdict}
    return f"{counted[Verdict.OK]} ok, {counted[Verdict.ATTENTION]} need attention, {counted[Verdict.FAILED]} failed"
