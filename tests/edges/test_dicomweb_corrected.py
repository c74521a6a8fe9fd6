"""What was removed and comes again: the same, or with other bytes, after a person had it deleted or retention did."""

from __future__ import annotations

from collections import Counter
from functools import partial
from io import BytesIO

from pydicom import dcmread

from node.adapters.database import retention, trace
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.reopening import reopen
from node.adapters.database.series import missing_files
from node.adapters.objects import kept_size
from node.core.access import LOCAL
from tests.bench import Bench, bench
from tests.deleting import HEAD, INSTANCE, SERIES, STUDY, Serve, corrected, delivered, serve
from tests.receiving import clock, store

__all__ = ["bench", "clock", "serve", "store"]


def dispositions(bench: Bench) -> Counter[str]:
    return Counter(line.disposition for line in bench.store.receipts())


def test_a_deleted_instance_that_comes_corrected_takes_its_place_and_the_series_is_done_anew(
    bench: Bench, serve: Serve
) -> None:
    delivered(bench)
    assert serve(LOCAL).delete(INSTANCE).status_code == 204
    wrong, right = HEAD[3], corrected(HEAD[3])
    bench.receive([right, right, wrong])  # the wrong one once more, by somebody who has it still
    assert dispositions(bench) == {"stored": 10, "corrected": 1, "duplicate": 1, "conflict": 1}
    bench.complete([])
    assert bench.attempt() == "delivered to out"
    old, new = bench.jobs()
    assert (new.version, new.supersedes) == (2, old.id)
    found = balance(bench.store.database)
    assert (found.received, found.filtered, found.held, found.residue) == (13, 2, 1, 0)
    assert broken_chains(bench.store.database) == {}
    assert missing_files(bench.store.database, partial(kept_size, bench.store.files)) == []
    http = serve(LOCAL)
    assert len(http.get(f"{SERIES}/instances").json()) == 10
    content = http.get(INSTANCE, headers={"Accept": "application/dicom;transfer-syntax=*"}).content
    assert dcmread(BytesIO(content)).ImageComments == "corrected"
    assert http.get(f"{INSTANCE}/metadata").json()[0]["00204000"]["Value"] == ["corrected"]


def test_a_deleted_study_that_comes_corrected_is_of_the_patient_that_it_says(bench: Bench, serve: Serve) -> None:
    delivered(bench)
    assert serve(LOCAL).delete(STUDY, headers={"X-Reason": "wrong patient"}).status_code == 204
    bench.receive([corrected(ds, PatientID="RIGHT", PatientName="Right^Patient") for ds in HEAD])
    (row,) = bench.store.series()
    assert (row.patient_id, row.patient_name, row.version) == ("RIGHT", "Right^Patient", 2)
    (line,) = trace.find(bench.store.database, "Right")
    assert line.series_instance_uid == HEAD[0].SeriesInstanceUID
    assert trace.find(bench.store.database, "Synthetic")  # until all of it is there
    bench.complete([])
    assert trace.find(bench.store.database, "Synthetic") == []
    assert len(trace.find(bench.store.database, "Right Patient")) == 1
    assert dispositions(bench) == {"stored": 10, "corrected": 10}
    assert balance(bench.store.database).residue == 0
    (study,) = serve(LOCAL).get("/studies?PatientID=RIGHT").json()
    assert study["00201208"]["Value"] == [10]


def test_what_is_deleted_is_no_part_of_its_series_any_more(bench: Bench, serve: Serve) -> None:
    delivered(bench)
    assert serve(LOCAL).delete(f"{SERIES}/instances/{HEAD[9].SOPInstanceUID}").status_code == 204
    assert reopen(bench.store.database, str(HEAD[0].SeriesInstanceUID), "without it", "admin", bench.clock()) == ""
    bench.complete([])
    assert bench.attempt() == "delivered to out"
    assert bench.out.taken
    bench.receive([HEAD[9]])  # and is a late instance when it comes again
    (row,) = bench.store.series()
    assert (row.state, row.version) == ("waiting", 3)
    assert balance(bench.store.database).residue == 0


def test_other_bytes_of_what_retention_removed_are_a_conflict_until_a_person_deletes_it(
    bench: Bench, serve: Serve
) -> None:
    """The first was used, and nobody said that it was wrong."""
    delivered(bench)
    database = bench.store.database
    (seen,) = retention.oldest(database, 9)
    assert retention.remove(database, seen, "to make room", bench.clock())
    bench.receive([corrected(HEAD[3])])
    assert dispositions(bench) == {"stored": 10, "conflict": 1}
    assert "used and are gone" in bench.store.receipts()[-1].reason
    assert serve(LOCAL).delete(INSTANCE).status_code == 204
    bench.receive([corrected(HEAD[3])])
    assert dispositions(bench) == {"stored": 10, "conflict": 1, "corrected": 1}
    assert balance(database).residue == 0


def test_a_deleted_uid_that_comes_in_another_series_is_a_conflict(bench: Bench, serve: Serve) -> None:
    delivered(bench)
    assert serve(LOCAL).delete(STUDY).status_code == 204
    bench.receive([corrected(HEAD[3], SeriesInstanceUID="1.2.3"), corrected(HEAD[4], StudyInstanceUID="1.2.4")])
    assert dispositions(bench) == {"stored": 10, "conflict": 2}
    for study in (None, str(HEAD[0].StudyInstanceUID), "1.2.4"):
        assert balance(bench.store.database, study).residue == 0
