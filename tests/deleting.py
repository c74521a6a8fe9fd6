"""DICOMweb with deletion over what a bench received and made, for tests."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset
from starlette.types import ASGIApp, Receive, Scope, Send

from node.adapters.database import jobs as rows
from node.adapters.database.index import Index
from node.adapters.imaging import Imaging
from node.adapters.objects import ResultFiles
from node.core.access import Actor
from node.core.states import JobState
from node.pipeline.archive import Archive, Indexing
from node.pipeline.archive.erasing import Erasing
from node.web import Web, dicomweb_routes
from node.web.access.demand import VISIT, Visit
from tests.bench import Bench
from tests.synthetic import Grid, mr_series

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

        def begin(
            actor: Actor, index_file: str = "index.db", drop: Callable[[str], None] | None = None
        ) -> httpx.Client:
            index = Index(f"sqlite:///{bench.store.folder / index_file}")
            closing.callback(index.close)
            index.migrate()
            indexing = Indexing(bench.store.database, index, imaging, path_of, bench.clock, "MRICORE")
            while indexing.step():
                pass
            drop = drop or bench.store.files.remove
            erasing = Erasing(bench.store.database, index, drop, results.drop, bench.clock)
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


def corrected(ds: Dataset, **change: str) -> Dataset:
    other = copy.deepcopy(ds)
    other.ImageComments = "corrected"
    for keyword, value in change.items():
        setattr(other, keyword, value)
    return other
