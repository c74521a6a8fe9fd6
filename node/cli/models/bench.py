"""`mricore-node models bench`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from node.adapters.triton import EmbeddedTriton, Model, read_repository
from node.cli import config_option, json_option
from node.cli.tables import show, show_json
from node.config import Settings, load
from node.errors import BadConfiguration
from node.mricore import bars
from node.mricore.bench import CLIENT, DIRECT, GRPC, SHARED_MEMORY, Bench, Load, Server, measure


@click.command()
@click.argument("model", required=False)
@click.option("--matrix", type=(int, int), default=(256, 256), show_default=True, help="Rows and columns of a slice.")
@click.option("--calls", type=click.IntRange(3, 1000), default=20, show_default=True, help="Of each way and batch.")
@click.option("--no-shared-memory", is_flag=True, help="For a server on another host.")
@click.option("--chart", type=click.Path(path_type=Path, dir_okay=False), help="Draw the result into this SVG file.")
@config_option
@json_option
def bench(
    model: str | None,
    matrix: tuple[int, int],
    calls: int,
    no_shared_memory: bool,
    chart: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Measure how fast MODEL answers: slices a second and latency, by batch and by the way it is asked.

    The server is that of the settings; where that is the embedded one, a server of its own is started. ONNX Runtime
    in this process is measured beside it, and what the node's way through Triton costs a series of 32 slices is said.

    \b
    direct         ONNX Runtime alone
    grpc           one request to Triton
    shared-memory  the same, tensors in shared memory: a server on this host
    node           the node's client: several requests at once
    """
    settings = load(config)
    asked = _asked(read_repository(settings.triton.models), model)
    ways = (DIRECT, GRPC) if no_shared_memory else (DIRECT, GRPC, SHARED_MEMORY)
    load_ = Load(rows=matrix[0], columns=matrix[1], calls=calls, ways=ways)
    with (
        _server(settings, asked) as server,
        click.progressbar(
            length=load_.steps, label=f"{asked.card.name}, {matrix[0]} x {matrix[1]}", file=sys.stderr
        ) as bar,
    ):
        found = measure(asked, server, load_, done=lambda: bar.update(1))
    if chart:
        chart.write_text(drawn(found), encoding="utf-8")
    if as_json:
        show_json(found)
        return
    _print(found)


def _asked(models: tuple[Model, ...], name: str | None) -> Model:
    """The model of that name, or the only one. Raises BadConfiguration."""
    names = ", ".join(each.card.name for each in models)
    found = [each for each in models if name in (None, each.card.name)]
    if len(found) != 1:
        raise BadConfiguration(
            name or "MODEL", "is not in the repository" if name else "must be named", f"One of {names}"
        )
    return found[0]


@contextmanager
def _server(settings: Settings, model: Model) -> Iterator[Server]:
    """The server that the settings name, or an embedded one for as long as it is needed."""
    url = settings.triton.url
    if url != "embedded":
        yield Server(url.removeprefix("grpc://"), settings.triton.token.get_secret_value() or None)
        return
    names = [model.card.name]
    with tempfile.TemporaryDirectory() as work, EmbeddedTriton(model.folder.parent, Path(work), models=names) as triton:
        yield Server(triton.url, triton.token)


def _print(found: Bench) -> None:
    show(
        ("slices", "way", "calls", "p50, ms", "p95, ms", "slices/s"),
        [
            (each.slices, each.way, each.calls, each.p50_ms, each.p95_ms, each.slices_per_s)
            for each in (*found.batches, *found.series)
        ],
    )
    for each in found.series:
        if each.way == CLIENT:
            click.echo(
                f"\na series of {each.slices} slices takes the node {found.overhead:+.1%} of ONNX Runtime's time"
            )


def drawn(found: Bench) -> str:
    """The result as SVG."""
    groups: dict[str, list[bars.Bar]] = {}
    for each in found.batches:
        groups.setdefault(f"batch {each.slices}", []).append(bars.Bar(each.way, each.slices_per_s))
    for each in found.series:
        groups.setdefault(f"series of {each.slices}", []).append(bars.Bar(each.way, each.slices_per_s))
    title = f"{found.model}, {found.rows} x {found.columns}, {found.threads} threads"
    return bars.svg(title, "slices/s", list(groups.items()))
