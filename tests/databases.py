"""A database of each kind for tests that must hold on both: a SQLite file and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgresql import postgresql

KINDS = ["sqlite", "postgresql"]


def database_url(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'node.db'}"
        return
    with postgresql() as found:
        yield found


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One a module: a test that counts makes its own database empty."""
    yield from database_url(request.param, tmp_path_factory.mktemp("database"))
