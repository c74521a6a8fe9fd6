"""What is remembered of destinations, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.adapters.database import claims, jobs
from node.adapters.database import deliveries as rows
from node.core.breaker import CLOSED, Breaker, Turn, probing, turn
from node.core.states import DeliveryState, JobState
from tests.databases import url  # noqa: F401 # a fixture
from tests.delivering import Site, site

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OPEN = Breaker(3, NOON, NOON + timedelta(minutes=5), "cannot be reached")


@pytest.fixture
def at(tmp_path: Path, url: str) -> Iterator[Site]:  # noqa: F811 # the fixture
    with site(tmp_path, url) as opened:
        yield opened


def test_a_breaker_is_kept_until_it_is_closed(at: Site) -> None:
    assert rows.known_breaker(at.database, "kept") == CLOSED
    assert rows.step(at.database, "kept", lambda _before: OPEN) == OPEN
    assert rows.known_breakers(at.database)["kept"] == OPEN
    assert rows.step(at.database, "kept", lambda _before: None) is None
    assert rows.known_breaker(at.database, "kept") == OPEN
    rows.close_breaker(at.database, "kept", ["kept"], NOON)
    assert rows.known_breaker(at.database, "kept") == CLOSED


def test_of_many_workers_one_gets_the_probe(at: Site) -> None:
    rows.step(at.database, "probed", lambda _before: OPEN)
    later, won = NOON + timedelta(minutes=6), []

    def claim() -> None:
        claimed = rows.step(
            at.database, "probed", lambda seen: probing(seen, later) if turn(seen, later) is Turn.PROBE else None
        )
        won.append(claimed is not None)

    workers = [threading.Thread(target=claim) for _ in range(8)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    assert won.count(True) == 1
    assert len(won) == 8


def test_what_waits_is_counted_by_destination(at: Site) -> None:
    number = at.job("counted", "other")
    assert rows.queued(at.database, ["counted"]) == 2
    assert rows.queued(at.database, ["counted", "other"]) == 4
    assert rows.all_queued(at.database)["counted"][0] == 2
    for one in jobs.to_deliver(at.database, number):
        jobs.note_delivery(at.database, one.id, DeliveryState.DELIVERED, "0000", NOON)
    assert rows.queued(at.database, ["counted", "other"]) == 0
    assert "counted" not in rows.all_queued(at.database)


def test_a_promise_goes_from_asked_to_reported(at: Site) -> None:
    number = at.job("promised")
    seg, sr = jobs.to_deliver(at.database, number)
    uids = {seg.id: (seg.sop_instance_uid, "0000"), sr.id: (sr.sop_instance_uid, "0000")}
    transaction = f"2.25.{number}77"
    rows.ask(at.database, transaction, "promised", uids, NOON)
    rows.ask(at.database, transaction, "promised", uids, NOON)
    assert {one.state for one in rows.promises(at.database, [*uids]).values()} == {"asked"}
    assert not rows.report(at.database, "2.25.4", [seg.sop_instance_uid], {}, NOON)
    failed = {sr.sop_instance_uid: "Failure Reason 0112"}
    assert rows.report(at.database, transaction, [seg.sop_instance_uid, "1.2.3"], failed, NOON)
    found = rows.promises(at.database, [*uids])
    assert (found[seg.id].state, found[sr.id].state, found[sr.id].reason) == (
        "committed",
        "failed",
        "Failure Reason 0112",
    )
    assert (found[seg.id].asked_at, found[seg.id].destination) == (NOON, "promised")
    rows.forget(at.database, [*uids])
    assert rows.promises(at.database, [*uids]) == {}


def test_a_capability_card_takes_the_place_of_the_one_before(at: Site) -> None:
    rows.keep_capability(at.database, "seen", {"works": False}, NOON)
    rows.keep_capability(at.database, "seen", {"works": True, "takes": {"Segmentation": ["Explicit"]}}, NOON)
    assert rows.capabilities(at.database)["seen"] == (NOON, {"works": True, "takes": {"Segmentation": ["Explicit"]}})


def test_an_answer_that_no_database_takes_is_kept_as_far_as_it_is_text(at: Site) -> None:
    number = at.job("far")
    (one, _) = jobs.to_deliver(at.database, number)
    jobs.note_delivery(at.database, one.id, DeliveryState.REFUSED, "0110 no\0room \ud800", NOON)
    assert jobs.refused(at.database, number) == [("far", "0110 no\N{REPLACEMENT CHARACTER}room ?")]
    claimed = claims.claim_this(at.database, number, at.clock(), claims.Claimant("worker"))
    assert claimed is not None
    assert jobs.finish(at.database, number, JobState.FAILED, "far answered\0", NOON, claim=claimed.claim)
    found = jobs.get(at.database, number)
    assert found is not None
    assert found.reason == "far answered\N{REPLACEMENT CHARACTER}"
