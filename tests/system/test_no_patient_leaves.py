"""One whole run of a node, good ways and bad ones: nothing of the patient is in logs, figures, traces, notices, errors.

What is looked for is what only the patient's headers hold. Where people ask for a patient, they are shown one: results,
and the trace, are not among what is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset

from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.triton import EmbeddedTriton
from node.core import phantom
from node.core.results import to_bytes
from node.core.status import SUCCESS
from node.core.tracing import Whose
from tests.bench import until
from tests.collector import Collector, collector
from tests.command_line import mricore_node, settings_file
from tests.orthanc import free_port
from tests.posting import Hook, hook_receiver
from tests.processes import line_with, python

WHO = {
    "PatientName": "Zyxwvut^Quintessa=山田^花子=やまだ^はなこ",
    "PatientID": "PID-77341-QX",
    "PatientBirthDate": "19530217",
    "PatientAddress": "Gnadental 5 Uffenheim",
    "PatientTelephoneNumbers": "+4998427731",
    "OtherPatientNames": "Vorname^Xanthippe",
    "PatientComments": "afraid of the noise qqv",
    "PatientMotherBirthName": "Oberhuberin",
    "AccessionNumber": "ACC-5577-ZK",
    "ReferringPhysicianName": "Medicus^Balthasar",
    "StudyID": "ST-99120-W",
    "InstitutionName": "Klinik Sonnenhof Q7",
}
LOOKED_FOR = sorted(
    {part for value in WHO.values() for part in re.split(r"[\^=]", value) if len(part) > 1} | set(WHO.values())
)
RULES = {
    "_set.yaml": "otherwise: hold\n",
    "10-heads.yaml": (
        "name: heads\nwhen: {Modality: MR, SeriesDescription: {contains: head}}\non_unknown: no-match\n"
        "then: [{infer: mri_core_head}, {deliver: [out, away]}, {notify: {to: [chat], say: a head came}}]\n"
    ),
    "20-named.yaml": (
        "name: named\nwhen: {PatientName: {starts: Zyxwvut}, PatientID: {equals: PID-77341-QX},"
        " SeriesDescription: nothing}\non_unknown: no-match\nthen: [{ignore: it is known}]\n"
    ),
    "30-unfit.yaml": (
        "name: unfit\nwhen: {Modality: MR, SeriesDescription: {contains: unfit}}\non_unknown: no-match\n"
        "then: [{infer: mri_core_head}, {deliver: [out]}]\n"
    ),
}


def series(name: str, number: int, slices: int, **more: object) -> list[Dataset]:
    grid = phantom.Grid(slices=slices, rows=48, columns=48, pixel_spacing=(5.0, 5.0), slice_spacing=12.0)
    when = datetime(2026, 1, 5, 9, 30)  # noqa: DTZ001 # DICOM has no zone here
    made = phantom.instances(phantom.voxels(grid), when=when, series_description=name, series_number=number)
    for ds in made:
        for keyword, value in {**WHO, **more}.items():
            setattr(ds, keyword, value)
    return made


def everything() -> Iterator[Dataset]:
    """A series that is fine, one that the model does not take, one that no rule takes, and one full of faults."""
    yield from series("head", 1, 12)
    yield from series("unfit", 2, 3)
    yield from series("something else", 3, 4)
    faulty = series("head with faults", 4, 12, PatientBirthDate="", SpecificCharacterSet="ISO_IR 192")
    for ds in faulty:
        del ds.FrameOfReferenceUID
        ds.add_new(0x00101010, "AS", "")
    yield from faulty


@pytest.fixture
def seen() -> Iterator[tuple[Collector, Hook]]:
    with collector() as traces, hook_receiver() as hook:
        yield traces, hook


def configured(folder: Path, triton: EmbeddedTriton, traces: Collector, hook: Hook) -> Path:
    (folder / "rules").mkdir()
    for name, text in RULES.items():
        (folder / "rules" / name).write_text(text, encoding="utf-8")
    return settings_file(
        folder,
        f"""
