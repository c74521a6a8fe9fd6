"""Nothing that a node does over and over, and no page or route, looks through a table that grows for ever."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from benchmarks.pages.filling import fill
from node.adapters.database import Database, deliveries, feeds, notices, processes, retention, shadows, stuck
from node.adapters.database.index import followed
from node.adapters.database.ledger import Ledger
from node.app.node import Node
from node.config import Settings
from node.core.notices import Alarm, Kind, Severity, Sighting, Told
from tests.bench import until
from tests.plans import GROWS, Noted, fault, statements
from tests.synthetic import Grid, mr_series, to_bytes
from tests.waiting import NOON

_SERIES = 400
_LOOK_AT_EVERYTHING = frozenset({"/v1/support", "/v1/audit/check"})  # and say so
_NEVER_END = frozenset({"/v1/board/events"})
_IN_THE_BACKGROUND = "counting"  # a thread that counts over all there is, a twentieth of the time at most
_FILTERED = (
    "state=completed", "state=failed", "model=mri_core_head", "state=failed&model=mri_core_head", "destination=pacs",
    "priority=stat", "text=sato", "text=A7", "text=nobody",
)  # fmt: skip
_PAGES = (
    "", "?q=yamada", "?q=A7", "?q=1.2.3.4.7", "studies?uid=1.2.3.9.7", "series?uid=1.2.3.4.7", "inbox", "board",
    "rules", "rules/-/why", "places", "models", "models/mri_core_head", "jobs/7", "notices", "users", "audit",
)  # fmt: skip


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Noted, Path]:
    """All that a node with some history asked of its databases while it was used."""
    folder = tmp_path_factory.mktemp("node")
    fill(folder, _SERIES)
    settings = Settings.model_validate(
        {
            "node": {"data_dir": folder, "ae_title": "BENCH", "stop_seconds": 5},
            "dicom": {"host": "127.0.0.1", "port": 0, "accept": "any"},
            "http": {"port": 0},
            "completion": {"quiet_seconds": 1, "settle_seconds": 0.1},
            "storage": {"low_watermark": 0, "keep_days": 1},
            "triton": {"url": "grpc://127.0.0.1:9"},
            "destination": [{"name": "pacs", "kind": "folder", "path": str(folder / "out")}],
        }
    )
    with statements() as found:
        node = Node(settings)
        node.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{node.http_port}", timeout=60, trust_env=False) as client:
                use(client)
        finally:
            node.stop()
        now_and_then(folder)
    return found, folder


def use(client: httpx.Client) -> None:
    """One series is received and comes to its decision; everything that can be read is read."""
    (ds,) = mr_series(Grid(slices=1), name="new")
    part = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + to_bytes(ds) + b"\r\n--b--\r\n"
    told = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    assert client.post("/dicom-web/studies", content=part, headers=told).status_code == 200
    trace = f"/api/v1/series/{ds.SeriesInstanceUID}/trace"
    until(lambda: client.get(trace).json()["state"] != "waiting", "a decision")
    until(lambda: client.get("/dicom-web/studies").status_code == 200, "an index")
    for path in ("/metrics", "/readyz", "/healthz", "/dicom-web/series", "/dicom-web/instances"):
        assert client.get(path).status_code < 504
    for page in _PAGES:
        assert client.get(f"/admin/{page}", headers={"Accept": "text/html"}, follow_redirects=True).status_code < 500
    cause = client.get("/api/v1/inbox").json()[0]["cause"]
    for path, methods in client.get("/api/openapi.json").json()["paths"].items():
        if "get" in methods and path not in _LOOK_AT_EVERYTHING | _NEVER_END:
            for one in (path, *(f"{path}?{more}" for more in _FILTERED if path == "/v1/jobs")):
                named = one.replace("{uid}", "1.2.3.4.7").replace("{cause}", cause)
                assert client.get("/api" + re.sub(r"\{\w+\}", "1", named)).status_code < 500, path
    for path in ("/v1/trace", "/v1/rules/matches"):
        assert client.post(f"/api{path}", json={"text": "sato"}).status_code < 500


def now_and_then(folder: Path) -> None:
    """What happens when a destination answers again, somebody is told, files are swept up, a result is replaced."""
    database = Database(f"sqlite:///{folder / 'node.db'}")
    try:
        deliveries.close_breaker(database, "pacs", ["pacs"], NOON)
        deliveries.report(database, "1.2", ["1.2.3"], {}, NOON)
        assert not deliveries.all_queued(database)
        assert not Ledger(database, "none", timedelta()).named(["none.dcm"])
        assert not retention.named(database, ["none.dcm"]) | retention.named_results(database, ["none.dcm"])
        retention.oldest(database, 9, NOON)
        feeds.note_missed(database, "old", "1.2", "it is gone", NOON)
        assert [one.missed for one in feeds.states(database)] == [1]
        notices.gather(database, NOON)
        notices.unsent(database)
        rule = Alarm(1, Kind.RULE, "head", Severity.INFO, "", 1, NOON, NOON)
        notices.sighted(database, [Sighting(Kind.HELD, "", Severity.INFO, "one waits")], NOON)
        notices.note_told(database, rule, "it", Told(1, True, 1, Severity.INFO, NOON), "raised", "")
        shadows.counted(database, 1)
        shadows.differing(database, 1)
        shadows.sweep(database, NOON)
        followed.superseded(database, [1, 2])
        stuck.numbers(database, "failed.x", 9)
        processes.bury(database, "another", 1e9, NOON)
    finally:
        database.close()


def test_no_query_looks_through_a_table_that_grows(noted: tuple[Noted, Path]) -> None:
    found, folder = noted
    assert len(found) > 100
    faults = {
        one.statement: f"{wrong}\n    in {one.thread}: {one.statement}"
        for one, plan in found.plans(folder)
        if one.thread != _IN_THE_BACKGROUND and (wrong := fault(one, plan))
    }
    assert not faults, "\n\n".join(faults.values())


def test_the_tables_that_grow_are_looked_at_at_all(noted: tuple[Noted, Path]) -> None:
    """Without which the test above would find nothing."""
    seen = {table for one in noted[0] for table in GROWS if re.search(rf"\b{table}\b", one.statement)}
    assert {"receipt", "instance", "series", "job", "change", "result", "delivery", "audit", "index_file"} <= seen
