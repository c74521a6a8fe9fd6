"""Lines of a check, a test or a drill, as they come."""

from __future__ import annotations

import click

from node.core.inspection import Seen, Verdict

_WORDS = {
    Verdict.OK: "ok       ",
    Verdict.ATTENTION: "attention",
    Verdict.FAILED: "FAILED   ",
    Verdict.NOT_ASKED: "-        ",
}


def tell(one: Seen) -> None:
    """Print one, with its cure below it."""
    click.echo(f"{_WORDS[one.verdict]} {one.part}: {one.sentence}")
    if one.cure and one.verdict is not Verdict.OK:
        click.echo(f"          {one.cure}")
