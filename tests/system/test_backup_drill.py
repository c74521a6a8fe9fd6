"""The drill of docs/howto-backup.md, as an operator does it: a node that works is backed up, lost, and restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.adapters.triton import EmbeddedTriton
from node.core.states import JobState
from tests.bench import until
from tests.command_line import Ran, mricore_node
from tests.databases import KINDS
from tests.postgresql import postgresql
from tests.processes import PATIENCE_S, end
from tests.replicas import Replica, Site, head_uids, heads, store


@pytest.fixture(params=KINDS)
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Of a node's database, and of an empty one."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}", f"sqlite:///{tmp_path / 'new.db'}"
        return
    with ExitStack() as servers:
        yield servers.enter_context(postgresql()), servers.enter_context(postgresql())


def test_a_node_is_lost_and_its_backup_is_a_node_that_works(
    urls: tuple[str, str], tmp_path: Path, triton: EmbeddedTriton
) -> None:
    old, new = (Site(tmp_path / name, url, triton) for name, url in zip(("old", "new"), urls, strict=True))
    old.folder.mkdir()
    new.folder.mkdir()
    first, second = heads(tmp_path, 2)
    before, after = head_uids(2)
    file = tmp_path / "backup.tar"
    with old.replica("node") as running:
        store(running.dicom_port, first)
        old.until_done([before])
        made = _command(old, "backup", file)  # while it runs
        assert made.status == 0, made.err
        assert file.stat().st_mode & 0o077 == 0, "it is for who made it alone"
        end(running.process)
    told = _command(new, "restore", file)
    assert told.status == 0, told.err
    assert "32 instances and 2 results" in told.out
    with new.replica("node") as running:
        (found,) = new.until_done([before])
        assert [job.state for job in found.jobs] == [JobState.COMPLETED]
        assert new.delivered() == []  # what was delivered before is not delivered again
        until(lambda: _indexed(running, before) == len(first), "the index, made again", PATIENCE_S)
        store(running.dicom_port, second)
        new.until_done([before, after])
        end(running.process)
    refused = _command(new, "restore", file)
    assert refused.status == 2
    assert "has received instances" in refused.err


def _command(site: Site, *arguments: object) -> Ran:
    """On the node of a site."""
    told = {
        "MRICORE_NODE__DATA_DIR": str(site.folder / "node"),
        "MRICORE_DATABASE__URL": site.url,
        "MRICORE_STORAGE__URL": f"file:{site.folder / 'shared'}",
    }
    return mricore_node(*arguments, environment=told)


def _indexed(running: Replica, uid: str) -> int:
    """Instances of a series that QIDO-RS finds."""
    answer = running.get(f"/dicom-web/instances?SeriesInstanceUID={uid}")
    return len(answer.json()) if answer.status_code == 200 else 0
