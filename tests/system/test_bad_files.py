"""Every malformed, odd and non-image file: a status and a reason for each, and the good series beside it whole."""

from __future__ import annotations

import socket
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.cli.files import find as find_files
from node.core.arrival import Sender
from node.core.part10 import Head
from node.core.status import CANNOT_UNDERSTAND, DATA_SET_DOES_NOT_MATCH, SUCCESS
from node.errors import BadInstance
from node.pipeline.reception import receive_file
from tests.bench import LONG_AFTER, Bench, rules
from tests.listening import listening
from tests.real import DATA, read
from tests.synthetic import Grid, mr_series, to_bytes, write

FOLDERS = ("bad/crafted", "bad/pydicom", "charset/mr-names", "charset/pydicom-charsets", "nonimage/siemens-phoenix-sr")
FILES = [path for folder in FOLDERS if (DATA / folder).is_dir() for path in sorted((DATA / folder).iterdir())]
GOOD = mr_series(Grid(slices=10), name="good")
FOLDER = Sender("folder", "", "", "", "watched")
# pydicom warns about what these files are made of; the command line ignores its warnings in the same way
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")
needs_data = pytest.mark.skipif(not FILES, reason="no real data at <repository>/../shared/data/bad")
each = pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.name}" for path in FILES])

EVERYTHING = {
    "_set.yaml": "otherwise: hold\n",
    "10-all.yaml": (
        "name: all\ndescription: all\nwhen: {series.instances: {at_least: 1}}\n"
        "then: [{infer: mri_core_head}, {deliver: [out]}]\nstop: true\n"
    ),
}


def give(bench: Bench, path: Path) -> tuple[int, str]:
    """The status and reason that a file gets; -1 for what is no DICOM file."""
    try:
        answer = receive_file(bench.store.reception, FOLDER, path)
    except BadInstance as bad:
        return -1, str(bad)
    return answer.status, answer.reason


def let_complete(bench: Bench) -> None:
    bench.clock.advance(LONG_AFTER)
    while bench.completion.due():
        bench.judge_due()
    assert all(row.state != "waiting" for row in bench.store.series())


def attempt_all(bench: Bench) -> dict[str, str]:
    """Series Instance UID → what became of its job, as the worker would say it."""
    said: dict[str, str] = {}
    for _ in bench.jobs():
        job = bench.claim()
        try:
            said[job.series_instance_uid] = bench.work.attempt(job)
        except Exception as fault:  # noqa: BLE001 # the test looks at its kind
            said[job.series_instance_uid] = f"{type(fault).__name__}: {fault}"
    return said


@needs_data
@each
def test_alone_it_has_a_status_and_a_reason_and_costs_a_job_at_most(bench: Bench, path: Path) -> None:
    bench.rule_set = rules(EVERYTHING)
    status, reason = give(bench, path)
    assert status in (-1, SUCCESS, DATA_SET_DOES_NOT_MATCH, CANNOT_UNDERSTAND)
    assert reason or status == SUCCESS
    assert len(bench.store.instances()) == (status == SUCCESS)
    assert len(bench.store.paths()) == (status >= 0)
    let_complete(bench)
    for sentence in attempt_all(bench).values():
        assert sentence.startswith(("NotProcessable: ", "BadInstance: ", "delivered")), sentence
    assert balance(bench.store.database).residue == 0
    assert broken_chains(bench.store.database) == {}


@needs_data
def test_between_the_slices_of_a_good_series_they_change_nothing_about_it(bench: Bench) -> None:
    datasets = list(GOOD)
    for number, path in enumerate(FILES):
        if number % 9 == 0 and datasets:
            bench.receive([datasets.pop()])
        give(bench, path)
    bench.receive(datasets)
    let_complete(bench)
    uid = str(GOOD[0].SeriesInstanceUID)
    (job,) = [job for job in bench.jobs() if job.series_instance_uid == uid]
    said = attempt_all(bench)
    assert said[uid] == "delivered to out"
    assert job.version == 1
    assert balance(bench.store.database).residue == 0


