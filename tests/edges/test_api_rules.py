"""/api/v1/rules over HTTP: from a draft to a version in use, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from node.adapters.database import simulations
from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.versions import Versions
from node.web import Web, api_routes
from node.web.api.rules import rules_router
from tests.bench import Bench, until
from tests.synthetic import Grid, mr_series, uid

MR = {"10.yaml": "# kept: ä\r\nname: mr\r\nwhen: {Modality: MR}\r\nthen: [{infer: mri_core_head}]\r\n"}
BRAIN = {"10.yaml": "name: brain\nwhen: {SeriesDescription: brain}\nthen: [{infer: mri_core_head}]\n"}
BROKEN = {"10.yaml": "name: brain\nwhen: {SeriesDescripton: brain}\nthen: [{infer: mri_core_head}]\n"}
PATIENT = {"10.yaml": "name: one\nwhen: {PatientID: X1}\nthen: [hold]\n"}


@pytest.fixture
def versions(bench: Bench) -> Versions:
    return Versions(bench.store.database, bench.clock)


@pytest.fixture
def api(versions: Versions) -> Iterator[httpx.Client]:
    web = Web(api_routes([rules_router(versions, Background(versions, "test"))]))
    port = web.start("127.0.0.1", 0)
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}/api/v1/rules", timeout=60, trust_env=False, follow_redirects=True
    ) as client:
        yield client
    web.stop()


def publish(api: httpx.Client, files: dict[str, str], author: str = "anna", base: str | None = None) -> httpx.Response:
    return api.post("/publications", json={"files": files, "author": author, "reason": "because", "base": base})


def complete(bench: Bench, description: str) -> str:
    bench.in_use = InUse(bench.store.database)
    change = {"SeriesDescription": description, "PatientID": "SECRET-4711", "StudyInstanceUID": "1.2.3"}
    series = mr_series(Grid(slices=3), name=description, change=change)
    bench.complete(series)
    return str(series[0].SeriesInstanceUID)


def test_what_is_published_is_in_use_with_its_files_byte_for_byte(api: httpx.Client) -> None:
    assert api.get("").status_code == 422, "nothing was published yet"
    answer = publish(api, MR)
    assert (answer.status_code, answer.json()["number"]) == (201, 1)
    in_use = api.get("").json()
    assert in_use["files"] == MR
    assert [rule["name"] for rule in in_use["rules"]] == ["mr"]
    assert api.get("/versions/1").json() == {"version": answer.json()["version"], "files": MR}


def test_who_was_overtaken_is_told_with_409(api: httpx.Client) -> None:
    publish(api, MR)
    publish(api, BRAIN, "bert", base="1")
    late = publish(api, PATIENT, base="1")
    assert late.status_code == 409
    assert late.headers["content-type"] == "application/problem+json"
    assert "bert published 2" in late.json()["detail"]
    assert [
        line for line in api.get("/diff", params={"one": "1", "other": "2"}).json()["lines"] if line == "+name: brain"
    ]
    assert [one["number"] for one in api.get("/publications").json()] == [2, 1]


def test_a_draft_is_checked_with_file_line_and_cure(api: httpx.Client) -> None:
    found = api.post("/check", json={"files": BROKEN}).json()
    assert (found["errors"], found["mistakes"][0]["file"], found["mistakes"][0]["line"]) == (1, "10.yaml", 2)
    assert found["mistakes"][0]["cure"] == "Did you mean SeriesDescription?"
    refused = publish(api, BROKEN)
    assert (refused.status_code, refused.json()["where"]) == (422, "10.yaml:2")


def test_a_rollback_is_one_request(api: httpx.Client) -> None:
    publish(api, MR)
    publish(api, BRAIN)
    back = api.post("/rollback", json={"version": "1", "author": "anna", "reason": "undo"})
    assert (back.status_code, back.json()["number"], back.json()["origin"]) == (201, 3, "rollback")
    assert api.get("").json()["files"] == MR


def test_where_two_persons_are_asked_the_second_approves(versions: Versions) -> None:
    two = Versions(versions.database, versions.clock, approval=True)
    web = Web(api_routes([rules_router(two, Background(two, "test"))]))
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/rules", timeout=60, trust_env=False) as api:
        publish(api, MR)
        proposed = publish(api, BRAIN)
        assert proposed.status_code == 202
        path = f"/proposals/{proposed.json()['proposal']}/approve"
        assert api.post(path, json={"author": "anna"}).status_code == 422
        approved = api.post(path, json={"author": "bert"})
        assert (approved.status_code, approved.json()["approver"]) == (201, "bert")
        assert api.get("/proposals").json() == []
        assert api.post("/proposals/99/reject", json={"author": "bert"}).status_code == 404
    web.stop()


def test_a_simulation_runs_in_the_background_and_its_digest_stands_in_the_history(
    api: httpx.Client, bench: Bench
) -> None:
    publish(api, MR)
    complete(bench, "brain")
    complete(bench, "knee")
    begun = api.post("/simulations", json={"files": BRAIN, "author": "anna"})
    assert begun.status_code == 202
    path = f"/simulations/{begun.json()['id']}"
    until(lambda: api.get(path).json()["state"] == "done", "the simulation ends")
    result = api.get(path).json()["result"]
    assert (
        result["sentence"]
        == "would change 1 of 2 series: +1 held, \N{MINUS SIGN}1 mri_core_head; no time measured of mri_core_head"
    )
    assert publish(api, BRAIN).json()["simulation"]["digest"] == result["digest"]
    assert api.get("/simulations/99").status_code == 404


def test_a_simulation_whose_process_ended_is_not_waited_for(api: httpx.Client, versions: Versions) -> None:
    publish(api, MR)
    version = versions.files()[0]
    for process in ("another", "test"):
        number = simulations.begin(
            versions.database, version, version, 0, author="anna", process=process, now=versions.clock()
        )
        if process == "test":
            assert api.get(f"/simulations/{number}").json()["state"] == "running"
            Background(versions, "test")  # the process starts again
        found = api.get(f"/simulations/{number}").json()
        assert (found["state"], found["result"]) == ("failed", {"reason": simulations.ABANDONED})


def test_hits_are_counted_for_each_rule(api: httpx.Client, bench: Bench) -> None:
    publish(api, MR)
    complete(bench, "brain")
    bench.clock.advance(2 * 86400)
    complete(bench, "knee")
    (rule,) = api.get("").json()["rules"]
    assert (rule["hits_day"], rule["hits_month"]) == (1, 2)
    assert rule["last_hit_at"].startswith("2025-01-04")


def test_why_not_names_the_clause_the_value_and_the_smallest_edit(api: httpx.Client, bench: Bench) -> None:
    publish(api, MR)
    series = complete(bench, "knee")
    (matched,) = api.get("/explain", params={"series": series}).json()["rules"]
    assert (matched["standing"], matched["clause"]) == ("matched", "Modality equals 'MR'")
    found = api.post("/explain", json={"series": series, "rule": "brain", "files": BRAIN}).json()
    assert (found["rules"][0]["standing"], found["rules"][0]["value"]) == ("not matched", "knee")
    assert found["rules"][0]["smallest_edit"] == "with SeriesDescription in [brain, 'knee']"
    assert api.get("/explain", params={"series": uid("nobody")}).status_code == 404
    assert api.get("/explain", params={"series": series, "rule": "other"}).status_code == 404


def test_what_could_name_a_patient_is_hidden_in_every_explanation(api: httpx.Client, bench: Bench) -> None:
    publish(api, MR)
    series = complete(bench, "knee")
    found = api.post("/explain", json={"series": series, "files": PATIENT})
    assert found.json()["rules"][0]["value"] == "(hidden)"
    assert "SECRET" not in found.text


def test_a_draft_in_the_shadow_is_shown_and_taken_out(api: httpx.Client, bench: Bench) -> None:
    publish(api, MR)
    assert api.get("/shadow").status_code == 404
    assert api.put("/shadow", json={"files": BRAIN, "author": "anna"}).status_code == 200
    complete(bench, "knee")
    shadow = api.get("/shadow").json()
    assert (shadow["series"], shadow["differing"]) == (1, 1)
    assert (shadow["listed"][0]["did"], shadow["listed"][0]["would_have"]) == ("mri_core_head", "held")
    assert api.delete("/shadow", params={"author": "anna"}).status_code == 204
    assert api.get("/shadow").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/publications", {"files": {"../x.yaml": "name: a"}, "author": "a", "reason": "r"}),
        ("/publications", {"files": MR, "author": "", "reason": "r"}),
        ("/publications", {"files": {}, "author": "a", "reason": "r"}),
        ("/publications", {"files": MR, "author": "\ud800", "reason": "r"}),
        ("/publications", {"files": MR, "author": "a", "reason": "nul \0"}),
        (
            "/publications",
            {"files": {"a.yaml": "# \udfff\nname: a\nwhen: {}\nthen: [hold]\n"}, "author": "a", "reason": "r"},
        ),
        ("/check", {"files": ["10.yaml"]}),
        ("/rollback", {"version": "x" * 65, "author": "a", "reason": "r"}),
        ("/simulations", {"files": MR, "author": "a", "days": -1}),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_422(api: httpx.Client, path: str, body: object) -> None:
    assert api.post(path, content=json.dumps(body)).status_code == 422


def test_every_route_is_described(api: httpx.Client) -> None:
    described = api.get(str(api.base_url).replace("/v1/rules/", "/openapi.json")).json()["paths"]
    assert len(described) >= 12
    assert all(one["summary"] for path in described.values() for one in path.values())
