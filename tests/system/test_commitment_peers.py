"""Debian's Orthanc as the peer: it asks for storage commitment, and it is asked how many instances it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from node.adapters.association import RemoteAE
from node.adapters.database import Database
from node.adapters.files import Files
from node.adapters.queryscu import related_instances
from node.pipeline.commitment import Commitments
from node.scp.commitment import commitment
from node.worker import Reporter
from tests.bench import until
from tests.listening import Listening, associate, listening, now
from tests.orthanc import Orthanc, free_port, orthanc
from tests.processes import PATIENCE_S
from tests.synthetic import Grid, mr_series, to_bytes


def committing(folder: Path, port: int) -> tuple[Commitments, Reporter]:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    remote = RemoteAE("ORTHANC", "127.0.0.1", port, "MRICORE", 120)
    commitments = Commitments(database, Files(folder / "instances", 0), now, {"ORTHANC": remote}, lambda: None)
    return commitments, Reporter(commitments, now)


def test_orthanc_hears_that_what_it_sent_is_committed_and_what_it_did_not_send_is_not(tmp_path: Path) -> None:
    series = mr_series(Grid(slices=3))

    dicom_port, http_port = free_port(), free_port()
    commitments, reporter = committing(tmp_path, dicom_port)
    with listening(tmp_path, services=[commitment(commitments)], database=commitments.database) as node:
        reporter.start()
        try:
            with orthanc(tmp_path / "orthanc", {"node": ("MRICORE", node.port)}, ports=(dicom_port, http_port)) as pacs:
                upload(pacs, series)
                kept, absent = series[:2], series[2]
                for ds in kept:
                    store(node, ds)
                assert asked(pacs, kept)["Status"] == "Success"
                answer = asked(pacs, [*kept, absent])
        finally:
            reporter.stop(PATIENCE_S)
    assert answer["Status"] == "Failure"
    assert [one["SOPInstanceUID"] for one in answer["Success"]] == [str(ds.SOPInstanceUID) for ds in kept]
    assert [(one["SOPInstanceUID"], one["FailureReason"]) for one in answer["Failures"]] == [
        (str(absent.SOPInstanceUID), 0x0112)
    ]


def upload(pacs: Orthanc, datasets: list[Dataset]) -> None:
    for ds in datasets:
        pacs.client.post("/instances", data=to_bytes(ds))


def store(node: Listening, ds: Dataset) -> None:
    association = associate(node.port)
    assert association.send_c_store(ds).Status == 0
    association.release()


def asked(pacs: Orthanc, datasets: list[Dataset]) -> dict[str, Any]:
    """Orthanc's own account of a transaction, once it has heard the report."""
    instances = [{"SOPClassUID": str(ds.SOPClassUID), "SOPInstanceUID": str(ds.SOPInstanceUID)} for ds in datasets]
    begun = pacs.client.post("/modalities/node/storage-commitment", json={"DicomInstances": instances}).json()

    def answer() -> dict[str, Any]:
        told: dict[str, Any] = pacs.client.get(begun["Path"]).json()
        return told

    until(lambda: answer()["Status"] != "Pending", "a report that Orthanc heard", PATIENCE_S)
    return answer()


def test_orthanc_says_how_many_instances_it_has_of_a_series(tmp_path: Path) -> None:
    series = mr_series(Grid(slices=5))
    study, uid = str(series[0].StudyInstanceUID), str(series[0].SeriesInstanceUID)
    with orthanc(tmp_path / "orthanc", {"node": ("MRICORE", 1)}) as pacs:
        remote = RemoteAE("ORTHANC", "127.0.0.1", pacs.dicom_port, "MRICORE", 120)
        assert related_instances(remote, study, uid) is None
        upload(pacs, series[:3])
        assert related_instances(remote, study, uid) == 3
        upload(pacs, series[3:])
        assert related_instances(remote, study, uid) == 5
