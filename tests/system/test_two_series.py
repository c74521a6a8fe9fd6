"""Two series of one phantom study through the whole node and a real Triton: one SEG that names both."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

pytest.importorskip("onnx", reason="needs the extra `models`")

from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.core import phantom
from node.core.results import to_bytes, verify_files
from node.core.status import SUCCESS
from tests.bench import until
from tests.command_line import mricore_node, settings_file
from tests.processes import line_with, python
from tests.replicas import middle_last
from tests.triton_fixture import StartTriton
from tests.two_contrasts import BRIGHT, NAME, RULE, model_folder

FINE = phantom.Grid(slices=8, rows=64, columns=64, pixel_spacing=(3.75, 3.75), slice_spacing=16.0)
COARSE = phantom.Grid(slices=10, rows=48, columns=48, pixel_spacing=(5.0, 5.0), slice_spacing=16.0)


def made(grid: phantom.Grid, name: str, number: int) -> list[Dataset]:
    seen = phantom.voxels(grid)
    when = datetime(2026, 1, 5, 9, 30)  # noqa: DTZ001 # DICOM has no zone here
    return phantom.instances(seen, when=when, series_description=name, series_number=number)


def job_shown(config: Path) -> dict[str, Any]:
    shown: dict[str, Any] = mricore_node("jobs", "show", 1, "--config", config, "--json").json
    return shown


def test_two_series_of_one_study_make_one_segmentation(tmp_path: Path, start_triton: StartTriton) -> None:
    model_folder(tmp_path / "models")
    triton = start_triton(tmp_path / "models", (NAME,))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "10.yaml").write_text(RULE)
    more = f"""
[rules]
directory = "{tmp_path / "rules"}"
[triton]
url = "grpc://{triton.url}"
token = "{triton.token}"
models = "{tmp_path / "models"}"
"""
    config = settings_file(tmp_path, more)
    t1, flair = made(FINE, "t1", 1), made(COARSE, "flair", 2)
    paths = []
    for number, ds in enumerate([*middle_last(t1), *middle_last(flair)]):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(to_bytes(ds))
    with python(["-m", "node", "serve", "--config", str(config)], log=tmp_path / "log") as process:
        found = re.search(r"DICOM \S+:(\d+),", line_with(process, "listens", tmp_path / "log"))
        assert found
        peer = Peer("MRICORE", "127.0.0.1", int(found[1]), "SCANNER")
        assert {one.status for one in send(peer, [(path, read_file_head(path)) for path in paths])} == {SUCCESS}
        until(lambda: len(list((tmp_path / "out").glob("s*.dcm"))) == 2, "both results are delivered")
        until(lambda: job_shown(config)["state"] == "completed", "the job is completed")
    seg = next((tmp_path / "out").glob("seg-*"))
    segmentation = dcmread(seg)
    named = [item.SeriesInstanceUID for item in segmentation.ReferencedSeriesSequence]
    assert named == [t1[0].SeriesInstanceUID, flair[0].SeriesInstanceUID]
    for path in (tmp_path / "out").iterdir():
        assert verify_files(path.read_bytes(), [*t1, *flair]) == ()
    # What is bright in the coarse series was found on the fine one's slices, where the head is in both
    per_segment = dict.fromkeys((1, 2), 0)
    frames = segmentation.pixel_array.reshape(-1, FINE.rows, FINE.columns)
    for group, frame in zip(segmentation.PerFrameFunctionalGroupsSequence, frames, strict=True):
        per_segment[int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)] += int(frame.sum())
    least = min(ds.pixel_array.min() for ds in t1)
    assert per_segment[1] == sum(int(np.count_nonzero(ds.pixel_array - least > BRIGHT)) for ds in t1)
    expected = np.count_nonzero(np.stack([ds.pixel_array for ds in flair]) > 2 * BRIGHT) * (5.0 / 3.75) ** 2
    assert per_segment[2] == pytest.approx(expected * FINE.slices / COARSE.slices, rel=0.5)
    shown = job_shown(config)
    assert shown["inputs"] == [["t1", named[0]], ["flair", named[1]]]
