"""Reception: what an acknowledged instance can rely on, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from sqlalchemy import text, update

from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.tables import receipt
from node.core.arrival import Sender
from node.core.ledger import Disposition
from node.core.part10 import read_head
from node.core.status import CANNOT_UNDERSTAND, DATA_SET_DOES_NOT_MATCH, OUT_OF_RESOURCES, SUCCESS
from node.errors import BadInstance
from node.pipeline.reception import receive_file
from tests.receiving import SENDER, Encoded, Store, encoded, from_file, open_store, opened
from tests.synthetic import Grid, mr_series, to_bytes, uid

ONE = mr_series(Grid(slices=1))[0]


def changed(ds: Dataset, **attributes: object) -> Dataset:
    other = dcmread(BytesIO(to_bytes(ds)))
    for keyword, value in attributes.items():
        setattr(other, keyword, value)
    return other


def test_an_instance_that_is_answered_with_success_is_on_disk_and_in_the_ledger(store: Store) -> None:
    one = encoded(ONE)
    answer = store.receive(one)
    (line,) = store.receipts()
    (kept,) = store.instances()
    assert answer.status == SUCCESS
    assert (line.status, line.disposition, line.sha256) == (SUCCESS, Disposition.STORED, one.sha256)
    assert (line.calling_ae, line.host, line.association) == ("SCANNER", "192.0.2.1", "association-1")
    assert line.size == len(one.data_set)
    assert store.data_set(kept.path) == one.data_set
    assert store.paths() == {kept.path}


def test_another_process_sees_the_ledger_line_before_the_sender_hears_success(store: Store) -> None:
    seen: list[int] = []
    with opened(store.folder, chain="READER") as other:
        for one in mr_series(Grid(slices=5)):
            assert store.receive(encoded(one)).status == SUCCESS
            seen.append(len(other.receipts()))
    assert seen == [1, 2, 3, 4, 5]


def test_a_stored_file_is_a_dicom_file_that_says_what_the_command_said(store: Store) -> None:
    store.receive(encoded(ONE))
    (kept,) = store.instances()
    ds = dcmread(store.files.path(kept.path))
    assert ds.file_meta.MediaStorageSOPInstanceUID == ONE.SOPInstanceUID
    assert ds.file_meta.MediaStorageSOPClassUID == ONE.SOPClassUID
    assert ds.PixelData == ONE.PixelData


def test_no_name_on_disk_is_made_of_what_a_sender_wrote(store: Store) -> None:
    own = str(ONE.SOPInstanceUID).encode()
    path = b"../../../escaped/".ljust(len(own), b"1")
    answer = store.receive(from_file(to_bytes(ONE).replace(own, path)))
    assert answer.status == SUCCESS
    assert all("escaped" not in name for name in store.paths())


def test_the_same_bytes_again_are_a_success_and_stored_once(store: Store) -> None:
    one = encoded(ONE)
    assert [store.receive(one).status for _ in range(3)] == [SUCCESS] * 3
    assert [line.disposition for line in store.receipts()] == ["stored", "duplicate", "duplicate"]
    (kept,) = store.instances()
    assert store.paths() == {kept.path}
    assert balance(store.database).residue == 0


def test_the_same_bytes_from_many_associations_at_once_are_stored_once(store: Store) -> None:
    answers = store.receive_all([encoded(ONE)] * 24, threads=8)
    assert {answer.status for answer in answers} == {SUCCESS}
    assert sorted(line.disposition for line in store.receipts()) == ["duplicate"] * 23 + ["stored"]
    (kept,) = store.instances()
    assert store.paths() == {kept.path}
    assert store.data_set(kept.path) == encoded(ONE).data_set


def test_the_same_uid_with_other_bytes_is_a_success_and_kept_beside_the_first(store: Store) -> None:
    first, second = encoded(ONE), encoded(changed(ONE, SeriesDescription="another"))
    assert [store.receive(one).status for one in (first, second)] == [SUCCESS, SUCCESS]
    (kept,) = store.instances()
    stored, conflict = store.receipts()
    assert (stored.disposition, conflict.disposition) == ("stored", "conflict")
    assert "first stays in use" in conflict.reason
    assert kept.sha256 == first.sha256
    assert store.data_set(conflict.path) == second.data_set
    assert store.paths() == {kept.path, conflict.path}
    assert (balance(store.database).held, balance(store.database).residue) == (1, 0)


def test_conflicts_within_one_batch_leave_exactly_one_in_use(store: Store) -> None:
    versions = [encoded(changed(ONE, SeriesDescription=f"version {n}")) for n in range(16)]
    assert {answer.status for answer in store.receive_all(versions, threads=16)} == {SUCCESS}
    dispositions = [line.disposition for line in store.receipts()]
    assert sorted(dispositions) == ["conflict"] * 15 + ["stored"]
    assert len(store.paths()) == 16
    assert balance(store.database).residue == 0


@pytest.mark.parametrize(
    ("keyword", "sentence"),
    [
        ("SOPInstanceUID", "SOP Instance UID"),
        ("SOPClassUID", "SOP Class UID"),
        ("StudyInstanceUID", "Study Instance UID"),
        ("SeriesInstanceUID", "Series Instance UID"),
    ],
)
def test_a_data_set_without_a_uid_is_a900_and_its_bytes_are_kept(store: Store, keyword: str, sentence: str) -> None:
    one = encoded(ONE)
    bare = dcmread(BytesIO(to_bytes(ONE)))
    delattr(bare, keyword)
    without = Encoded(one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid, _data_set(bare))
    answer = store.receive(without)
    (line,) = store.receipts()
    assert answer.status == DATA_SET_DOES_NOT_MATCH
    assert sentence in answer.reason
    assert (line.status, line.disposition) == (DATA_SET_DOES_NOT_MATCH, Disposition.REFUSED)
    assert store.data_set(line.path) == without.data_set
    assert not store.instances()
    assert balance(store.database).received == 0


def _data_set(ds: Dataset) -> bytes:
    """A data set that lacks what a file must have."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=False)
    content = buffer.getvalue()
    return content[read_head(content).data_set_at :]


