"""A real tritonserver for tests, a plugin that tests/conftest.py loads: ask for `triton` or `triton_client`.

`triton` serves the project's own repository for the whole session: leave it as it was. `own_triton` is a server that
a test may kill. All are skipped where the server's wheel is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.adapters.triton import EmbeddedTriton, Model, TritonClient, read_model
from node.errors import BadConfiguration
from tests.processes import PATIENCE_S

REPOSITORY = Path(__file__).parents[1] / "triton_models"
MODEL = "mri_core_head"

StartTriton = Callable[..., EmbeddedTriton]


def server_or_skip(repository: Path, work: Path, models: list[str], port: int = 0) -> EmbeddedTriton:
    try:
        return EmbeddedTriton(repository, work, models=models, port=port)
    except BadConfiguration as absent:
        pytest.skip(str(absent))


@pytest.fixture(scope="session")
def model() -> Model:
    return read_model(REPOSITORY / MODEL)


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTriton]:
    server = server_or_skip(REPOSITORY, tmp_path_factory.mktemp("triton"), [MODEL])
    server.start(timeout_s=PATIENCE_S)
    yield server
    server.stop()


@pytest.fixture
def triton_client(triton: EmbeddedTriton) -> Iterator[TritonClient]:
    with TritonClient(triton.url, token=triton.token) as client:
        yield client


@pytest.fixture
def start_triton(tmp_path: Path) -> Iterator[StartTriton]:
    """Starts servers that belong to the test: start_triton(repository, models, port)."""
    started: list[EmbeddedTriton] = []

    def start(repository: Path = REPOSITORY, models: tuple[str, ...] = (MODEL,), port: int = 0) -> EmbeddedTriton:
        server = server_or_skip(repository, tmp_path / f"triton-{len(started)}", list(models), port)
        started.append(server)
        server.start(timeout_s=PATIENCE_S)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def own_triton(start_triton: StartTriton) -> EmbeddedTriton:
    return start_triton()
