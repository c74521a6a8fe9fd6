"""A real PACS on both sides: Orthanc gets a series from DCMTK, sends it to the node, and takes the results."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from node.adapters.database import trace
from node.adapters.database.trace import SeriesLine
from node.app.node import Node
from node.config import Settings
from node.core.results import verify_files
from node.core.states import OPEN_JOBS, SeriesState
from tests.orthanc import Orthanc, free_port, orthanc
from tests.real import SERIES
from tests.triton_fixture import REPOSITORY

_RESULT_S = 180.0


def test_a_series_goes_from_a_pacs_through_the_node_and_its_results_are_found_in_the_pacs(tmp_path: Path) -> None:
    source = SERIES / "siemens-t1-sag-hfs"
    storescu = shutil.which("storescu")
    if storescu is None:
        pytest.skip("needs the Debian package dcmtk")
    if not source.is_dir():
        pytest.skip(f"no real data at {SERIES}")
    node_port = free_port()
    with (
        orthanc(tmp_path / "orthanc", {"node": ("MRICORE", node_port)}) as pacs,
        running(tmp_path, pacs, node_port) as node,
    ):
        subprocess.run(
            [storescu, "-aec", "ORTHANC", "127.0.0.1", str(pacs.dicom_port), "+sd", str(source)],
            check=True,
            timeout=120,
        )
        (series,) = pacs.client.series.get_all_ids()
        pacs.client.post("/modalities/node/store", json=series)
        line = settled(node, str(dcmread(next(source.iterdir()), stop_before_pixels=True).SeriesInstanceUID))
        (job,) = line.jobs
        assert (line.received, job.state) == ({"stored": 35}, "completed"), job.reason
        found = {
            modality(pacs, one): pacs.client.series.get_instances_ids(one) for one in pacs.client.series.get_all_ids()
        }
        assert sorted(found) == ["MR", "SEG", "SR"]
        (seg,) = found["SEG"]
        stored = pacs.client.instances.get_file(seg)
        sources = [dcmread(path, stop_before_pixels=True) for path in source.iterdir()]
        assert verify_files(stored, sources) == ()


def modality(pacs: Orthanc, series: str) -> str:
    return str(pacs.client.series.get(series).main_dicom_tags.get("Modality"))


def settled(node: Node, series_instance_uid: str) -> SeriesLine:
    """The series, once nothing is left to do for it."""
    give_up = time.monotonic() + _RESULT_S
    while time.monotonic() < give_up:
        line = trace.line(node.database, series_instance_uid)
        if line and line.state != SeriesState.WAITING and not any(job.state in OPEN_JOBS for job in line.jobs):
            return line
        time.sleep(0.1)
    raise AssertionError("the series did not come to an end")


@contextmanager
def running(folder: Path, pacs: Orthanc, port: int) -> Iterator[Node]:
    settings = Settings.model_validate(
        {
            "node": {"data_dir": folder / "node", "stop_seconds": 5},
            "dicom": {"host": "127.0.0.1", "port": port},
            "http": {"port": 0},
            "storage": {"low_watermark": 0},
            "triton": {"models": REPOSITORY},
            "completion": {"quiet_seconds": 3, "grid_seconds": 1, "settle_seconds": 0.5},
            "source": [{"name": "pacs", "ae_title": pacs.ae_title}],
            "destination": [
                {
                    "name": "pacs",
                    "kind": "dicom",
                    "ae_title": pacs.ae_title,
                    "host": "127.0.0.1",
                    "port": pacs.dicom_port,
                }
            ],
        }
    )
    node = Node(settings)
    try:
        node.start()
        yield node
    finally:
        node.stop()