@pytest.mark.parametrize("which", ["class", "instance"])
def test_a_data_set_that_contradicts_its_command_is_a900(store: Store, which: str) -> None:
    one = encoded(ONE)
    wrong = (
        Encoded("1.2.840.10008.5.1.4.1.1.2", one.sop_instance_uid, one.transfer_syntax_uid, one.data_set)
        if which == "class"
        else Encoded(one.sop_class_uid, uid("somebody else"), one.transfer_syntax_uid, one.data_set)
    )
    answer = store.receive(wrong)
    assert answer.status == DATA_SET_DOES_NOT_MATCH
    assert which in answer.reason.lower()
    (line,) = store.receipts()
    assert store.data_set(line.path) == one.data_set


def test_bytes_that_are_no_data_set_are_c000_and_kept(store: Store) -> None:
    page = b"<html><body>502 Bad Gateway</body></html>"
    answer = store.receive(Encoded("1.2.840.10008.5.1.4.1.1.4", uid("page"), "1.2.840.10008.1.2.1", page))
    (line,) = store.receipts()
    assert answer.status == CANNOT_UNDERSTAND
    assert answer.reason
    assert store.data_set(line.path) == page


def test_a_data_set_of_another_transfer_syntax_than_agreed_is_refused(store: Store) -> None:
    one = encoded(ONE)
    answer = store.receive(Encoded(one.sop_class_uid, one.sop_instance_uid, ImplicitVRLittleEndian, one.data_set))
    assert answer.status in (CANNOT_UNDERSTAND, DATA_SET_DOES_NOT_MATCH)
    assert not store.instances()


