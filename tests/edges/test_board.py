"""The board: one snapshot for all who watch, and a stream of them that ends when it has to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import trustme
from sqlalchemy import event

from node.adapters.database import Database, disk_samples, model_reports, pauses, processes, senders
from node.adapters.database.deliveries import step
from node.adapters.database.ledger import Ledger
from node.adapters.database.model_reports import ModelReport
from node.core.board import Sample, Standing
from node.core.breaker import Breaker
from node.core.ledger import Disposition
from node.core.windows import Window
from node.errors import StoreUnavailable
from node.pipeline.board import Board, CertificateFile, KnownSource, Site, Snapshot
from node.pipeline.board.board import EVERY_S
from node.pipeline.board.reporting import sample_disk
from node.pipeline.gate import Gate, Policy, Slots
from node.web import Web, api_routes
from node.web.access import Open
from node.web.api.board import MOST, Watched, board_router
from tests.bench import until
from tests.clock import Clock
from tests.databases import database, url
from tests.waiting import NOON, arrival, emptied, wait

__all__ = ["database", "url"]

SOON = NOON + timedelta(minutes=2)
REPORT = ModelReport("node", "head", "1", NOON, NOON, "", False, 1, True, 4, 0, 64, 0.02, 0.4)


def site(database: Database, clock: Clock, policies: dict[str, Policy] | None = None) -> Site:
    gate = Gate(database, clock, policies or {}, {}, Slots())
    return Site(
        gate,
        destinations=lambda: ["pacs"],
        sources=lambda: [KnownSource("scanner 1", "dicom", "SCANNER")],
        models=lambda: ["head"],
        room=lambda: 50 * 10**9,
    )


def board(database: Database, clock: Clock | None = None) -> Board:
    clock = clock or Clock(SOON)
    return Board(database, site(database, clock), clock)


def test_what_came_is_counted_by_sender_and_refusals_are_told(database: Database) -> None:
    ledger = Ledger(database, "MRICORE", timedelta(seconds=1))
    for number in range(10):
        ledger.record([arrival(f"s{number}", NOON)])
    turned = arrival("bad", NOON)
    refused = replace(turned.receipt, status=0xA900, disposition=Disposition.REFUSED, reason="no UID", path="")
    ledger.record([replace(turned, receipt=refused)])
    ledger.close()
    senders.note_sender(
        database, calling_ae="WHO", host="192.0.2.9", at=NOON, admitted=False, reason="WHO is not listed"
    )
    known, stranger = board(database).snapshot().sources
    assert (known.name, known.last_day, known.per_minute, known.refused_last_day) == ("scanner 1", 10, 2.0, 1)
    assert known.standing is Standing.ATTENTION
    assert (stranger.name, stranger.known, stranger.sentence) == (
        "WHO",
        False,
        "It was turned away: WHO is not listed.",
    )


def test_the_ledger_is_read_on_from_where_the_last_look_ended_and_forgotten_after_a_day(database: Database) -> None:
    clock = Clock(SOON)
    seen = board(database, clock)
    wait(database, "a")
    assert seen._arrivals.look(clock())[0].last_day == 1
    wait(database, "b")
    assert seen._arrivals.look(clock())[0].last_day == 1 + 1
    clock.advance(25 * 3600)
    assert seen._arrivals.look(clock()) == []
    fresh = board(database, clock)
    assert fresh._arrivals.look(clock()) == []  # begins behind what is older than a day


def counted(shown: Board) -> Snapshot:
    """A snapshot with the balance, which is counted in the background."""
    until(lambda: shown.snapshot().balance.received is not None, "a balance")
    return shown.snapshot()


def test_every_database_says_the_same_of_minutes(url: str) -> None:
    database = emptied(Database(url))
    wait(database, "a")
    wait(database, "b", at=NOON + timedelta(minutes=1))
    (arrived,) = board(database)._arrivals.look(SOON)
    assert (arrived.last_day, arrived.per_minute) == (2, 0.4)
    snapshot = counted(board(database))
    assert (snapshot.balance.received, snapshot.balance.waiting, snapshot.jobs.states["scheduled"]) == (2, 2, 2)
    database.close()


def test_a_destination_shows_its_breaker_its_pause_and_its_window(database: Database) -> None:
    clock = Clock(SOON)
    next_try = SOON + timedelta(minutes=5)
    failing = Breaker(4, NOON, next_try, "it does not answer")
    assert step(database, "pacs", lambda _: failing)
    (item,) = board(database, clock).snapshot().destinations
    assert (item.breaker, item.failures, item.next_try_at) == ("open", 4, next_try)
    assert item.sentence.startswith("Waiting for pacs since")
    pauses.pause(database, pauses.DESTINATION, "pacs", "anna", NOON)
    whole_day = Policy(windows=(Window.read("00:00-00:00"),))
    (item,) = Board(database, site(database, clock, {"pacs": whole_day}), clock).snapshot().destinations
    assert (item.paused_at, item.paused_by) == (NOON, "anna")
    assert item.window_until


def test_models_are_shown_as_living_processes_see_them(database: Database) -> None:
    processes.arrive(database, "node", NOON, "all")
    model_reports.keep(database, "node", [REPORT])
    model_reports.keep(database, "dead", [replace(REPORT, process="dead", fault="its process died")])
    snapshot = board(database).snapshot()
    (model,) = snapshot.models
    assert (model.ready, model.requests, model.queue_ms, model.compute_ms) == (True, 4, 5.0, 100.0)
    assert [one.sentence for one in snapshot.triton] == ["It answers."]
    assert [(one.name, one.role) for one in snapshot.processes] == [("node", "all")]
    model_reports.keep(database, "node", [replace(REPORT, fault="the canary gave nonsense")])
    (model,) = board(database).snapshot().models
    assert (model.ready, model.standing, model.sentence) == (False, Standing.ACT, "The canary gave nonsense.")


def test_days_left_follow_from_samples_that_are_kept_every_half_hour(database: Database) -> None:
    clock = Clock(SOON - timedelta(days=2))
    while clock() < SOON:
        left = 10**9 * int((SOON - clock()) / timedelta(minutes=30))
        assert sample_disk(database, left.__int__, clock())
        assert not sample_disk(database, left.__int__, clock() + timedelta(minutes=10))
        clock.advance(1800)
    disk = board(database).snapshot().disk
    assert disk.bytes_per_day == pytest.approx(48 * 10**9)
    assert disk.days_left == pytest.approx(50 / 48, rel=0.05)
    assert disk.standing is Standing.ACT
    disk_samples.keep(database, Sample(SOON + timedelta(days=100), 0))
    assert len(disk_samples.since(database, NOON - timedelta(days=300))) == 1


def test_certificates_are_read_from_their_files(database: Database, tmp_path: Path) -> None:
    authority = trustme.CA()
    bundle, broken = tmp_path / "ca.pem", tmp_path / "broken.pem"
    authority.cert_pem.write_to_path(str(bundle))
    authority.issue_cert("node.test").cert_chain_pems[0].write_to_path(str(bundle), append=True)
    broken.write_text("no certificate")
    files = [CertificateFile("DICOM TLS", bundle), CertificateFile("a", broken), CertificateFile("b", tmp_path / "no")]
    clock = Clock(SOON)
    told = replace(site(database, clock), certificates=lambda: files)
    items = Board(database, told, clock).snapshot().certificates
    assert [one.name for one in items] == ["DICOM TLS", "DICOM TLS", "a", "b"]
    assert all(one.subject and one.days_left and one.days_left > 0 for one in items[:2])
    assert [one.sentence for one in items[2:]] == [
        "The file holds no certificate in PEM form.",
        "The file cannot be read: No such file or directory.",
    ]


def test_however_many_ask_it_is_computed_once(database: Database) -> None:
    wait(database, "a")
    shown = board(database)
    first, begin = counted(shown), time.monotonic()
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    found: list[Snapshot] = []
    threads = [threading.Thread(target=lambda: found.append(shown.snapshot())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    most = 1 + int((time.monotonic() - begin) / EVERY_S)  # times that it may have been computed by now
    assert {one.number for one in found} <= set(range(first.number, first.number + most + 1))
    assert len(asked) < 40 * most


@contextmanager
def served(shown: Board) -> Iterator[tuple[httpx.Client, Watched, Web]]:
    watched = Watched(shown)
    web = Web([*api_routes([board_router(shown, watched)])], access=Open, leaving=watched.stop)
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False) as client:
        yield client, watched, web
    web.stop()


def first_event(lines: Iterator[str]) -> tuple[str, str]:
    """Its name and its data."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        if line.startswith("data: "):
            return name, line.removeprefix("data: ")
    raise AssertionError("the stream ended without an event")


