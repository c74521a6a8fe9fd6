"""Whatever schemathesis makes of our description, no request of it is answered by a fault of ours, nor undescribed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole_node import whole_node

_CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance"
_RUN = [
    sys.executable, "-m", "schemathesis.cli", "--no-color", "run", "--checks", _CHECKS, "--request-timeout", "60",
    "--warnings", "off", "--suppress-health-check", "all", "--seed", "8", "--continue-on-failure",
]  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A whole node on loopback without a user: whoever asks is its local administrator."""
    folder = tmp_path_factory.mktemp("node")
    destination = {"name": "pacs", "kind": "folder", "path": str(folder / "out")}
    with whole_node(folder, destination=[destination]) as node:
        yield f"http://127.0.0.1:{node.http_port}/api/openapi.json"


def demand_passed(address: str, folder: Path, *more: str) -> None:
    done = subprocess.run(
        [*_RUN, *more, address], cwd=folder, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "test cases:" in done.stdout.lower()


def test_a_few_requests_to_every_operation_are_answered_as_described(address: str, tmp_path: Path) -> None:
    demand_passed(address, tmp_path, "--phases", "fuzzing", "--max-examples", "1")


@pytest.mark.slow
def test_many_requests_to_every_operation_are_answered_as_described(address: str, tmp_path: Path) -> None:
    demand_passed(address, tmp_path, "--phases", "coverage,fuzzing,stateful", "--max-examples", "12")
