"""A real PACS on both sides: Orthanc gets a series from DCMTK, sends it to the node, and takes the results."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from node.adapters.database import trace
from node.adapters.database.balance import balance
from node.adapters.database.trace import SeriesLine
from node.adapters.destinations.storescu import Peer, send
from node.app.node import Node
from node.cli.files import find
from node.config import Settings
from node.core.results import verify_files
from node.core.states import OPEN_JOBS, SeriesState
from node.core.status import SUCCESS
from tests.bench import until
from tests.orthanc import Orthanc, free_port, orthanc
from tests.processes import PATIENCE_S
from tests.real import SERIES
from tests.triton_fixture import REPOSITORY


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
            timeout=PATIENCE_S,
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


EVERYTHING = """name: everything
description: everything
when: {series.instances: {at_least: 1}}
then: [{infer: mri_core_head}, {deliver: [pacs]}]
stop: true
"""
# What becomes of each real series, in the words of the job; series of several folders stand once.
ENDS = {
    "canon-dti-classic": "each of 40 positions occurs 2 times (DiffusionBValue 0, 1500)",
    "derived-fpg-flair-ax": "delivered to pacs",
    "derived-sct-cspine-t2s-ax": "delivered to pacs",
    "emri-small-ts": "has no readable PerFrameFunctionalGroupsSequence",
    "ge-3plane-localizer": "3 orientations in one series (a localizer)",
    "ge-b0map-multi": "each of 16 positions occurs 2 times",
    "ge-knee-mese-te1": "each of 24 positions occurs 2 times (EchoTime 6.312, 31.56)",
    "ge-pd-ax-brain": "delivered to pacs",
    "philips-pcasl-classic": "each of 40 positions occurs 2 times",
    "siemens-mosaic-ts": "36 tiles in one image (mosaic)",
    "siemens-t1-sag-hfs": "delivered to pacs",
    "siemens-xa30-colfa-enh": "PhotometricInterpretation is RGB",
    "siemens-xa30-t1-enh": "delivered to pacs",
    "studyforrest-t1-ax-defaced": "delivered to pacs",
    "toshiba-mr-small-ts": "1 slice: the model takes 8 to 512",
    "uih-dti-grid": "20 tiles in one image (mosaic)",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")  # about real headers
def test_every_real_series_ends_with_its_results_in_the_pacs_or_a_reason(tmp_path: Path) -> None:
    if not SERIES.is_dir():
        pytest.skip(f"no real data at {SERIES}")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "10-everything.yaml").write_text(EVERYTHING)
    port = free_port()
    more: dict[str, dict[str, object]] = {
        "rules": {"directory": tmp_path / "rules"},
        "dicom": {"accept": "any"},
        "completion": {"quiet_seconds": 10, "grid_seconds": 10},  # some series lie in two folders
    }
    with orthanc(tmp_path / "orthanc") as pacs, running(tmp_path, pacs, port, **more) as node:
        files = find([SERIES]).files
        answers = list(send(Peer("MRICORE", "127.0.0.1", port, "SCANNER", 300), files))
        assert {one.status for one in answers} == {SUCCESS}
        ends = {}
        for name in ENDS:
            one = next((SERIES / name).iterdir())
            uid = str(dcmread(one, stop_before_pixels=True, force=True).SeriesInstanceUID)
            (job,) = settled(node, uid).jobs
            ends[name] = job.reason
        assert {name: reason for name, reason in ends.items() if ENDS[name] not in reason} == {}
        assert balance(node.database).residue == 0
        modalities = Counter(modality(pacs, one) for one in pacs.client.series.get_all_ids())
        delivered = list(ENDS.values()).count("delivered to pacs")
        assert modalities == {"SEG": delivered, "SR": delivered}


def modality(pacs: Orthanc, series: str) -> str:
    return str(pacs.client.series.get(series).main_dicom_tags.get("Modality"))


def settled(node: Node, series_instance_uid: str) -> SeriesLine:
    """The series, once nothing is left to do for it."""

    def end() -> SeriesLine | None:
        line = trace.line(node.database, series_instance_uid)
        settled = line and line.state != SeriesState.WAITING and not any(job.state in OPEN_JOBS for job in line.jobs)
        return line if settled else None

    until(end, "the end of the series", PATIENCE_S)
    found = end()
    assert found
    return found


@contextmanager
def running(folder: Path, pacs: Orthanc, port: int, **more: Mapping[str, object]) -> Iterator[Node]:
    """`more`: sections of node.toml, and keys to be added to them."""
    asked = {"ae_title": pacs.ae_title, "host": "127.0.0.1", "port": pacs.dicom_port, "timeout_seconds": 120}
    sections: dict[str, Any] = {
        "node": {"data_dir": folder / "node", "stop_seconds": 5},
        "dicom": {"host": "127.0.0.1", "port": port},
        "http": {"port": 0},
        "storage": {"low_watermark": 0},
        "triton": {"models": REPOSITORY},
        "completion": {"quiet_seconds": 3, "grid_seconds": 1, "settle_seconds": 0.5},
        "source": [{"name": "pacs", "ae_title": pacs.ae_title, "query": asked}],  # however slowly it sends
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
    for name, keys in more.items():
        sections[name] = {**sections.get(name, {}), **keys}
    node = Node(Settings.model_validate(sections))
    try:
        node.start()
        yield node
    finally:
        node.stop()
