"""/api/v1/destinations and /api/v1/sources: rows beside node.toml, with the same validation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from node.adapters.database.place_tables import place_change
from node.app.places import Places
from node.app.places.helps import HELPS
from node.app.places.keys import keys_of, kinds_of
from node.core.places import Family, Shape
from tests.keeping import Kept, keeping
from tests.waiting import wait

PACS = {"ae_title": "PACS2", "host": "127.0.0.1", "port": 11113}
FILE = {"name": "pacs", "kind": "dicom", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    (tmp_path / "exchange").mkdir()
    with keeping(tmp_path, destination=[FILE], places={"folders": [tmp_path / "exchange"]}) as found:
        yield found


def test_a_destination_is_added_and_stands_behind_those_of_the_file(kept: Kept) -> None:
    made = kept.add("destinations", "PACS 2", "dicom", PACS)
    assert made.status_code == 201, made.text
    assert made.json() | {"keys": None} == {
        "name": "PACS 2", "kind": "dicom", "keys": None, "secrets": [], "origin": "row", "revision": 1, "fault": ""
    }  # fmt: skip
    listed = kept.api.get("/destinations").json()
    assert [(one["name"], one["origin"]) for one in listed] == [("pacs", "file"), ("PACS 2", "row")]
    assert kept.api.get("/destinations/PACS 2").json()["keys"] == {
        "ae_title": "PACS2",
        "host": "127.0.0.1",
        "port": 11113,
    }
    (line,) = kept.api.get("/destinations/PACS 2/history").json()
    assert (line["action"], line["actor"], line["after"]["host"]) == ("added", "local", "127.0.0.1")


def test_what_a_form_sends_as_text_is_read_as_what_it_is(kept: Kept) -> None:
    keys = {
        "ae_title": "PACS2", "host": " pacs ", "port": "11113", "windows": "22:00-04:00\n12:00-13:00\n", "tls_ca": "",
        "gsps": "on", "pdf": "", "seg": "binary", "timeout_seconds": "7.5",
    }  # fmt: skip
    made = kept.add("destinations", "p", "dicom", keys)
    assert made.status_code == 201, made.text
    (one,) = (one for one in kept.places.settings().destination if one.name == "p")
    assert (one.host, one.port, one.gsps, one.pdf, one.timeout_seconds) == ("pacs", 11113, True, False, 7.5)
    assert one.windows == ("22:00-04:00", "12:00-13:00")
    assert one.tls_ca is None


@pytest.mark.parametrize(
    ("kind", "keys", "where", "what"),
    [
        ("dicom", {"host": "h"}, "destination x", "needs ae_title and host"),
        ("dicom", {**PACS, "ae_title": "much too long for one"}, "ae_title", "16 characters"),
        ("dicom", {**PACS, "port": 70000}, "port", "65535"),
        ("dicom", {**PACS, "timeout_seconds": "inf"}, "timeout_seconds", "is no number"),
        ("dicom", {**PACS, "port": "many"}, "port", "integer"),
        ("dicom", {**PACS, "url": "http://h"}, "url", "has no such key"),
        ("dicom", {**PACS, "password_file": "/etc/shadow"}, "password_file", "has no such key"),
        ("dicom", {**PACS, "windows": ["now"]}, "windows", "pattern"),
        ("dicom", {**PACS, "proof": "commitment"}, "proof", "rejected"),
        ("dicom", {**PACS, "tls_ca": "/nowhere.pem"}, "destination x", "cannot be used for TLS"),
        ("stow", {"url": "http://user:word@h/dicom-web"}, "url", "names a user"),
        ("stow", {"url": "file:///etc/passwd"}, "url", "is not a URL"),
        ("folder", {"path": "/etc"}, "path", "not below a folder"),
        ("ftp", {}, "kind", "no destination of this kind"),
    ],
)
def test_what_node_toml_would_not_take_is_refused_with_the_key(
    kept: Kept, kind: str, keys: dict[str, object], where: str, what: str
) -> None:
    refused = kept.add("destinations", "x", kind, keys)
    assert refused.status_code == 422, refused.text
    told = refused.json()
    assert where in told["where"]
    assert what in told["what"]
    assert [one["name"] for one in kept.api.get("/destinations").json()] == ["pacs"]


@pytest.mark.parametrize("name", ["", " ", "a/b", "..\\x", "a\nb", "x" * 65, "<script>"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(kept: Kept, name: str) -> None:
    assert kept.add("destinations", name, "dicom", PACS).status_code == 422


def test_a_folder_may_lie_where_node_toml_opens_it_and_no_link_leads_out(kept: Kept, tmp_path: Path) -> None:
    assert kept.add("destinations", "in", "folder", {"path": str(tmp_path / "exchange" / "out")}).status_code == 201
    (tmp_path / "exchange" / "link").symlink_to("/etc")
    assert kept.add("destinations", "link", "folder", {"path": str(tmp_path / "exchange" / "link")}).status_code == 422
    up = str(tmp_path / "exchange" / ".." / "else")
    assert kept.add("sources", "up", "folder", {"path": up}).status_code == 422


def test_a_secret_is_taken_and_never_given_back(kept: Kept) -> None:
    keys = {"url": "https://127.0.0.1:9/dicom-web", "user": "node"}
    made = kept.add("destinations", "web", "stow", keys, secrets={"password": "open sesame"})
    assert made.json()["secrets"] == ["password"]
    edited = {"revision": 1, "kind": "stow", "keys": {**keys, "timeout_seconds": 5}, "secrets": {"password": ""}}
    assert kept.api.put("/destinations/web", json=edited).json()["secrets"] == ["password"]
    (one,) = (one for one in kept.places.settings().destination if one.name == "web")
    assert one.password.get_secret_value() == "open sesame"
    seen = [kept.api.get(path).text for path in ("/destinations", "/destinations/web", "/destinations/web/history")]
    assert not any("sesame" in text for text in [made.text, *seen])
    with kept.database.reading() as connection:
        rows = connection.execute(select(place_change)).all()
    assert "sesame" not in str(rows)


def test_a_secret_does_not_go_to_another_server_than_it_was_given_for(kept: Kept) -> None:
    keys = {"url": "https://127.0.0.1:9/dicom-web", "user": "node"}
    kept.add("destinations", "web", "stow", keys, secrets={"password": "open sesame"})
    moved = {"revision": 1, "kind": "stow", "keys": {**keys, "url": "https://elsewhere/dicom-web"}}
    refused = kept.api.put("/destinations/web", json=moved)
    assert (refused.status_code, refused.json()["where"]) == (422, "password")
    assert kept.api.put("/destinations/web", json={**moved, "secrets": {"password": "other"}}).status_code == 200
    gone = kept.api.put("/destinations/web", json={**moved, "revision": 2, "secrets": {"password": None}})
    assert gone.json()["secrets"] == []


def test_the_second_of_two_who_change_one_is_told(kept: Kept) -> None:
    kept.add("destinations", "p", "dicom", PACS)
    first = {"revision": 1, "kind": "dicom", "keys": {**PACS, "port": 1}}
    assert kept.api.put("/destinations/p", json=first).json()["revision"] == 2
    assert kept.api.put("/destinations/p", json=first).status_code == 409
    assert kept.api.delete("/destinations/p", params={"revision": 1}).status_code == 409
    assert kept.api.delete("/destinations/p", params={"revision": 2}).status_code == 204
    assert kept.api.get("/destinations/p").status_code == 404


def test_what_stands_in_the_file_is_changed_there(kept: Kept) -> None:
    assert kept.add("destinations", "pacs", "dicom", PACS).status_code == 422
    refused = kept.api.put("/destinations/pacs", json={"revision": 1, "kind": "dicom", "keys": PACS})
    assert "node.toml" in refused.json()["detail"]
    assert kept.api.delete("/destinations/pacs", params={"revision": 1}).status_code == 422


def test_a_destination_that_jobs_wait_for_stays_and_says_what_to_do(kept: Kept) -> None:
    kept.add("destinations", "p", "dicom", PACS)
    wait(kept.database, "a", destinations=("p",))
    refused = kept.api.delete("/destinations/p", params={"revision": 1})
    assert refused.status_code == 422
    assert "1 jobs wait for p" in refused.json()["detail"]
    assert "jobs list --destination p" in refused.json()["detail"]


def test_a_source_that_a_destination_needs_stays(kept: Kept) -> None:
    assert kept.add("sources", "pacs2", "dicom", {"ae_title": "PACS2"}).status_code == 201
    assert kept.add("destinations", "p", "dicom", {**PACS, "proof": "commitment"}).status_code == 201
    refused = kept.api.delete("/sources/pacs2", params={"revision": 1})
    assert refused.status_code == 422
    assert "destination p" in refused.json()["detail"]


def test_a_row_that_is_no_good_any_more_leaves_the_others_in_use(kept: Kept, tmp_path: Path) -> None:
    kept.add("destinations", "good", "dicom", PACS)
    kept.add("destinations", "twice", "dicom", PACS)
    changed = kept.places.file.model_copy(
        update={"destination": (kept.places.file.destination[0].model_copy(update={"name": "twice"}),)}
    )
    after = Places(changed, kept.database).merged()
    assert [one.name for one in after.settings.destination] == ["twice", "good"]
    assert "node.toml has one of this name" in after.faults["destination", "twice"]


def test_a_source_may_ask_somebody_else(kept: Kept) -> None:
    keys = {"ae_title": "MR1", "query": {"ae_title": "PACS", "host": "10.0.0.2", "port": ""}, "hosts": "10.0.0.7"}
    made = kept.add("sources", "mr-1", "dicom", keys)
    assert made.status_code == 201, made.text
    (one,) = kept.places.settings().source
    assert one.query
    assert (one.hosts, one.query.host, one.query.port) == (("10.0.0.7",), "10.0.0.2", 104)


def test_every_key_of_every_kind_says_what_it_means(kept: Kept) -> None:
    for family in Family:
        for kind in kinds_of(family):
            for key in keys_of(family, kind):
                assert HELPS[family][key.name] == (key.group, key.help)
                assert key.help.endswith(".")
        assert {key.name for kind in kinds_of(family) for key in keys_of(family, kind)} == set(HELPS[family])
    asked = kept.api.get("/destinations/kinds").json()
    assert {one["name"] for one in asked["stow"] if one["shape"] == Shape.SECRET} == {"password", "token"}
    assert [one["name"] for one in asked["dicom"] if one["required"]] == ["ae_title", "host"]
