"""`mricore-node rules`: one file per group of commands."""

from __future__ import annotations

import click

from node.cli.rules.check import check, mistakes_of
from node.cli.rules.explain import explain_series
from node.cli.rules.publish import approve, proposals, publish, reject, rollback
from node.cli.rules.shadow import shadow
from node.cli.rules.simulate import simulate
from node.cli.rules.versions import diff, export, history, show

__all__ = ["mistakes_of", "rules"]


@click.group()
def rules() -> None:
    """The rules that route series to models. docs/rules.md describes the language.

    \b
    Edit safely:   rules export DIR · edit · rules check DIR · rules simulate DIR · rules publish DIR
    Look back:     rules history · rules diff 6 7 · rules rollback 6
    """


for _command in (
    check, explain_series, history, show, diff, export, simulate, shadow, publish, rollback, proposals, approve, reject
):  # fmt: skip
    rules.add_command(_command)
