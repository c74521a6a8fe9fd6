"""The examples of docs/dicomweb.md do what they show, on a whole node that received a series by STOW-RS."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset

from node.scp.admission import Admission
from tests.bench import until
from tests.listening import Listening, listening
from tests.processes import PATIENCE_S
from tests.synthetic import Grid, mr_series, to_bytes
from tests.whole_node import whole_node

_DOCS = Path(__file__).parents[2] / "docs" / "dicomweb.md"
_EXAMPLES = re.findall(r"```sh\n(curl [^\n]+)\n```", _DOCS.read_text())
_DIMSE_EXAMPLES = re.findall(r"```sh\n((?:find|move|get)scu [^\n]+)\n```", _DOCS.read_text())


@dataclass(frozen=True)
class Running:
    """A whole node, and the archive that it may send to."""

    http: str
    dicom_port: int
    pacs: Listening


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("node")
    (folder / "pacs").mkdir()
    with listening(folder / "pacs", admission=Admission("PACS2", True, [])) as pacs:
        destination = {"kind": "dicom", "ae_title": "PACS2", "host": "127.0.0.1", "port": pacs.port}
        waits = {"quiet_seconds": 3600, "grid_seconds": 3600, "longest_seconds": 3600}  # so that it is not settled
        with whole_node(folder, destination=[{"name": "pacs", **destination}], completion=waits) as node:
            yield Running(f"http://127.0.0.1:{node.http_port}", node.dicom_port, pacs)


@pytest.fixture(scope="module")
def address(running: Running) -> str:
    return running.http


@pytest.fixture(scope="module")
def received(address: str) -> Dataset:
    step = Dataset()
    step.ScheduledProcedureStepID = "S7"
    series = mr_series(Grid(slices=3, rows=64, columns=64), change={"RequestAttributesSequence": [step]})
    with httpx.Client(base_url=f"{address}/dicom-web", timeout=PATIENCE_S, trust_env=False) as client:
        for ds in series:
            sent = client.post("/studies", content=to_bytes(ds), headers={"Content-Type": "application/dicom"})
            assert sent.status_code == 200

        def all_found() -> bool:
            found = client.get("/instances")
            return found.status_code == 200 and len(found.json()) == 3

        until(all_found, "the series is found")
    return series[0]


def test_there_are_examples() -> None:
    assert len(_EXAMPLES) >= 8
    assert len(_DIMSE_EXAMPLES) == 3


@pytest.mark.parametrize("example", _DIMSE_EXAMPLES)
def test_an_example_over_dimse_does_what_it_shows(
    running: Running, received: Dataset, example: str, tmp_path: Path
) -> None:
    if shutil.which(example.split()[0]) is None:
        pytest.skip("needs the Debian package dcmtk")
    example = example.replace("HOST PORT", f"127.0.0.1 {running.dicom_port}")
    example = example.replace("UID=STUDY", f"UID={received.StudyInstanceUID}")
    example = example.replace("UID=SERIES", f"UID={received.SeriesInstanceUID}")
    done = subprocess.run(
        ["bash", "-c", example.replace("scu ", "scu -v ", 1)],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    if example.startswith("find"):
        assert str(received.PatientID).encode() in done.stdout + done.stderr
    elif example.startswith("get"):
        assert len(list(tmp_path.iterdir())) == 3
    else:
        assert len(running.pacs.receipts()) == 3


@pytest.mark.parametrize("example", _EXAMPLES)
def test_an_example_does_what_it_shows(address: str, received: Dataset, example: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    named = {
        "NODE": address,
        "STUDY/": f"{received.StudyInstanceUID}/",
        "SERIES/": f"{received.SeriesInstanceUID}/",
        '/SERIES"': f'/{received.SeriesInstanceUID}"',
        "/INSTANCE": f"/{received.SOPInstanceUID}",
    }
    for name, value in named.items():
        example = example.replace(name, value)
    done = subprocess.run(
        ["bash", "-c", example.replace("curl ", "curl -sS --fail-with-body ", 1)],
        cwd=tmp_path, capture_output=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    if "DELETE" in example:
        assert b"is not settled" in done.stdout  # the series waits for more of it
        return
    assert done.returncode == 0, done.stderr
    made = [path.read_bytes() for path in tmp_path.iterdir()] or [done.stdout]
    assert len(made[0]) > 100
