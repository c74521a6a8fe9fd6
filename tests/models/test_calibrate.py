"""`models calibrate`: from a site's series to a reference that `verify` believes; other weights refuse it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from node.adapters.triton import read_model
from node.adapters.triton.calibration import FILE, read_calibration
from node.core import phantom
from node.errors import BadConfiguration
from tests.command_line import mricore_node
from tests.synthetic import Grid, mr_series, to_bytes
from tests.triton_fixture import MODEL, REPOSITORY


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four series of a phantom, and one that holds too few slices."""
    folder = tmp_path_factory.mktemp("series")
    for number, slices in enumerate((8, 8, 8, 8, 3)):
        grid = phantom.Grid(slices=slices, rows=48, columns=40, slice_spacing=12.0)
        array = phantom.voxels(grid, seed=number).array
        for ds, pixels in zip(mr_series(Grid(slices=slices, rows=48, columns=40)), array, strict=True):
            ds.SeriesInstanceUID = f"1.2.3.{number}"
            ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.{number}"
            ds.PixelData = pixels.tobytes()
            file = folder / f"series-{number}" / f"{ds.SOPInstanceUID}.dcm"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(to_bytes(ds))
    return folder


@pytest.fixture(scope="module")
def calibrated(series: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a copy of the demonstration model, calibrated by the command."""
    repository = tmp_path_factory.mktemp("repository")
    shutil.copytree(REPOSITORY / MODEL, repository / MODEL, ignore=shutil.ignore_patterns(FILE))
    (repository / "node.toml").write_text(f'[triton]\nmodels = "{repository}"\n')
    ran = mricore_node("models", "calibrate", MODEL, series, "--config", repository / "node.toml", "--json")
    assert ran.status == 0, ran
    assert [row["slices"] for row in ran.json] == [8, 8, 8, 8, None]
    assert "3 slices: the model takes 8 to 512" in ran.json[-1]["left out"]
    return repository


def test_verify_believes_it(calibrated: Path) -> None:
    ran = mricore_node("models", "verify", calibrated / MODEL)
    assert (ran.status, "calibration: 4 series" in ran.out) == (0, True), ran


def test_the_series_it_was_made_of_are_usual(calibrated: Path, series: Path) -> None:
    ran = mricore_node(
        "models", "calibrate", MODEL, "--compare", series / "series-1", "--config", calibrated / "node.toml", "--json"
    )
    assert (ran.status, ran.json[0]["score"]) == (0, 0.0), ran


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("weights", "other weights"),
        ("damaged", "no calibration, or damaged"),
        ("version", "this release reads"),
        ("bomb", "no calibration, or damaged"),
    ],
)
def test_one_that_does_not_fit_is_refused(calibrated: Path, tmp_path: Path, fault: str, words: str) -> None:
    folder = Path(shutil.copytree(calibrated / MODEL, tmp_path / MODEL))
    with np.load(folder / FILE) as kept:
        arrays = {name: kept[name] for name in kept.files}
    if fault == "weights":
        arrays["weights_sha256"] = np.asarray("0" * 64)
    if fault == "version":
        arrays["version"] = np.asarray(99)
    if fault == "bomb":
        arrays["more"] = np.zeros(2**27, np.uint8)
    np.savez_compressed(folder / FILE, **arrays)
    if fault == "damaged":
        (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-100])
    with pytest.raises(BadConfiguration, match=words):
        read_calibration(read_model(folder))