def test_who_watches_gets_the_snapshot_and_is_forgotten_when_he_goes(database: Database) -> None:
    wait(database, "a")
    shown = board(database)
    counted(shown)
    with served(shown) as (client, watched, _web):
        once = client.get("/board").json()
        with client.stream("GET", "/board/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()  # the stream is closed with the last reference to it
            name, data = first_event(lines)
            assert name == "board"
            assert json.loads(data)["balance"]["received"] == once["balance"]["received"] == 1
            assert watched.watching == 1
        until(lambda: watched.watching == 0, "that nobody watches")


def test_a_node_that_stops_ends_the_stream_at_once(database: Database) -> None:
    with served(board(database)) as (client, _watched, web), client.stream("GET", "/board/events") as answer:
        lines = answer.iter_lines()
        first_event(lines)
        web.stop()
        for _ in lines:  # to its end: of a stream that goes on nothing more would come, and no end either
            pass


def test_more_than_may_watch_are_told_to_ask_now_and_then(database: Database) -> None:
    with served(board(database)) as (client, watched, _web):
        for _ in range(MOST):
            watched.enter()
        answer = client.get("/board/events")
        assert answer.status_code == 503
        assert "now and then" in answer.json()["detail"]
        for _ in range(MOST):
            watched.leave()


def test_a_database_that_is_away_is_an_event_and_the_stream_goes_on(database: Database) -> None:
    class Away(Board):
        def snapshot(self) -> Snapshot:
            raise StoreUnavailable("the database does not answer")

    clock = Clock(SOON)
    with (
        served(Away(database, site(database, clock), clock)) as (client, _watched, _web),
        client.stream("GET", "/board/events") as answer,
    ):
        assert first_event(answer.iter_lines()) == ("fault", "the database does not answer")
