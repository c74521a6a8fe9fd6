"""Deletion over DICOMweb: by who may, of what is settled; rows stay, the ledger balances, the trail says who."""

from __future__ import annotations

from functools import partial

import httpx
import pytest

from node.adapters.database import audit, trace
from node.adapters.database import erasing as rows_of_erasing
from node.adapters.database.audit import Wanted
from node.adapters.database.balance import balance
from node.adapters.database.erasing import Asked
from node.adapters.database.ledger import broken_chains
from node.adapters.database.reopening import reopen
from node.adapters.database.series import missing_files
from node.adapters.objects import kept_size
from node.core.access import LOCAL, Actor, Role
from node.web.pages.timeline import timeline
from tests.bench import Bench, bench, rules
from tests.deleting import HEAD, INSTANCE, SERIES, STUDY, Serve, corrected, delivered, files, serve
from tests.receiving import clock, store
from tests.synthetic import Grid, mr_series

__all__ = ["bench", "clock", "serve", "store"]


@pytest.mark.parametrize("path", [STUDY, SERIES])
def test_what_is_settled_goes_with_its_results_and_its_rows_stay(bench: Bench, serve: Serve, path: str) -> None:
    delivered(bench)
    before = balance(bench.store.database)
    http = serve(LOCAL)
    assert len(http.get(f"{STUDY}/series").json()) == 3
    assert http.delete(path, headers={"X-Reason": "wrong patient"}).status_code == 204
    assert files(bench) == []
    assert http.get(f"{STUDY}/series").status_code == 204
    assert http.get(SERIES).status_code == 404
    assert http.delete(path).status_code == 404
    database = bench.store.database
    assert balance(database) == before
    assert broken_chains(database) == {}
    assert missing_files(database, partial(kept_size, bench.store.files)) == []
    (line,) = trace.find(database, str(HEAD[0].SeriesInstanceUID))
    assert line.history[-1].why == "its bytes were removed over DICOMweb: wrong patient"
    assert [(step.kind, step.actor) for step in timeline(line)][-2:] == [("deleted", "local"), ("removed", "")]
    (told,) = audit.page(database, Wanted(what="dicomweb.delete"), None, 9)
    assert (told.line.actor, told.line.reason) == ("local", "wrong patient")
    assert told.line.after == '{"instances": 10, "results": 2}'


def test_one_instance_goes_and_the_others_stay(bench: Bench, serve: Serve) -> None:
    delivered(bench)
    before = balance(bench.store.database)
    http = serve(LOCAL)
    assert http.delete(INSTANCE).status_code == 204
    assert len(http.get(f"{SERIES}/instances").json()) == 9
    assert http.get(INSTANCE).status_code == 404
    assert balance(bench.store.database) == before
    assert missing_files(bench.store.database, partial(kept_size, bench.store.files)) == []


def test_a_result_alone_goes_and_its_images_stay(bench: Bench, serve: Serve) -> None:
    delivered(bench)
    http = serve(LOCAL)
    (made,) = http.get(f"{STUDY}/series?Modality=SEG").json()
    assert http.delete(f"{STUDY}/series/{made['0020000E']['Value'][0]}").status_code == 204
    assert len(http.get(f"{STUDY}/series").json()) == 2
    assert len(http.get(f"{SERIES}/instances").json()) == 10


def test_an_index_that_is_made_again_does_not_find_what_was_removed(bench: Bench, serve: Serve) -> None:
    delivered(bench)
    assert serve(LOCAL).delete(INSTANCE).status_code == 204
    again = serve(LOCAL, "again.db")
    assert len(again.get(f"{SERIES}/instances").json()) == 9
    assert again.delete(STUDY).status_code == 204
    assert serve(LOCAL, "third.db").get("/studies").status_code == 204


def test_an_index_that_is_made_again_knows_whole_headers_of_what_came_again(bench: Bench, serve: Serve) -> None:
    """The file of its first receipt is gone: what is kept now says what it is."""
    delivered(bench)
    assert serve(LOCAL).delete(STUDY).status_code == 204
    bench.receive(mr_series(Grid(slices=64), name="in between"))
    bench.receive(HEAD)
    again = serve(LOCAL, "again.db")
    (study,) = again.get(f"/studies?StudyInstanceUID={HEAD[0].StudyInstanceUID}").json()
    assert study["00100020"]["Value"] == [HEAD[0].PatientID]


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE])
def test_what_waits_is_refused_and_stays(bench: Bench, serve: Serve, path: str) -> None:
    bench.receive(HEAD)
    http = serve(LOCAL)
    answer = http.delete(path)
    assert answer.status_code == 409
    assert "is not settled" in answer.json()["reason"]
    bench.clock.advance(700)
    bench.judge_due()
    assert http.delete(path).status_code == 409  # its job waits
    assert len(files(bench)) == 10


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_nobody_but_an_administrator_may(bench: Bench, serve: Serve, role: Role) -> None:
    delivered(bench)
    answer = serve(Actor("somebody", role, sees_patients=True)).delete(STUDY)
    assert answer.status_code == 403
    assert "right to administer" in answer.json()["reason"]
    assert len(files(bench)) == 12


