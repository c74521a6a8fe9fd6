"""`mricore-node models calibrate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from node.adapters.triton import Model, read_repository
from node.adapters.triton.calibration import read_calibration, write_calibration
from node.cli import config_option, json_option
from node.cli.files import find
from node.cli.tables import show, show_json
from node.config import load
from node.core import ood
from node.errors import BadConfiguration
from node.mricore.vectors import Embedded, embed


@click.command()
@click.argument("model")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--compare", is_flag=True, help="Do not fit: say how unlike the model's calibration each series is.")
@config_option
@json_option
def calibrate(model: str, paths: tuple[Path, ...], compare: bool, config: Path | None, as_json: bool) -> None:
    """Tell MODEL what the usual series of this site are: fit a reference to the embeddings of those below PATHS.

    PATHS are files or folders of DICOM. The largest volume of each series is given to the model's weights on this
    machine, no server is asked, and calibration.npz is written beside the card. Name series that the rules send to
    this model, some dozens, from all scanners and protocols: of fewer than 20 a percentile says little.

    \b
    mricore-node models calibrate mri_core_head archive/heads
    mricore-node models calibrate mri_core_head --compare archive/knees
    """
    asked = _asked(read_repository(load(config).triton.models), model)
    series = list(_embedded(asked, [path for path, _ in find(paths).files]))
    if compare:
        reference = _fitted(asked)
    else:
        reference = ood.fit([each.vectors for each in series if each.vectors is not None])
        click.echo(f"{write_calibration(asked, reference)}: {len(reference.scores)} series", err=True)
    rows = [(each.series, *_told(each.vectors, reference), each.refused) for each in series]
    if as_json:
        show_json([dict(zip(_HEADINGS, row, strict=True)) for row in rows])
    else:
        show(_HEADINGS, rows)


_HEADINGS = ("series", "slices", "score", "percentile", "left out")


def _told(vectors: NDArray[np.float32] | None, reference: ood.Reference) -> tuple[object, object, object]:
    if vectors is None:
        return None, None, None
    found = reference.oddity(vectors)
    return len(vectors), found.score, found.percentile


def _embedded(model: Model, files: list[Path]) -> Iterator[Embedded]:
    for number, each in enumerate(embed(model, files), 1):
        click.echo(f"{model.card.name}: {number} series, the last {each.series}", err=True)
        yield each


def _asked(models: tuple[Model, ...], name: str) -> Model:
    found = next((each for each in models if each.card.name == name), None)
    if found is None:
        raise BadConfiguration(name, "is not in the repository", f"One of {', '.join(m.card.name for m in models)}")
    return found


def _fitted(model: Model) -> ood.Reference:
    found = read_calibration(model)
    if found is None:
        raise BadConfiguration(model.card.name, "has no calibration", "Fit one first, without --compare")
    return found.reference
