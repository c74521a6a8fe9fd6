"""A node's archive over HTTP for tests: a reception, the index behind it, and DICOMweb on a free port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydicom.dataset import Dataset
from starlette.applications import Starlette

from node.adapters.database.index import Index
from node.adapters.imaging import Imaging
from node.core.status import SUCCESS
from node.pipeline.archive import Archive, Indexing
from node.web.dicomweb import dicomweb_routes
from tests.receiving import Store, encoded, open_store


@dataclass(frozen=True)
class ServedArchive:
    """What is received, indexed and served."""

    store: Store
    results: Path
    index: Index
    indexing: Indexing
    archive: Archive
    http: httpx.Client  # below /dicom-web

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    def keep(self, *datasets: Dataset) -> None:
        """Receive instances and index them."""
        for ds in datasets:
            assert self.store.receive(encoded(ds)).status == SUCCESS
        self.catch_up()

    def catch_up(self) -> None:
        while self.indexing.step():
            pass

    def get(self, path: str, accept: str = "", **headers: str) -> httpx.Response:
        wanted = {"Accept": accept} if accept else {}
        return self.http.get(path, headers={**wanted, **headers})


@contextmanager
def served_archive(folder: Path, url: str = "") -> Iterator[ServedArchive]:
    store = open_store(folder, url=url)
    index = Index(url or f"sqlite:///{folder / 'index.db'}")
    index.migrate()
    results = folder / "results"
    results.mkdir(exist_ok=True)

    def path_of(name: str, path: str) -> Path:
        return {"instances": store.files.root, "results": results}[name] / path

    with Imaging() as imaging:
        archive = Archive(index, imaging, path_of)
        indexing = Indexing(store.database, index, imaging, path_of, store.clock, "MRICORE")
        with (
            serving(dicomweb_routes(store.reception, 1 << 40, archive)) as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}/dicom-web/", timeout=60) as http,
        ):
            yield ServedArchive(store, results, index, indexing, archive, http)
    index.close()
    store.close()


@contextmanager
def serving(routes: Sequence[object]) -> Iterator[int]:
    """Serves on a free port until the end of the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:  # as node/web/server does
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # whoever asks before the server has started waits, and is not refused
        application = Starlette(routes=list(routes))  # type: ignore[arg-type]
        server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(60)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedArchive]:
    """One for all tests of a file: each brings studies of its own."""
    with served_archive(tmp_path_factory.mktemp("archive")) as opened:
        yield opened