def test_what_is_not_there_and_what_is_no_uid_is_told(bench: Bench, serve: Serve) -> None:
    http = serve(LOCAL)
    assert http.delete("/studies/1.2.3").status_code == 404
    assert http.delete(f"{STUDY}/series/1.2.3/instances/1.2.3").status_code == 404
    assert http.delete("/studies/..%2Fetc").status_code in (400, 404, 405)
    assert http.delete("/studies/abc").status_code == 400
    assert http.delete("/studies/1.2.3", headers={"X-Reason": "x" * 501}).status_code == 400


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE, "result"])
def test_a_kill_between_the_rows_and_the_index_leaves_nothing_to_be_found(
    bench: Bench, serve: Serve, path: str
) -> None:
    delivered(bench)
    http = serve(LOCAL)
    if path == "result":
        (made,) = http.get(f"{STUDY}/series?Modality=SEG").json()
        path = f"{STUDY}/series/{made['0020000E']['Value'][0]}"
    before = listed(http)
    uids = path.split("/")
    study, series, instance = (uids[at] if at < len(uids) else "" for at in (2, 4, 6))
    asked = Asked(study, series, instance, "admin", "")
    database = bench.store.database
    (portion,) = rows_of_erasing.plan(database, asked).portions
    gone = rows_of_erasing.erase(database, asked, portion, bench.clock()).files  # and the process ended
    assert listed(http) == before
    assert listed(serve(LOCAL)) == before - {one.sop_instance_uid for one in gone}


def listed(http: httpx.Client) -> set[str]:
    answer = http.get("/instances")
    return {one["00080018"]["Value"][0] for one in answer.json()} if answer.status_code == 200 else set()


@pytest.fixture
def many(bench: Bench) -> list[str]:
    """The series of a study of more than one portion, settled."""
    bench.rule_set = rules({"_set.yaml": "otherwise: ignore\n"})
    one = mr_series(Grid(slices=1, rows=4, columns=4))[0]
    series = [corrected(one, SeriesInstanceUID=f"1.2.{at}", SOPInstanceUID=f"1.2.{at}.1") for at in range(10, 40)]
    for ds in series:
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    bench.receive(series)
    bench.clock.advance(700)
    while bench.judge_due():
        pass
    return [str(ds.SeriesInstanceUID) for ds in series]


def test_a_large_study_goes_in_portions_and_what_there_is_no_time_for_is_said(
    bench: Bench, serve: Serve, many: list[str]
) -> None:
    def drop(path: str) -> None:
        bench.clock.advance(1)
        bench.store.files.remove(path)

    http = serve(LOCAL, drop=drop)
    first = http.delete(STUDY)
    assert (first.status_code, first.headers["Retry-After"]) == (503, "5")
    assert first.json()["reason"].startswith("25 of 30 series are deleted")
    assert len(http.get(f"{STUDY}/series").json()) == 5
    assert http.delete(STUDY).status_code == 204
    assert http.get(f"{STUDY}/series").status_code == 204


def test_a_series_that_is_not_settled_any_more_when_its_turn_comes_stays(
    bench: Bench, serve: Serve, many: list[str]
) -> None:
    def drop(path: str) -> None:
        reopen(bench.store.database, many[-1], "meanwhile", "anna", bench.clock())
        bench.store.files.remove(path)

    http = serve(LOCAL, drop=drop)
    answer = http.delete(STUDY)
    assert answer.status_code == 409
    assert f"series {many[-1]} is not settled" in answer.json()["reason"]
    assert "25 of 30 series were deleted by then" in answer.json()["reason"]
    assert len(http.get(f"{STUDY}/series").json()) == 5
    assert len(files(bench)) == 5
    assert http.delete(STUDY).json()["reason"].endswith("Finish, cancel or dismiss that first")
