"""Groups of destinations are kept while the node runs: the guards of destinations, and deliveries that take them up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.adapters.database import places as rows
from node.adapters.database.audit import Wanted, page
from node.adapters.objects import ResultFiles
from node.app.destinations import build_delivering, wanted_forms
from node.app.places import LiveMapping, Places
from node.core.forms import Form
from node.core.places import Family
from tests.bench import until
from tests.clock import Clock
from tests.delivering import Site
from tests.keeping import Kept, keeping
from tests.waiting import wait

PACS = {"ae_title": "PACS2", "host": "127.0.0.1", "port": 9}
FILES = [
    {"name": "pacs", "kind": "stow", "url": "http://127.0.0.1:9/dicom-web"},
    {"name": "archive", "kind": "stow", "url": "http://127.0.0.1:9/archive"},
    {"name": "labels", "kind": "stow", "url": "http://127.0.0.1:9/labels", "seg": "labelmap"},
]
GROUP = {"name": "of-file", "members": ["pacs", "archive"]}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Iterator[Kept]:
    (tmp_path / "exchange").mkdir()
    opened = {"folders": [tmp_path / "exchange"]}
    with keeping(tmp_path, clock, destination=FILES, destination_group=[GROUP], places=opened) as found:
        yield found


def add(kept: Kept, *members: str, name: str = "any") -> httpx.Response:
    return kept.api.post("/destination-groups", json={"name": name, "keys": {"members": members}})


def edit(kept: Kept, revision: int, *members: str, name: str = "any") -> httpx.Response:
    asked = {"revision": revision, "keys": {"members": members}}
    return kept.api.put(f"/destination-groups/{name}", json=asked)


def test_a_group_is_added_and_stands_behind_those_of_the_file(kept: Kept) -> None:
    made = add(kept, "archive", "pacs")
    assert made.status_code == 201, made.text
    assert made.json() == {
        "name": "any", "kind": "failover", "keys": {"members": ["archive", "pacs"]}, "secrets": [], "origin": "row",
        "revision": 1, "fault": "",
    }  # fmt: skip
    listed = kept.api.get("/destination-groups").json()
    assert [(one["name"], one["origin"]) for one in listed] == [("of-file", "file"), ("any", "row")]
    assert [(one["name"], one["state"]) for one in listed[1]["members"]] == [("archive", "idle"), ("pacs", "idle")]
    assert kept.places.settings().destination_group[1].members == ("archive", "pacs")
    assert kept.api.get("/destination-groups/any/standing").json() == listed[1]
    assert listed[1]["rules"] == []
    asked = kept.api.get("/destination-groups/kinds").json()["failover"]
    assert [(one["name"], one["choices"], one["required"]) for one in asked] == [
        ("members", ["pacs", "archive", "labels"], True)
    ]


@pytest.mark.parametrize(
    ("name", "keys", "what"),
    [
        ("x", {"members": ["pacs", "nobody"]}, "there is no destination nobody"),
        ("x", {"members": ["pacs", "of-file"]}, "there is no destination of-file"),
        ("x", {"members": ["pacs", "archive", "pacs"]}, "name one twice"),
        ("x", {"members": ["pacs", "labels"]}, "seg is not the same in all"),
        ("x", {"members": []}, "at least 1 item"),
        ("x", {"members": ["", ""]}, "at least 1 item"),
        ("x", {}, "field required"),
        ("x", {"members": {"pacs": 1}}, "has no such key"),
        ("x", {"members": ["pacs"] * 101}, "more than 100 lines"),
        ("x", {"members": [["pacs"]]}, "valid string"),
        ("x", {"members": ["pacs"], "host": "h"}, "has no such key"),
        ("pacs", {"members": ["archive"]}, "there is a destination pacs already"),
        ("of-file", {"members": ["archive"]}, "there is a group of-file already"),
        ("a/b", {"members": ["archive"]}, "is no name for one"),
    ],
)
def test_what_node_toml_would_not_take_is_refused(kept: Kept, name: str, keys: dict[str, Any], what: str) -> None:
    refused = kept.api.post("/destination-groups", json={"name": name, "keys": keys})
    assert (refused.status_code, what in refused.json()["detail"]) == (422, True), refused.text
    assert [one["name"] for one in kept.api.get("/destination-groups").json()] == ["of-file"]


def test_there_is_one_kind_and_it_may_be_said(kept: Kept) -> None:
    said = {"name": "any", "kind": "balance", "keys": {"members": ["pacs"]}}
    assert "Known: failover" in kept.api.post("/destination-groups", json=said).json()["detail"]
    assert kept.api.post("/destination-groups", json={**said, "kind": "failover"}).status_code == 201
    assert kept.api.post("/destinations", json={"name": "no-kind", "keys": PACS}).status_code == 422


def test_no_destination_takes_the_name_of_a_group(kept: Kept) -> None:
    add(kept, "pacs")
    for name in ("any", "of-file"):
        refused = kept.add("destinations", name, "dicom", PACS)
        assert (refused.status_code, f"there is a group {name} already" in refused.text) == (422, True), refused.text


def test_a_member_stays_while_a_group_names_it_and_wants_what_the_others_want(kept: Kept) -> None:
    kept.add("destinations", "PACS2", "dicom", PACS)
    add(kept, "PACS2", "pacs")
    refused = kept.api.delete("/destinations/PACS2", params={"revision": 1})
    assert (refused.status_code, "PACS2 is a member of any" in refused.text) == (422, True), refused.text
    other = {"revision": 1, "kind": "dicom", "keys": {**PACS, "pdf": True}}
    refused = kept.api.put("/destinations/PACS2", json=other)
    assert (refused.status_code, "pdf is not the same in all" in refused.text) == (422, True), refused.text
    assert edit(kept, 1, "PACS2").status_code == 200
    assert kept.api.put("/destinations/PACS2", json=other).status_code == 200
    assert "pdf" in edit(kept, 2, "PACS2", "pacs").text
    assert edit(kept, 2, "pacs").status_code == 200
    assert kept.api.delete("/destinations/PACS2", params={"revision": 2}).status_code == 204


def test_the_second_of_two_who_change_one_is_told(kept: Kept) -> None:
    add(kept, "pacs", "archive")
    assert edit(kept, 1, "archive").json()["revision"] == 2
    assert edit(kept, 1, "pacs").status_code == 409
    assert kept.api.delete("/destination-groups/any", params={"revision": 1}).status_code == 409
    assert kept.api.delete("/destination-groups/any", params={"revision": 2}).status_code == 204
    assert kept.api.get("/destination-groups/any").status_code == 404


def test_a_group_of_the_file_is_changed_there(kept: Kept) -> None:
    assert "node.toml" in edit(kept, 1, "pacs", name="of-file").json()["detail"]
    assert "node.toml" in kept.api.delete("/destination-groups/of-file", params={"revision": 1}).json()["detail"]


def test_a_group_that_jobs_wait_for_stays(kept: Kept) -> None:
    add(kept, "pacs")
    wait(kept.database, "a", destinations=("any",))
    refused = kept.api.delete("/destination-groups/any", params={"revision": 1})
    assert (refused.status_code, "1 jobs wait for any" in refused.text) == (422, True), refused.text


def test_who_changed_what_is_in_the_history_and_in_the_audit_trail(kept: Kept) -> None:
    add(kept, "pacs", "archive")
    edit(kept, 1, "archive", "pacs")
    kept.api.delete("/destination-groups/any", params={"revision": 2})
    add(kept, "pacs")
    told = kept.api.get("/destination-groups/any/history").json()
    assert [one["action"] for one in told] == ["added", "removed", "edited", "added"]
    assert told[2]["before"] == {"kind": "failover", "members": ["pacs", "archive"]}
    lines = [one.line for one in page(kept.database, Wanted(), None, 9)]
    assert [one.what for one in lines] == ["group.add", "group.remove", "group.edit", "group.add"]
    assert ('["pacs", "archive"]' in lines[2].before, '["archive", "pacs"]' in lines[2].after) == (True, True)


def test_a_row_with_one_name_twice_leaves_the_destination_in_use(kept: Kept, clock: Clock) -> None:
    """Two processes that added one name at once: pages and API would have refused."""
    rows.add(
        kept.database, rows.Row(Family.GROUP, "twin", {"kind": "failover", "members": ["pacs"]}, {}, 0), "a", clock()
    )
    rows.add(kept.database, rows.Row(Family.DESTINATION, "twin", {"kind": "dicom", **PACS}, {}, 0), "b", clock())
    found = Places(kept.places.file, kept.database).merged()
    assert "twin" in {one.name for one in found.settings.destination}
    assert "two destinations have this name" in found.faults["group", "twin"]
    assert found.unused() == {}


# Deliveries


def beside(kept: Kept, folder: Path, clock: Clock, places: Places | None = None) -> Site:
    """Another process, which delivers."""
    there = places or Places(kept.places.file, kept.database)
    delivering = build_delivering(there, kept.database, ResultFiles(folder / "results"), clock)
    return Site(kept.database, folder / "results", clock, _delivering=delivering)


def test_what_waits_for_a_group_takes_a_new_member_without_a_restart(kept: Kept, tmp_path: Path, clock: Clock) -> None:
    there = beside(kept, tmp_path, clock)
    kept.add("destinations", "folder", "folder", {"path": str(tmp_path / "exchange" / "out")})
    add(kept, "pacs", "archive")
    until(lambda: "any" in there.delivering.groups, "the group is taken up")
    number = there.job("any")
    for _ in range(4):  # until both breakers are open
        assert "cannot be reached" in there.attempt(number)
    assert there.run() == []
    assert edit(kept, 1, "pacs", "folder").status_code == 200
    until(lambda: "folder" in there.delivering.groups["any"], "the change is taken up")
    assert there.run() == []
    clock.advance(3)  # seconds, and not the minutes that breakers ask for
    assert there.run() == ["delivered to any"]
    assert all(answer.startswith("folder: ") for _, _, answer, _ in there.answers(number))


def test_a_delivery_to_a_group_that_was_added_a_moment_ago_is_not_refused(
    kept: Kept, tmp_path: Path, clock: Clock
) -> None:
    there = beside(kept, tmp_path, clock)
    assert [*there.delivering.groups] == ["of-file"]
    kept.add("destinations", "folder", "folder", {"path": str(tmp_path / "exchange" / "out")})
    add(kept, "folder")
    assert there.attempt(there.job("any")) == "delivered to any"  # at once


def test_a_group_that_lost_a_member_in_node_toml_is_not_in_use_and_what_is_for_it_waits(
    kept: Kept, tmp_path: Path, clock: Clock
) -> None:
    add(kept, "pacs", "archive")
    left = kept.places.file.model_copy(
        update={"destination": kept.places.file.destination[:1], "destination_group": ()}
    )
    places = Places(left, kept.database)
    there = beside(kept, tmp_path, clock, places)
    assert "any" not in places.settings().destination_names
    number = there.job("any")
    assert there.attempt(number) == "any is not in use: members: there is no destination archive"
    assert there.state(number) == "scheduled"
    assert there.breaker("any").failures == 0


def test_results_take_the_forms_that_the_members_want(kept: Kept) -> None:
    forms = LiveMapping(Places(kept.places.file, kept.database), wanted_forms, looks_again=True)
    add(kept, "labels")
    assert Form.LABELMAP in forms["any"]
    edit(kept, 1, "pacs")
    until(lambda: Form.LABELMAP not in forms["any"], "the other form is taken up")


def test_every_moment_is_of_one_piece(kept: Kept) -> None:
    """What is iterated over does not lose a part on the way."""
    groups = LiveMapping(kept.places, lambda settings: {one.name: one.members for one in settings.destination_group})
    add(kept, "pacs")
    seen = []
    for name, members in groups.items():
        kept.api.delete("/destination-groups/any", params={"revision": 1})
        kept.places.look()
        seen.append((name, members))
    assert seen == [("of-file", ("pacs", "archive")), ("any", ("pacs",))]
    assert [*groups] == ["of-file"]
