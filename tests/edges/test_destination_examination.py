"""A destination is tested step by step, each with its cure; the capability card is kept."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.adapters.database import audit
from node.adapters.database.audit import Wanted
from node.adapters.destinations import Outgoing
from node.app.keeping import build_destinations
from node.app.places import Places
from node.pipeline.examination import Asked, Examination
from node.scp import Admission
from tests.certificates import Authority
from tests.clock import Clock
from tests.destinations import stow_server
from tests.fakes import FakeDestination
from tests.keeping import Kept, keeping
from tests.listening import listening, now
from tests.orthanc import free_port, orthanc
from tests.waiting import wait


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    (tmp_path / "exchange").mkdir()
    with keeping(tmp_path, now, places={"folders": [tmp_path / "exchange"]}) as found:
        yield found


def steps_of(kept: Kept, name: str) -> dict[str, tuple[str, str, str]]:
    """Part → verdict, sentence, cure, as the API streams them."""
    answer = kept.api.post(f"/destinations/{name}/test")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    steps = [json.loads(line) for line in answer.text.splitlines()]
    return {one["part"]: (one["verdict"], one["sentence"], one["cure"]) for one in steps}


def standing(kept: Kept, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kept.api.get(f"/destinations/{name}/standing").json()
    return found


def test_a_pacs_is_tested_from_its_name_to_what_it_keeps(kept: Kept, tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc", {"node": ("MRICORE", free_port())}) as pacs:
        keys = {
            "ae_title": pacs.ae_title, "host": "localhost", "port": pacs.dicom_port, "gsps": True, "pdf": True,
            "seg": "labelmap",
        }  # fmt: skip
        kept.add("destinations", "pacs", "dicom", keys)
        seen = steps_of(kept, "pacs")
    assert {part for part, line in seen.items() if line[0] == "failed"} == set()
    assert "127.0.0.1" in seen["name"][1]
    assert seen["answers"][1] == "answers C-ECHO"
    for name in ("Comprehensive 3D SR", "Grayscale Softcopy Presentation State", "Encapsulated PDF"):
        assert seen[f"takes {name}"][0] == "ok", name
    assert seen["find"][:2] == ("ok", "found")
    assert seen["compare"][:2] == ("ok", "read back: every attribute is as it was sent")
    assert "MRICORE-TEST" in seen["remove"][1]
    card = standing(kept, "pacs")
    assert card["tested_at"]
    assert card["card"]["works"]
    assert [one["part"] for one in card["card"]["steps"]] == list(seen)


def test_a_class_that_is_not_taken_is_told_with_what_to_do(kept: Kept) -> None:
    from tests.edges.test_destination_dicom import Pacs

    with Pacs().on("1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.88.34") as pacs:
        kept.add("destinations", "pacs", "dicom", {"ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port})
        seen = steps_of(kept, "pacs")
    assert seen["takes Segmentation"][0] == "failed"
    assert "Have the class allowed" in seen["takes Segmentation"][2]
    assert seen["store"][0] == "ok"
    assert not standing(kept, "pacs")["card"]["works"]


def test_what_is_found_late_is_found_and_what_is_not_kept_is_told(tmp_path: Path) -> None:
    class Late(FakeDestination):
        """Answers at once, and finds from the third search on."""

        searches, from_search = 0, 3

        def find(self, _wanted: Outgoing) -> bool:
            self.searches += 1
            return self.searches >= self.from_search

    def found(destination: Late, seconds: float) -> str:
        asked = Asked("MRICORE", frozenset(), now(), found_seconds=seconds)
        steps = {one.part: one for one in Examination(destination, asked, tmp_path).steps()}
        return steps["find"].verdict.value

    assert found(Late("late"), 60) == "ok"
    never = Late("never")
    never.from_search = 1000
    assert found(never, 1) == "failed"


def test_storage_commitment_is_asked_for_where_it_is_the_proof(kept: Kept) -> None:
    from tests.edges.test_destination_dicom import Pacs

    pacs = Pacs()
    with pacs.on("1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.1.20.1"):
        kept.add("sources", "pacs", "dicom", {"ae_title": "PACS"})
        keys = {"ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port, "proof": "commitment", "seg": "none"}
        assert kept.add("destinations", "pacs", "dicom", keys).status_code == 201
        seen = steps_of(kept, "pacs")
    assert seen["storage commitment"][0] == "ok"
    assert len(pacs.asked) == 1


def test_a_test_ends_at_the_first_step_that_leads_no_further(kept: Kept) -> None:
    kept.add("destinations", "dead", "dicom", {"ae_title": "DEAD", "host": "127.0.0.1", "port": free_port()})
    seen = steps_of(kept, "dead")
    assert list(seen) == ["name", "port"]
    assert (seen["port"][0], seen["port"][2]) == (
        "failed", "Look at port, at the firewall between, and whether the peer runs"
    )  # fmt: skip
    kept.add("destinations", "nameless", "stow", {"url": "https://nowhere.invalid/dicom-web"})
    assert list(steps_of(kept, "nameless")) == ["name"]


def test_a_certificate_is_shown_with_its_days_and_one_of_a_stranger_is_told(kept: Kept, tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    with stow_server(certificate=authority.issue("pacs")) as server:
        kept.add("destinations", "web", "stow", {"url": server.url, "tls_ca": str(authority.file)})
        kept.add("destinations", "stranger", "stow", {"url": server.url, "tls_ca": str(other.file)})
        seen, stranger = steps_of(kept, "web"), steps_of(kept, "stranger")
    assert "pacs, by " in seen["certificate"][1]
    assert "TLSv1.3" in seen["certificate"][1]
    assert seen["store"][0] == "ok"
    assert seen["find"][0] == "ok"
    assert stranger["certificate"][0] == "failed"
    assert "not accepted" in stranger["certificate"][1]
    assert "tls_ca" in stranger["certificate"][2]


def test_a_folder_is_written_to(kept: Kept, tmp_path: Path) -> None:
    kept.add("destinations", "out", "folder", {"path": str(tmp_path / "exchange" / "out")})
    assert steps_of(kept, "out")["store"][0] == "ok"
    assert standing(kept, "out")["card"]["works"]


def test_one_destination_is_tested_once_at_a_time(kept: Kept) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keys = {"ae_title": "SILENT", "host": "127.0.0.1", "port": silent.getsockname()[1], "timeout_seconds": 3}
        kept.add("destinations", "silent", "dicom", keys)
        destinations = build_destinations(Places(kept.places.file, kept.database), kept.database, Clock())
        first = destinations.test("silent")
        assert next(first).part == "name"
        with pytest.raises(Exception, match="is being tested"):
            next(destinations.test("silent"))
        assert [one.verdict.value for one in first] == ["ok", "failed"]
        assert next(one.part for one in destinations.test("silent")) == "name"


def test_a_pacs_that_rejects_the_association_says_why(kept: Kept, tmp_path: Path) -> None:
    with listening(tmp_path / "pacs", admission=Admission("PACS", False, [])) as pacs:
        kept.add("destinations", "strict", "dicom", {"ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port})
        verdict, sentence, cure = steps_of(kept, "strict")["answers"]
    to = f"PACS@127.0.0.1:{pacs.port}"
    assert (verdict, sentence) == ("failed", f"{to} rejects the association, calling AE title not recognized")
    assert cure == "Admit MRICORE with the address of this machine there"


def test_pause_and_resume(kept: Kept) -> None:
    kept.add("destinations", "p", "dicom", {"ae_title": "P", "host": "127.0.0.1"})
    wait(kept.database, "a", destinations=("p",))
    assert kept.api.post("/destinations/p/pause").json() == {"changed": True}
    assert kept.api.post("/destinations/p/pause").json() == {"changed": False}
    assert (standing(kept, "p")["state"], standing(kept, "p")["paused_by"]) == ("paused", "local")
    assert kept.api.post("/destinations/p/resume").json() == {"changed": True}
    assert standing(kept, "p")["state"] == "idle"
    told = audit.page(kept.database, Wanted(object="destination p"), None, 9)
    assert [(one.line.what, one.line.actor) for one in told[:2]] == [
        ("destination.resume", "local"),
        ("destination.pause", "local"),
    ]
    assert kept.api.post("/destinations/nobody/pause").status_code == 404
