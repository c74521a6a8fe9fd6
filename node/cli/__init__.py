"""The command line. Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings
from pathlib import Path

import click

from node import __version__
from node.errors import NodeError, Usage

# Command → module of this room that holds it; imported when it is asked for, so that --help is quick.
_COMMANDS = {
    "demo": "demo",
    "serve": "serve",
    "send": "send",
    "check": "check",
    "support": "support",
    "drill": "drill",
    "rules": "rules",
    "jobs": "jobs",
    "trace": "trace",
    "inbox": "inbox",
    "models": "models",
    "results": "results",
    "senders": "senders",
    "destinations": "destinations",
    "sources": "sources",
    "viewer": "viewer",
    "user": "user",
    "token": "token",
    "notices": "notices",
    "backup": "backup",
    "restore": "restore",
    "bundle": "bundle",
}


class _Lazy(click.Group):
    """Loads a command when it is called."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        found = getattr(importlib.import_module(f"node.cli.{_COMMANDS[name]}"), name)
        return found if isinstance(found, click.Command) else None


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mricore-node")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
@click.option("-v", "--verbose", is_flag=True, help="Log every step to standard error.")
@click.pass_context
def entry(context: click.Context, debug: bool, verbose: bool) -> None:
    """A PACS node that runs MRI-CORE models on arriving MR series.

    It receives series by C-STORE, lets editable rules pick a model, runs it on a Triton server, and sends back
    DICOM Segmentations and Structured Reports.

    \b
    See it work:            mricore-node demo
    Run it:                 mricore-node serve --config node.toml
    Is everything fine?     mricore-node check --config node.toml
    Where is accession X?   mricore-node trace X
    """
    from node.logs import configure

    context.obj = {"debug": debug}
    configure(verbose=verbose or debug)
    if not debug:
        # Dirty headers are judged and reported by the node itself.
        warnings.filterwarnings("ignore", module=r"pydicom|highdicom|pynetdicom")


def main() -> None:
    """Run a command; one line for an error, a traceback only with --debug."""
    debug = "--debug" in sys.argv[1:]
    try:
        status = entry.main(standalone_mode=False)
    except click.exceptions.Exit as left:
        status = left.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        status = 1
    except click.ClickException as wrong:
        wrong.show()
        status = wrong.exit_code
    except NodeError as fault:
        if debug:
            raise
        click.echo(f"mricore-node: {fault}", err=True)
        status = 2 if isinstance(fault, Usage) else 1
    except OSError as fault:
        if debug:
            raise
        at = f"{fault.filename}: " if fault.filename else ""
        click.echo(f"mricore-node: {at}{(fault.strerror or type(fault).__name__).lower()}", err=True)
        status = 1
    except Exception as fault:  # whatever it is, a person gets one line; its words may name a patient
        if debug:
            raise
        click.echo(f"mricore-node: {_defect(fault)}", err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def integer(text: str) -> int:
    """The number of a row, which is at most what a database holds. Help shows this function's name."""
    try:
        number = int(text)
    except ValueError as wrong:
        raise click.BadParameter(f"{text!r} is not a valid integer.") from wrong
    if not 0 < number < 2**31:
        raise click.BadParameter(f"{text} is none: they go from 1 to 2147483647.")
    return number


def _defect(fault: Exception) -> str:
    """What nobody expected: which, where in the program, and what to do."""
    frames = traceback.extract_tb(fault.__traceback__)
    ours = [one for one in frames if f"{os.sep}node{os.sep}" in one.filename] or frames
    at = f" in {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"unexpected {type(fault).__name__}{at}: a defect. Run it with --debug, and report what that shows"


def config_option(command: click.decorators.FC) -> click.decorators.FC:
    """`--config`, as every command that looks at a node takes it."""
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Settings file. Default: node.toml in this folder, if there is one. "
        "MRICORE_SECTION__KEY in the environment wins over it.",
    )(command)


def json_option(command: click.decorators.FC) -> click.decorators.FC:
    """`--json`, wherever a table is printed."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)
