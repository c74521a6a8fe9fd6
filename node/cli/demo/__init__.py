"""`mricore-node demo`: the main job, with every part real."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from node.errors import BadConfiguration, Usage

if TYPE_CHECKING:
    from node.cli.demo.run import Run

_MARK = ".mricore-demo"  # a folder that this command made, and may empty


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Exit when all results have arrived. Without it the node stays up.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the outcome here.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the node's data here. Default: var/demo, emptied at each start.",
)
def demo(paths: tuple[Path, ...], once: bool, json_file: Path | None, data_dir: Path | None) -> None:
    """Run the main job: send MR series to a node on this machine and wait for the results.

    PATHS are files or folders of DICOM; without any, a phantom head is made. A node, a Triton server and a small
    PACS are started on loopback. The series travel over C-STORE, the rules pick a model, Triton labels the slices,
    and a Segmentation and a Structured Report come back to the PACS over C-STORE.

    \b
    mricore-node demo --once                       the phantom
    mricore-node demo --once --json out.json DIR   your own series
    """
    from node.cli.demo.report import as_json, table
    from node.cli.demo.run import Run  # only here: it takes seconds
    from node.cli.files import Found, find_some

    if json_file and not json_file.parent.is_dir():
        raise Usage(f"--json {json_file}: there is no folder {json_file.parent}. Make it first")
    named = find_some(paths) if paths else None
    console = Console(stderr=True, highlight=False)
    folder = data_dir or _fresh(Path("var/demo"), paths)
    run = Run(folder, console)
    found = named or Found(run.phantom(), ())
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell has what it starts in the background ignore the latter
        signal.signal(number, signal.default_int_handler)
    try:
        run.start()
        run.send(found.files)
        outcome = run.wait()
        click.echo(table(outcome))
        if json_file:
            json_file.write_text(json.dumps(as_json(outcome), indent=2), encoding="utf-8")
        for path, reason in found.refused:
            click.echo(f"{path}: {reason}", err=True)
        if not once:
            _stay(run, console)
    finally:
        run.stop()
    if found.refused or outcome.failed:
        raise click.exceptions.Exit(1)


def _fresh(folder: Path, asked: tuple[Path, ...]) -> Path:
    """An empty folder; an older demo's data is removed, anybody else's and what is `asked` to be sent never."""
    mark = folder / _MARK
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise BadConfiguration(str(folder), "is not empty and was not made by a demo", "Name another --data-dir")
        if inside := [one for one in asked if one.resolve().is_relative_to(folder.resolve())]:
            raise Usage(f"{inside[0]} is an older demonstration's and would be removed first: name a --data-dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return folder


def _stay(run: Run, console: Console) -> None:
    here = f"http://127.0.0.1:{run.http_port}"
    for line in (
        "The node stays up (Ctrl-C ends):",
        f"  see the overlay       {here}/view/jobs/1",
        f"  its pages             {here}/admin/",
        f"  send it more          mricore-node send PATH --to MRICORE@127.0.0.1:{run.dicom_port}",
    ):
        console.print(line, soft_wrap=True)
    try:
        while True:
            time.sleep(0.5)  # looks again: a signal that another thread is given does not end the main thread's waiting
    except KeyboardInterrupt:
        console.print("stopping")
