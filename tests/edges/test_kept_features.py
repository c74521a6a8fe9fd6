"""Features of shared encoders are kept as far as there is room; without room they are made anew."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from node.pipeline.features import Arrays, KeptFeatures


def of(number: int) -> Arrays:
    return {"features": np.full(1000, number, np.float32)}


def get(kept: KeptFeatures, number: int) -> Arrays:
    return kept.get(f"name-{number}", lambda: of(number), lambda: None)


def test_what_a_process_that_died_left_half_written_goes_with_the_rest(tmp_path: Path) -> None:
    kept = KeptFeatures(tmp_path, most_bytes=10_000)
    left = tmp_path / ".name-9.npz.0a1b2c3d"
    left.write_bytes(bytes(9_000))
    os.utime(left, (0, 0))
    for number in range(3):
        get(kept, number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["name-1.npz", "name-2.npz"]


def test_a_folder_that_takes_no_file_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("no folder")
    kept = KeptFeatures(tmp_path / "features")
    assert get(kept, 5)["features"][0] == 5
