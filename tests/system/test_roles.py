"""Processes with different roles are one node: what one receives another works on, and a third shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.adapters.database import leases, processes
from node.adapters.triton import EmbeddedTriton
from tests.bench import until
from tests.command_line import mricore_node, settings_file
from tests.postgresql import postgresql
from tests.processes import PATIENCE_S, end
from tests.replicas import Site, head_uids, heads, store
from tests.s3 import s3

_FEED = """
[[source]]
name = "inbox"
kind = "folder"
path = "{folder}/inbox"
poll_seconds = 0.5
settle_seconds = 0.2
"""

_BALANCED = "mricore_ledger_residue_instances 0.0"  # counted in the background


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What tells the processes where the store is that they share."""
    if request.param == "folder":
        yield {}
        return
    with s3(tmp_path) as server:
        yield server.environment


@pytest.fixture
def site(tmp_path: Path, triton: EmbeddedTriton) -> Iterator[Site]:
    with postgresql() as url:
        yield Site(tmp_path, url, triton)


def test_one_receives_one_works_one_shows(site: Site, storage: dict[str, str]) -> None:
    (paths,) = heads(site.folder / "sent", 1)
    site = replace(site, environment=storage)
    with (
        site.replica("gate", "receive") as gate,
        site.replica("desk", "web") as desk,
        site.replica("bench", "work") as bench,
    ):
        assert (desk.dicom_port, bench.dicom_port) == (0, 0)
        store(gate.dicom_port, paths)
        (found,) = site.until_done(head_uids(1))
        assert [job.state for job in found.jobs] == ["completed"]
        for one in (gate, desk, bench):
            until(lambda one=one: one.unready() == [], "ready", PATIENCE_S)  # type: ignore[misc] # bound at once
            until(lambda one=one: _BALANCED in one.get("/metrics").text, _BALANCED, PATIENCE_S)  # type: ignore[misc] # so too
    assert [name.partition("-")[0] for name in site.delivered()] == ["seg", "sr"]


def test_a_role_needs_a_database_that_processes_share(tmp_path: Path) -> None:
    ran = mricore_node("serve", "--config", settings_file(tmp_path), "--role", "receive")
    assert ran.status == 2
    assert "database.url" in ran.err
    assert "PostgreSQL" in ran.err


def test_two_that_receive_under_one_ae_title_have_a_chain_each_and_one_follows_the_feed(site: Site) -> None:
    (paths,) = heads(site.folder / "sent", 1)
    inbox = site.folder / "inbox"
    inbox.mkdir()
    both = Site(site.folder, site.url, site.triton, more=_FEED.format(folder=site.folder))
    with both.replica("one", "receive") as one, both.replica("two", "receive") as two, site.database() as database:
        store(one.dicom_port, paths[0::2])
        store(two.dicom_port, paths[1::2])
        store(two.dicom_port, paths[:3])  # again, elsewhere: duplicates
        until(lambda: "feed inbox" in leases.holders(database), "somebody follows", PATIENCE_S)
        holder = leases.holders(database)["feed inbox"]
        follows, waits = (one, "two") if holder == "one" else (two, "one")
        end(follows.process)
        until(lambda: leases.holders(database).get("feed inbox") == waits, "the other follows", PATIENCE_S)
        assert set(processes.living(database)) == {waits}
        with both.replica("bench", "work"):
            (found,) = site.until_done(head_uids(1))
    assert found.received == {"stored": len(paths), "duplicate": 3}
    assert [job.state for job in found.jobs] == ["completed"]
