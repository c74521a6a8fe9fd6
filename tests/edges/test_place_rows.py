"""Rows of destinations and sources, on every database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from node.adapters.database import Database, places
from node.adapters.database.drills import traces
from node.adapters.database.places import Row
from node.adapters.database.sender_requests import Request, known, note
from node.adapters.database.senders import note_sender
from node.adapters.database.support import latest_jobs, latest_series
from node.errors import NodeError, NoSuch, Overtaken, Usage
from tests.databases import url
from tests.waiting import NOON, emptied, wait

__all__ = ["url"]

PACS = Row("destination", "PACS ü", {"kind": "stow", "url": "http://h"}, {"password": "geheim"}, 1)


def test_every_database_keeps_them_and_lets_only_one_of_two_change_them(url: str) -> None:
    database = emptied(Database(url))
    assert places.listed(database) == (0, [])
    places.add(database, PACS, "anna", NOON)
    first = places.number(database)
    assert places.listed(database) == (first, [PACS])
    with pytest.raises(Usage, match="there is a destination"):
        places.add(database, PACS, "anna", NOON)

    def edit(port: int) -> str:
        try:
            places.edit(database, replace(PACS, keys={"kind": "stow", "url": f"http://h:{port}"}), "anna", NOON)
        except NodeError as refused:
            return type(refused).__name__
        return "changed"

    with ThreadPoolExecutor(4) as threads:
        said = sorted(threads.map(edit, range(4)))
    assert said == ["Overtaken"] * 3 + ["changed"]
    assert places.number(database) > first
    wait(database, "a", destinations=("PACS ü",))
    with pytest.raises(Usage, match="1 jobs wait for PACS ü"):
        places.remove(database, "destination", "PACS ü", 2, "anna", NOON)
    with pytest.raises(Overtaken):
        places.remove(database, "destination", "PACS ü", 1, "anna", NOON)
    with pytest.raises(NoSuch):
        places.remove(database, "source", "PACS ü", 1, "anna", NOON)
    told = places.history(database, "destination", "PACS ü")
    assert [one.action for one in told] == ["edited", "added"]
    assert "geheim" not in str(told)
    database.close()


def test_every_database_keeps_what_senders_asked_for(url: str) -> None:
    database = emptied(Database(url))
    note_sender(database, calling_ae="MR", host="10.0.0.7", at=NOON, admitted=False, reason="no")
    for classes in (("1.2", "1.3"), ("1.2",)):
        note(database, "MR", "10.0.0.7", Request("MRICORE", "", classes))
    assert known(database) == {("MR", "10.0.0.7"): Request("MRICORE", "", ("1.2",))}
    database.close()


def test_every_database_tells_a_bundle_and_a_drill(url: str) -> None:
    database = emptied(Database(url))
    wait(database, "a")
    (one,) = latest_jobs(database, 10)
    assert one["state"] == "scheduled"
    (sample,) = latest_series(database, 10)
    assert {"4711", "Doe", "Jane", "7"} <= set(sample.identifying)
    assert traces(database) == 0
    database.close()
