"""Real public series that lie beside the repository; a test that needs them is skipped where they do not."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.dicom import Facts, facts

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SERIES = DATA / "mr"


def files(name: str) -> list[Path]:
    """The files of a folder under the data, for example `mr/canon-dti-classic`. Skips the test without them."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"no real data at <repository>/../shared/data/{name}")
    return sorted(path for path in folder.iterdir() if path.is_file())


def read(path: Path) -> Dataset:
    """The dataset of a file, whatever its state."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dirty values are what these files are for
        return dcmread(path, force=True)


@cache
def _series(name: str) -> tuple[Facts, ...]:
    return tuple(facts(read(path)) for path in files(name))


def series(*names: str) -> list[Facts]:
    """The facts of all files of these folders under mr/, together."""
    return [one for name in names for one in _series(f"mr/{name}")]
