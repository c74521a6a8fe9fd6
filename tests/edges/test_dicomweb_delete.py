"""Deletion over DICOMweb: by who may, of what is settled; rows stay, the ledger balances, the trail says who."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from node.adapters.database import audit, trace
from node.adapters.database import jobs as rows
from node.adapters.database.audit import Wanted
from node.adapters.database.balance import balance
from node.adapters.database.index import Index
from node.adapters.database.ledger import broken_chains
from node.adapters.database.series import missing_files
from node.adapters.imaging import Imaging
from node.adapters.objects import ResultFiles, kept_size
from node.core.access import LOCAL, Actor, Role
from node.core.states import JobState
from node.pipeline.archive import Archive, Indexing
from node.pipeline.archive.erasing import Erasing
from node.web import Web, dicomweb_routes
from node.web.access.demand import VISIT, Visit
from tests.bench import Bench, bench
from tests.receiving import clock, store
from tests.synthetic import Grid, mr_series

__all__ = ["bench", "clock", "store"]

HEAD = mr_series(Grid(slices=10))
STUDY = f"/studies/{HEAD[0].StudyInstanceUID}"
SERIES = f"{STUDY}/series/{HEAD[0].SeriesInstanceUID}"
INSTANCE = f"{SERIES}/instances/{HEAD[3].SOPInstanceUID}"

Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(bench: Bench) -> Iterator[Serve]:
    """DICOMweb over what the bench received and made, for an actor."""
    with ExitStack() as closing:
        results = ResultFiles(bench.store.folder / "results")
        imaging = closing.enter_context(Imaging())

        def path_of(kind: str, name: str) -> Path:
            return bench.store.files.path(name) if kind == "instances" else results.path(name)

        def begin(actor: Actor, index_file: str = "index.db") -> httpx.Client:
            index = Index(f"sqlite:///{bench.store.folder / index_file}")
            closing.callback(index.close)
            index.migrate()
            indexing = Indexing(bench.store.database, index, imaging, path_of, bench.clock, "MRICORE")
            while indexing.step():
                pass
            erasing = Erasing(bench.store.database, index, bench.store.files.remove, results.drop, bench.clock)
            archive = Archive(index, imaging, path_of, erasing)

            def known(app: ASGIApp) -> ASGIApp:
                async def called(scope: Scope, receive: Receive, send: Send) -> None:
                    scope[VISIT] = Visit(actor)
                    await app(scope, receive, send)

                return called

            web = Web(dicomweb_routes(None, 1, archive), known)
            closing.callback(web.stop)
            port = web.start("127.0.0.1", 0)
            return closing.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}/dicom-web", timeout=60))

        yield begin


def delivered(bench: Bench) -> None:
    job = bench.complete(HEAD)
    assert bench.attempt() == "delivered to out"
    assert rows.finish(bench.store.database, job.id, JobState.COMPLETED, "delivered to out", bench.clock())


def files(bench: Bench) -> list[Path]:
    return [path for path in bench.store.folder.rglob("*.dcm") if "out" not in path.parts]


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