[[destination]]
name = "away"
kind = "dicom"
ae_title = "AWAY"
host = "127.0.0.1"
port = {free_port()}
timeout_seconds = 2
[[notify]]
name = "chat"
kind = "webhook"
url = "http://127.0.0.1:{hook.port}/"
secret = "a secret of both sides"
minimum = "info"
[notices]
check_seconds = 1
patience_seconds = 0
digest_minutes = 0.01
[telemetry]
endpoint = "{traces.endpoint}"
[rules]
directory = "{folder / "rules"}"
[triton]
url = "grpc://{triton.url}"
token = "{triton.token}"
""",
    )


def test_nothing_of_the_patient_is_in_what_the_node_says_of_itself(
    tmp_path: Path, triton: EmbeddedTriton, seen: tuple[Collector, Hook]
) -> None:
    traces, hook = seen
    config = configured(tmp_path, triton, traces, hook)
    sent = [*everything()]
    paths = []
    for number, ds in enumerate(sent):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(to_bytes(ds))
    log = tmp_path / "log"
    said: dict[str, str] = {}
    with python(["-m", "node", "-v", "serve", "--config", str(config)], log=log) as process:
        dicom, http = re.findall(r"[\d.]+:(\d+)", line_with(process, "listens", log).partition("listens")[2])
        peer = Peer("MRICORE", "127.0.0.1", int(dicom), "SCANNER")
        assert {one.status for one in send(peer, [(path, read_file_head(path)) for path in paths])} == {SUCCESS}
        with httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=60, trust_env=False) as client:

            def states() -> set[str]:
                return {one["state"] for one in client.get("/api/v1/jobs").json()["jobs"]}

            until(lambda: {"not_processable", "scheduled"} <= states(), "jobs that end, and one that waits")
            first = Whose(str(sent[0].SeriesInstanceUID)).trace_id
            until(lambda: ("send", first) in spans_of(traces), "a delivery in the trace of the first series")
            until(lambda: {"held", "rule"} <= {str(one["kind"]) for one in hook.got}, "notices of both kinds")
            until(lambda: len(client.get("/api/v1/jobs").json()["jobs"]) >= 3, "the faulty one")
            for path in ("/metrics", "/readyz", "/api/v1/jobs", "/api/v1/jobs/1", "/api/v1/jobs/999", "/api/v1/notices",
                         "/api/v1/notices/sent", "/api/v1/jobs?limit=0", "/api/v1/rules/nonsense",
                         "/dicom-web/studies/1.2.3"):  # fmt: skip
                said[path] = client.get(path).text
            parts = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
            wrong = client.post("/dicom-web/studies", content=paths[0].read_bytes()[:900], headers=parts)
            said["a broken store"] = wrong.text
        said["jobs list"] = mricore_node("jobs", "list", "--config", config, "--json").out
        said["notices list"] = mricore_node("notices", "list", "--all", "--config", config, "--json").out
    said["log"] = log.read_text(encoding="utf-8")
    said["spans"] = b"".join(traces.bodies).decode("utf-8", "replace")
    said["notices"] = json.dumps(hook.got, ensure_ascii=False) + b"".join(hook.bodies).decode("utf-8", "replace")
    assert "job_id=" in said["log"]
    assert "series complete" in said["log"]
    found = [(where, value) for where, text in said.items() for value in LOOKED_FOR if is_in(value, text)]
    assert found == []
    people = mricore_node("trace", WHO["AccessionNumber"], "--config", config).out
    assert all(is_in(WHO[name], people) for name in ("PatientID", "AccessionNumber"))  # who asks for a patient sees one


def spans_of(traces: Collector) -> set[tuple[str, int]]:
    """The name of each span, and its trace."""
    return {(one.name, int.from_bytes(one.trace_id, "big")) for one in traces.spans}


def is_in(value: str, text: str) -> bool:
    """As it is, or as JSON and logs escape it."""
    escaped = json.dumps(value)[1:-1]
    folded = text.casefold()
    return value.casefold() in folded or escaped.casefold() in folded
