"""A DICOM file that comes in pieces is stored as if it had come whole, however it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from node.core.arrival import Sender
from node.core.part10 import read_head
from node.core.status import DATA_SET_DOES_NOT_MATCH, SUCCESS
from node.errors import BadInstance
from node.pipeline.incoming_file import IncomingFile
from node.pipeline.reception import Answer
from tests.synthetic import Grid, mr_series, to_bytes
from tests.ways_in import Desk, desk

_SENDER = Sender("stow", "STOW", "", "192.0.2.1", "request 1")


@pytest.fixture
def reception(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as opened:
        yield opened


def receive(opened: Desk, content: bytes, chunk: int = 4096, study: str = "") -> Answer:
    file = IncomingFile(opened.reception, _SENDER, study)
    for at in range(0, len(content), chunk):
        file.write(content[at : at + chunk])
    return file.finish()


def image() -> Dataset:
    return mr_series(Grid(slices=1, rows=256, columns=256), name="incoming")[0]


def data_set(content: bytes) -> bytes:
    return content[read_head(content).data_set_at :]


@pytest.mark.parametrize("chunk", [7, 132, 65535, 65536, 65537, 1 << 22])
def test_the_stored_data_set_is_the_one_that_came(reception: Desk, chunk: int) -> None:
    ds = image()
    sent = to_bytes(ds)
    assert receive(reception, sent, chunk).status == SUCCESS
    assert data_set(reception.stored()[ds.SOPInstanceUID].read_bytes()) == data_set(sent)


def test_long_file_meta_information_is_skipped(reception: Desk) -> None:
    ds = image()
    plain = data_set(to_bytes(ds))
    ds.file_meta.PrivateInformationCreatorUID = UID("1.2.3")
    ds.file_meta.PrivateInformation = bytes(100_000)
    assert receive(reception, to_bytes(ds), 1000).status == SUCCESS
    assert data_set(reception.stored()[ds.SOPInstanceUID].read_bytes()) == plain


def test_a_file_without_its_preamble_is_read(reception: Desk) -> None:
    ds = image()
    assert receive(reception, to_bytes(ds)[132:]).status == SUCCESS
    assert set(reception.stored()) == {ds.SOPInstanceUID}


def test_the_answer_names_the_instance(reception: Desk) -> None:
    ds = image()
    uids = receive(reception, to_bytes(ds)).uids
    assert (uids.sop_instance_uid, uids.study_instance_uid) == (ds.SOPInstanceUID, ds.StudyInstanceUID)
    assert receive(reception, to_bytes(ds), study=ds.StudyInstanceUID).status == SUCCESS
    assert receive(reception, to_bytes(ds), study="1.2.3").status == DATA_SET_DOES_NOT_MATCH


@pytest.mark.parametrize("length", [0, 100, 131, 150, 250])
def test_a_file_that_ends_in_its_head_is_no_instance_and_leaves_nothing(reception: Desk, length: int) -> None:
    with pytest.raises(BadInstance):
        receive(reception, to_bytes(image())[:length])
    assert reception.receipts() == []
    assert [path for path in reception.files.root.rglob("*") if path.is_file()] == []


def test_an_abandoned_file_leaves_nothing(reception: Desk) -> None:
    file = IncomingFile(reception.reception, _SENDER)
    file.write(to_bytes(image()) + bytes(4 << 20))
    file.abandon()
    assert reception.receipts() == []
    assert [path for path in reception.files.root.rglob("*") if path.is_file()] == []
