"""`mricore-node models verify`."""

from __future__ import annotations

from pathlib import Path

import click

from node.adapters.triton import Model, TritonClient, read_model, read_repository
from node.adapters.triton.calibration import read_calibration
from node.cli import config_option
from node.cli.models.arguments import EXISTING_FOLDER
from node.config import load
from node.mricore import served
from node.mricore.parsing import parsed_by


@click.command()
@click.argument("folder", type=EXISTING_FOLDER, required=False)
@click.option("--server", metavar="HOST:PORT", help="gRPC of the Triton server that is to load the plans.")
@config_option
def verify(folder: Path | None, server: str | None, config: Path | None) -> None:
    """Check that cards, configurations, weights, plans, canaries and calibrations agree, without a server.

    FOLDER is one model's folder; without it, every model of the repository. Exit status 1: the weights give other
    answers than the canary's. A plan must be of these weights and of this machine's GPU, and with --server of that
    server's release. `check` asks the canaries of the server itself.
    """
    found = [read_model(folder)] if folder else read_repository(load(config).triton.models)
    triton = _version_of(server) if server else ""
    for model in found:
        click.echo(_verified(model, triton))


def _version_of(server: str) -> str:
    with TritonClient(server) as client:
        return client.version()


def _verified(model: Model, triton: str) -> str:
    plan_says = served.check_plan(model, triton, served.gpus())
    served.check_canary(model)
    parser, calibration = parsed_by(model.folder / model.card.weights.file), read_calibration(model)
    said = f"{model.card.name} {model.card.version}: card, both configurations, weights and canary agree"
    said += f"; plan: {plan_says}" if plan_says else ""
    said += f"; {parser} takes every operator" if parser else ""
    return said + (f"; calibration: {calibration.series} series, {calibration.sha256[:16]}" if calibration else "")