@pytest.mark.parametrize("size", [200, 70_000])
def test_uids_of_absurd_length_cost_one_refusal_and_nothing_else(store: Store, size: int) -> None:
    one = encoded(ONE)
    absurd = Encoded("1." * (size // 2), "2." * (size // 2), one.transfer_syntax_uid, one.data_set + bytes(2 << 20))
    assert store.receive(absurd).status == DATA_SET_DOES_NOT_MATCH
    assert store.receive(one).status == SUCCESS


def test_below_the_watermark_everything_is_a700_and_nothing_stays(tmp_path: Path) -> None:
    with opened(tmp_path, low_watermark=1 << 60) as store:
        small, large = encoded(ONE), encoded(mr_series(Grid(slices=1, rows=1024, columns=1024), name="large")[0])
        answers = store.receive_all([small, large])
        assert {answer.status for answer in answers} == {OUT_OF_RESOURCES}
        assert all("low_watermark" in answer.reason for answer in answers)
        assert [line.disposition for line in store.receipts()] == ["refused", "refused"]
        assert store.paths() == set()


def test_after_room_was_made_the_same_instance_is_stored(tmp_path: Path) -> None:
    with opened(tmp_path, low_watermark=1 << 60) as full:
        assert full.receive(encoded(ONE)).status == OUT_OF_RESOURCES
    with opened(tmp_path) as store:
        assert store.receive(encoded(ONE)).status == SUCCESS
        assert not broken_chains(store.database)


def test_a_database_that_cannot_be_written_is_a700_and_leaves_no_file(store: Store) -> None:
    with store.database.transaction() as connection:
        connection.execute(text("CREATE TRIGGER closed BEFORE INSERT ON receipt BEGIN SELECT RAISE(ABORT, 'no'); END"))
    assert store.receive(encoded(ONE)).status == OUT_OF_RESOURCES
    assert store.paths() == set()
    with store.database.transaction() as connection:
        connection.execute(text("DROP TRIGGER closed"))
    assert store.receive(encoded(ONE)).status == SUCCESS
    assert not broken_chains(store.database)


def test_one_arrival_that_the_database_will_not_take_does_not_cost_the_others(store: Store) -> None:
    not_text = Sender("folder\udcff", "", "", "", "")
    many = [(encoded(ds), SENDER) for ds in mr_series(Grid(slices=20))]
    many.insert(10, (encoded(ONE), not_text))
    with ThreadPoolExecutor(len(many)) as pool:
        answers = list(pool.map(lambda pair: store.receive(*pair), many))
    assert [n for n, answer in enumerate(answers) if answer.status != SUCCESS] == [10]
    assert answers[10].status == OUT_OF_RESOURCES
    assert len(store.instances()) == len(store.paths()) == 20
    assert not broken_chains(store.database)


def test_receipts_of_many_threads_are_one_chain_whose_links_hold(store: Store) -> None:
    many = [encoded(ds) for n in range(8) for ds in mr_series(Grid(slices=12), name=f"series {n}")]
    answers = store.receive_all(many, threads=12)
    lines = store.receipts()
    assert {answer.status for answer in answers} == {SUCCESS}
    assert [line.number for line in lines] == list(range(1, len(many) + 1))
    assert {line.chain for line in lines} == {"MRICORE"}
    assert broken_chains(store.database) == {}
    assert {line.sha256 for line in lines} == {one.sha256 for one in many}
    assert len(store.series()) == 8
    assert balance(store.database).residue == 0


def test_the_chain_goes_on_where_it_was_after_a_start(tmp_path: Path) -> None:
    datasets = mr_series(Grid(slices=6))
    numbers: list[int] = []
    for part in (datasets[:3], datasets[3:]):
        with opened(tmp_path) as store:
            store.receive_all([encoded(ds) for ds in part])
            numbers = [line.number for line in store.receipts()]
            assert broken_chains(store.database) == {}
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_two_processes_on_one_store_keep_a_chain_each(tmp_path: Path) -> None:
    datasets = [encoded(ds) for ds in mr_series(Grid(slices=10))]
    with opened(tmp_path, chain="A") as one, opened(tmp_path, chain="B") as other:
        answers = [store.receive(ds) for ds in datasets for store in (one, other)]
        assert {answer.status for answer in answers} == {SUCCESS}
        assert broken_chains(one.database) == {}
        assert len(one.instances()) == 10
        assert [line.chain for line in one.receipts()] == ["A"] * 10 + ["B"] * 10
        assert balance(one.database).residue == 0


@pytest.mark.parametrize("column", [column.name for column in receipt.c if column.name not in ("chain", "number")])
def test_a_changed_ledger_line_is_found(store: Store, column: str) -> None:
    store.receive_all([encoded(ds) for ds in mr_series(Grid(slices=3))])
    other: object = {"size": 7, "status": 7, "at": store.clock().replace(year=1999), "disposition": "conflict"}.get(
        column, "0" * 64
    )
    with store.database.transaction() as connection:
        connection.execute(update(receipt).where(receipt.c.number == 2).values({column: other}))
    assert 2 in broken_chains(store.database)["MRICORE"]


def test_a_removed_ledger_line_is_found(store: Store) -> None:
    store.receive_all([encoded(ds) for ds in mr_series(Grid(slices=4))])
    with store.database.transaction() as connection:
        connection.execute(text("DELETE FROM receipt WHERE number = 2"))
    assert broken_chains(store.database)["MRICORE"] == (3,)


def test_a_sender_that_dies_in_the_middle_leaves_nothing(store: Store) -> None:
    for size in (10, 3 << 20):
        incoming = store.reception.incoming(SENDER, "1.2", "1.3", "1.2.840.10008.1.2.1")
        incoming.write(bytes(size))
        incoming.abandon()
    assert store.paths() == set()
    assert store.receipts() == []


def test_a_stopped_reception_answers_try_again_and_waits_for_nobody(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.reception.close()
    answers: list[int] = []
    late = threading.Thread(target=lambda: answers.append(store.receive(encoded(ONE)).status), daemon=True)
    late.start()
    late.join(60)
    assert answers == [OUT_OF_RESOURCES]
    assert store.paths() == set()
    store.database.close()


def test_a_series_is_known_by_its_patient_even_if_its_first_instance_was_refused(store: Store) -> None:
    one = encoded(ONE)
    refused = Encoded("1.2.840.10008.5.1.4.1.1.2", one.sop_instance_uid, one.transfer_syntax_uid, one.data_set)
    assert store.receive(refused).status == DATA_SET_DOES_NOT_MATCH
    assert store.receive(one).status == SUCCESS
    (row,) = store.series()
    assert (row.patient_id, row.accession_number) == ("SYN1", "A1")


def test_a_series_is_known_by_its_patient_even_if_its_first_instance_was_a_conflict(store: Store) -> None:
    first, second = mr_series(Grid(slices=2))
    store.receive(encoded(first))
    elsewhere = {"SeriesInstanceUID": uid("other series"), "PatientID": "SYN2"}
    assert store.receive(encoded(changed(first, **elsewhere))).status == SUCCESS
    assert store.receive(encoded(changed(second, **elsewhere))).status == SUCCESS
    assert {row.patient_id for row in store.series()} == {"SYN1", "SYN2"}


def test_a_file_is_received_as_if_it_had_been_sent(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(to_bytes(ONE))
    answer = receive_file(store.reception, Sender("folder", "", "", "", "watched"), path)
    (line,) = store.receipts()
    assert answer.status == SUCCESS
    assert (line.channel, line.sha256) == ("folder", encoded(ONE).sha256)


def test_a_file_that_is_not_dicom_is_told_apart(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not an image")
    with pytest.raises(BadInstance):
        receive_file(store.reception, SENDER, path)
    assert store.receipts() == []


_LARGE = """
import sys
from pathlib import Path
from tests.receiving import SENDER, encoded, opened
from tests.synthetic import Grid, mr_series
from node.core.part10 import read_head
def peak_kb():  # of this program; getrusage would tell that of the test process which started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
one = encoded(mr_series(Grid(slices=1, rows=8, columns=8))[0])
head, chunk = one.data_set[:-128], bytes(1 << 17)
with opened(Path(sys.argv[1])) as store:
    before = peak_kb()
    incoming = store.reception.incoming(SENDER, one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid)
    incoming.write(head)
    for _ in range(200 << 3):
        incoming.write(chunk)
    answer = incoming.finish()
    (kept,) = store.instances()
    after = peak_kb()
    print(answer.status, kept.size, after // 1024, (after - before) // 1024)
"""


def test_an_instance_of_200_mb_streams_to_disk_in_bounded_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LARGE, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    status, size, peak_mb, grown_mb = (int(word) for word in done.stdout.split())
    assert status == SUCCESS
    assert size > 200 << 20
    assert peak_mb < 300
    assert grown_mb < 40