@cache
def into_good(path: Path) -> bytes:
    """The file with the UIDs of the good series; b"" when it cannot be rewritten."""
    try:
        ds = read(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _rewritten(ds)
    except Exception:  # noqa: BLE001 # what pydicom cannot write anew is left out here
        return b""


def _rewritten(ds: Dataset) -> bytes:
    ds.StudyInstanceUID, ds.SeriesInstanceUID = GOOD[0].StudyInstanceUID, GOOD[0].SeriesInstanceUID
    ds.SOPInstanceUID, ds.SOPClassUID = UID("2.25.4711"), GOOD[0].SOPClassUID
    if not hasattr(ds, "file_meta") or "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPInstanceUID, ds.file_meta.MediaStorageSOPClassUID = ds.SOPInstanceUID, ds.SOPClassUID
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@needs_data
@each
def test_within_a_good_series_it_costs_that_series_a_stated_reason_at_most(
    bench: Bench, tmp_path: Path, path: Path
) -> None:
    content = into_good(path)
    if not content:
        pytest.skip("pydicom cannot write it anew")
    bench.rule_set = rules(EVERYTHING)
    mixed = tmp_path / "mixed.dcm"
    mixed.write_bytes(content)
    bench.receive(GOOD)
    status, reason = give(bench, mixed)
    assert reason or status == SUCCESS
    let_complete(bench)
    said = attempt_all(bench)[str(GOOD[0].SeriesInstanceUID)]
    assert said.startswith(("NotProcessable: ", "BadInstance: ", "delivered")), said
    assert balance(bench.store.database).residue == 0


@needs_data
def test_on_the_wire_the_node_stays_up_and_the_good_series_arrives_whole(tmp_path: Path) -> None:
    good = [(path, read_file_head(path)) for path in write(GOOD, tmp_path / "good").values()]
    found = find_files([DATA / folder for folder in FOLDERS if (DATA / folder).is_dir()])
    sendable = [pair for pair in found.files if pair[1].sop_class_uid and pair[1].sop_instance_uid]
    mixed = [pair for group in zip(_chunks(sendable, len(good)), good, strict=True) for pair in (*group[0], group[1])]
    with listening(tmp_path / "node") as node:
        answers = {one.path: one for one in send(Peer("MRICORE", "127.0.0.1", node.port, "SCANNER"), mixed)}
        assert {answers[path].status for path, _ in good} == {SUCCESS}
        for path, _ in sendable:
            status = answers[path].status
            assert status is None or status in (SUCCESS, DATA_SET_DOES_NOT_MATCH, CANNOT_UNDERSTAND), path.name
            assert status == SUCCESS or answers[path].comment, path.name
        for path, _ in found.refused:  # not DICOM files: their bytes straight into the port
            with socket.create_connection(("127.0.0.1", node.port), timeout=60) as connection:
                connection.sendall(path.read_bytes()[:4096] or b"\0")
        again = list(send(Peer("MRICORE", "127.0.0.1", node.port, "SCANNER"), good))
        assert {one.status for one in again} == {SUCCESS}
        assert balance(node.database).residue == 0
        assert broken_chains(node.database) == {}


def _chunks(items: list[tuple[Path, Head]], number: int) -> list[list[tuple[Path, Head]]]:
    return [items[start::number] for start in range(number)]


def test_two_patients_in_one_series_are_seen(bench: Bench) -> None:
    bench.receive(GOOD[:5])
    other = [dcmread(BytesIO(to_bytes(ds))) for ds in GOOD[5:]]
    for ds in other:
        ds.PatientID = "SOMEBODY_ELSE"
    bench.receive(other)
    let_complete(bench)
    (said,) = attempt_all(bench).values()
    assert said.startswith("NotProcessable: ")
    assert "patient" in said.lower()
