"""/api/v1/rules for who writes rules: drafts nobody loses, forms, completion, matches, a rule from a series."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from node.core.access import Actor, Role
from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.lately import Lately
from node.pipeline.rule_sets.suggesting import Known, Suggesting
from node.pipeline.rule_sets.versions import Versions
from node.web import Web, api_routes
from node.web.access.demand import VISIT, Visit
from node.web.api.rules import rules_router
from tests.bench import Bench, until
from tests.synthetic import Grid, mr_series

MR = "# kept: ä\nname: mr   # short\nwhen: {Modality: MR}\nthen: [{infer: mri_core_head}]\n"
KNEE = "name: knee\nwhen: {SeriesDescription: {contains: knee}}\nthen: [ignore]\n"
SET = {"10-mr.yaml": MR, "20-knee.yaml": KNEE}


class As:
    """Lets a request say who asks; what tells people apart in earnest is tested elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            name, _, role = headers.get(b"x-test-actor", b"anna author").decode().partition(" ")
            scope[VISIT] = Visit(Actor(name, Role(role), sees_patients=False))
        await self._app(scope, receive, send)


@pytest.fixture
def versions(bench: Bench) -> Versions:
    return Versions(bench.store.database, bench.clock)


@pytest.fixture
def api(versions: Versions) -> Iterator[httpx.Client]:
    database = versions.database
    suggesting = Suggesting(database, Lately(database, versions.clock), lambda: Known(["mri_core_head"], ["pacs"]))
    web = Web(api_routes([rules_router(versions, Background(versions, "test"), suggesting)]), As)
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/rules", timeout=60, trust_env=False) as client:
        published = client.post("/publications", json={"files": SET, "reason": "first"})
        assert published.status_code == 201
        yield client
    web.stop()


def as_(name: str, role: str = "author") -> dict[str, str]:
    return {"X-Test-Actor": f"{name} {role}"}


def complete(bench: Bench, description: str, **change: object) -> str:
    bench.in_use = InUse(bench.store.database)
    name = f"{description} {change.get('SeriesInstanceUID', '')}"
    series = mr_series(Grid(slices=3), name=name, change={"SeriesDescription": description, **change})
    bench.receive(series)
    bench.clock.advance(700)
    assert bench.judge_due() == [True]
    return str(series[0].SeriesInstanceUID)


def simulated(api: httpx.Client, who: str = "anna") -> str:
    """The digest of a simulation of the draft."""
    number = api.post("/draft/simulate", json={}, headers=as_(who)).json()["id"]
    until(lambda: api.get(f"/simulations/{number}").json()["state"] == "done", "the simulation is done")
    return str(api.get(f"/simulations/{number}").json()["result"]["digest"])


def test_a_draft_begins_as_what_is_in_use_and_is_kept_with_every_change(api: httpx.Client) -> None:
    fresh = api.get("/draft")
    assert (fresh.json()["revision"], fresh.json()["files"], fresh.headers["etag"]) == (0, SET, '"0"')
    changed = api.put("/draft/files/10-mr.yaml", json={"text": MR + "stop: false\n"}, headers={"If-Match": '"0"'})
    assert (changed.status_code, changed.headers["etag"], changed.json()["changed"]) == (200, '"1"', ["10-mr.yaml"])
    assert api.get("/draft").json()["files"]["10-mr.yaml"].endswith("stop: false\n")
    assert api.get("", follow_redirects=True).json()["files"] == SET, "nothing is in use that was not published"
    assert api.get("/draft", headers=as_("bert")).json()["revision"] == 0, "each author has a draft of his own"


def test_who_saves_a_draft_that_changed_elsewhere_is_told_what_is_there_and_what_was_sent(api: httpx.Client) -> None:
    other, mine = KNEE.replace("ignore", "hold"), KNEE.replace("knee", "wrist")
    api.put("/draft/files/20-knee.yaml", json={"text": other}, params={"revision": 0})
    late = api.put("/draft/files/20-knee.yaml", json={"text": mine}, params={"revision": 0})
    assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    (told,) = late.json()["three_way"]
    assert (told["change"], told["base"], told["theirs"], told["mine"]) == ("conflict", KNEE, other, mine)
    assert api.get("/draft").json()["files"]["20-knee.yaml"] == other
    assert api.put("/draft", json={"files": SET}).status_code == 422, "nobody changes what they did not look at"


def test_two_people_edit_one_set_and_the_second_is_told_and_keeps_both(api: httpx.Client) -> None:
    anna = {"10-mr.yaml": MR.replace("MR}", "CT}"), "20-knee.yaml": KNEE}
    bert = {"10-mr.yaml": MR, "20-knee.yaml": KNEE.replace("ignore", "hold")}
    for who, files in (("anna", anna), ("bert", bert)):
        assert api.put("/draft", json={"files": files}, params={"revision": 0}, headers=as_(who)).status_code == 200
    digests = {who: simulated(api, who) for who in ("anna", "bert")}
    first = api.post(
        "/draft/publish", json={"reason": "CT", "digest": digests["anna"]}, params={"revision": 1}, headers=as_("anna")
    )
    assert (first.status_code, first.json()["author"]) == (201, "anna")
    assert api.get("/draft", headers=as_("bert")).json()["overtaken"]["reason"] == "CT"
    late = api.post(
        "/draft/publish", json={"reason": "x", "digest": digests["bert"]}, params={"revision": 1}, headers=as_("bert")
    )
    assert late.status_code == 409
    assert "anna published 2" in late.json()["detail"]
    assert {one["file"]: one["change"] for one in late.json()["three_way"]} == {
        "10-mr.yaml": "theirs", "20-knee.yaml": "mine"
    }  # fmt: skip
    taken = api.post("/draft/take-up", json={}, params={"revision": 1}, headers=as_("bert")).json()
    assert (taken["overtaken"], taken["files"]) == (None, {**anna, "20-knee.yaml": bert["20-knee.yaml"]})


def test_a_draft_is_published_as_it_was_simulated_and_no_other(api: httpx.Client) -> None:
    api.put("/draft", json={"files": {"10-mr.yaml": MR}}, params={"revision": 0})
    digest = simulated(api)
    api.put("/draft", json={"files": {"20-knee.yaml": KNEE}}, params={"revision": 1})
    publication = {"reason": "because", "digest": digest}
    refused = api.post("/draft/publish", json=publication, params={"revision": 2})
    assert (refused.status_code, "simulate it again" in refused.json()["detail"]) == (409, True)
    api.put("/draft", json={"files": {"10-mr.yaml": MR}}, params={"revision": 2})
    done = api.post("/draft/publish", json=publication, params={"revision": 3})
    assert (done.status_code, done.json()["simulation"]["digest"]) == (201, digest)
    assert api.get("/draft").json()["revision"] == 0, "what was published is no draft any more"


def test_rules_are_reordered_switched_off_and_taken_out(api: httpx.Client) -> None:
    ordered = api.post("/draft/order", json={"order": ["20-knee.yaml", "10-mr.yaml"]}, params={"revision": 0}).json()
    first, last = sorted(ordered["files"])
    assert (ordered["files"][first], ordered["files"][last]) == (KNEE, MR)
    off = api.post("/draft/active", json={"file": last, "active": False}, params={"revision": 1}).json()
    assert off["files"][last] == MR + "active: false\n"
    on = api.post("/draft/active", json={"file": last, "active": True}, params={"revision": 2}).json()
    assert on["files"][last] == MR
    assert api.delete(f"/draft/files/{first}", params={"revision": 3}).json()["files"] == {last: MR}
    assert api.delete(f"/draft/files/{last}", params={"revision": 4}).status_code == 422, "a rule set has a rule"
    assert api.delete("/draft", params={"revision": 4}).status_code == 204


def test_a_file_becomes_a_form_and_the_form_a_file_with_its_comments(api: httpx.Client) -> None:
    shown = api.post("/form", json={"text": MR}).json()
    shown["form"]["when"]["parts"].append(
        {"attribute": "EchoTime", "operator": "below", "values": ["30 ms"]} | {"kind": "clause"}
    )
    written = api.post("/form/write", json={"text": MR, "form": shown["form"]}).json()
    assert written["text"] == MR.replace("MR}", "MR, EchoTime: {below: 30 ms}}")
    cannot = api.post("/form", json={"text": "name: a\nneeds: {t1: MR}\nwithin: 1 h\nthen: [{infer: m}]\n"})
    assert (cannot.json()["form"], cannot.json()["cannot"]["line"]) == (None, 2)


def test_the_series_of_a_study_that_a_rule_needs_are_part_of_its_form(api: httpx.Client) -> None:
    text = "name: a\nneeds:\n  # anatomy\n  t1: {Modality: MR}\nwithin: 1 h\nthen: [{infer: m}]\n"
    form = api.post("/form", json={"text": text}).json()["form"]
    assert (form["within"], form["else"], [need["name"] for need in form["needs"]]) == ("1 h", "", ["t1"])
    flair = {
        "name": "flair",
        "when": {**form["needs"][0]["when"], "parts": [{**form["needs"][0]["when"]["parts"][0], "at": ""}]},
    }
    asked = {**form, "needs": [form["needs"][0], flair], "else": "proceed"}
    written = api.post("/form/write", json={"text": text, "form": asked}).json()
    assert written["text"] == text.replace("1 h\n", "1 h\nelse: proceed\n").replace(
        "within", "  flair: {Modality: MR}\nwithin"
    )
    assert [need["name"] for need in written["form"]["needs"]] == ["t1", "flair"]
    refused = api.post("/form/write", json={"text": text, "form": {**asked, "needs": [form["needs"][0]] * 2}})
    assert (refused.status_code, "two needs are called t1" in refused.text) == (422, True)


def test_values_seen_here_are_offered_and_none_that_names_a_patient(api: httpx.Client, bench: Bench) -> None:
    for number, description in enumerate(["t1 mprage", "t1 mprage", "flair: tra"]):
        complete(bench, description, PatientID=f"SECRET{number}", SeriesInstanceUID=f"1.2.{number}",
                 StudyInstanceUID=f"1.3.{number}")  # fmt: skip
    values = api.get("/words/values", params={"attribute": "SeriesDescription"}).json()
    assert values == [{"value": "t1 mprage", "series": 2}, {"value": "flair: tra", "series": 1}]
    for hidden in ("PatientID", "PatientName", "AccessionNumber", "StudyInstanceUID", "ImageComments", "patient.age"):
        assert api.get("/words/values", params={"attribute": hidden}).json() == []
    text = "name: a\nwhen:\n  SeriesDescription: {contains: fl"
    options = api.post("/complete", json={"text": text, "at": len(text)}).json()["options"]
    assert [(one["label"], one["apply"], one["detail"]) for one in options] == [
        ("flair: tra", "'flair: tra'", "1 series")
    ]
    words = [one["name"] for one in api.get("/words", params={"text": "Series"}).json()]
    assert "SeriesDescription" in words[:12], "attributes of this site come first"
    assert "at_least" in {one["name"] for one in api.get("/words/operators", params={"attribute": "EchoTime"}).json()}


def test_a_rule_that_is_typed_says_what_it_matches_and_what_an_earlier_rule_takes(
    api: httpx.Client, bench: Bench
) -> None:
    for number, description in enumerate(["knee", "brain", "Brain t1"]):
        complete(bench, description, SeriesInstanceUID=f"1.2.{number}", StudyInstanceUID=f"1.3.{number}")
    draft = {
        "10-knee.yaml": KNEE,
        "20-t.yaml": "name: t\nwhen: {SeriesDescription: {matches: 'knee|^brain$'}}\nthen: [hold]\n",
    }
    found = api.post("/matches", json={"files": draft, "file": "20-t.yaml"}).json()
    assert (found["series"], found["matched"], found["unknown"], found["taken"]) == (3, 2, 0, 1)
    assert {one["description"] for one in found["listed"]} == {"knee", "brain"}
    complete(bench, "brain", SeriesInstanceUID="1.2.9", StudyInstanceUID="1.3.9")
    assert api.post("/matches", json={"files": draft, "file": "20-t.yaml"}).json()["matched"] == 3
    bench.clock.advance(8 * 86400)
    assert api.post("/matches", json={"files": draft, "file": "20-t.yaml"}).json()["series"] == 0
    broken = {"20-t.yaml": "name: t\nwhen: {SeriesDescripton: a}\nthen: [hold]\n"}
    assert api.post("/matches", json={"files": broken, "file": "20-t.yaml"}).status_code == 422


def test_a_rule_made_from_a_series_takes_it_and_says_where_its_values_come_from(
    api: httpx.Client, bench: Bench
) -> None:
    held = complete(bench, "T1: Schädel", Modality="MR", BodyPartExamined="HEAD", SpecificCharacterSet="ISO_IR 100")
    begun = api.post("/draft/rules", json={"series": held}).json()
    assert (begun["name"], begun["file"], begun["revision"]) == ("t1-schadel", "30-t1-schadel.yaml", 1)
    assert "  SeriesDescription: 'T1: Schädel'   # 1 series of the last 30 days\n" in begun["text"]
    assert "  - infer: mri_core_head\n  - deliver: [pacs]\n" in begun["text"]
    taken = {one["attribute"]: one for one in begun["taken"]}
    assert (taken["BodyPartExamined"]["value"], taken["BodyPartExamined"]["from_where"]) == (
        "HEAD",
        "all instances agree",
    )
    files = {begun["file"]: begun["text"]}
    assert api.post("/check", json={"files": files}).json()["errors"] == 0
    said = api.post("/explain", json={"series": held, "files": files}).json()["rules"]
    assert [one["standing"] for one in said] == ["matched"]
    other = complete(bench, "T2", SeriesInstanceUID="1.2.3", StudyInstanceUID="1.2.4")
    assert api.post("/explain", json={"series": other, "files": files}).json()["rules"][0]["standing"] == "not matched"
    again = api.post("/draft/rules", json={"series": held}).json()
    assert again["name"] == "t1-schadel-2"
    assert api.post("/draft/rules", json={"name": "Not A Name"}).status_code == 422


def test_all_rules_say_why_of_every_series_of_an_accession_number(api: httpx.Client, bench: Bench) -> None:
    for number in range(2):
        complete(bench, f"knee {number}", AccessionNumber="A77", SeriesInstanceUID=f"1.2.{number}")
    found = api.post("/why", json={"text": "A77"}).json()
    assert [one["description"] for one in found] == ["knee 0", "knee 1"]
    assert [[rule["standing"] for rule in one["explained"]["rules"]] for one in found] == [
        ["matched", "not reached"]
    ] * 2
    assert api.post("/why", json={"text": "nothing"}).status_code == 404


@pytest.mark.parametrize("asked", ["PatientName: {starts: SEC}", "PatientID: {matches: '^S'}", "AccessionNumber: A77"])
def test_a_draft_guesses_no_patient_for_who_may_not_see_them(api: httpx.Client, bench: Bench, asked: str) -> None:
    held = complete(bench, "knee", PatientName="SECRET^S", PatientID="SECRET", AccessionNumber="A77")
    files = {"10-mr.yaml": MR, "20-p.yaml": f"name: p\nwhen:\n  not:\n    {asked}\nthen: [hold]\n"}
    viewer = as_("bernd", "viewer")
    refused = [
        api.post("/explain", json={"series": held, "files": files}, headers=viewer),
        api.post("/matches", json={"files": files, "file": "20-p.yaml"}, headers=viewer),
        api.post("/simulations", json={"files": files}),
        api.put("/shadow", json={"files": files}),
    ]
    assert api.put("/draft", json={"files": files}, headers={"If-Match": '"0"'}).status_code == 200
    refused += [api.post("/draft/simulate", json={}), api.post("/why", json={"text": "A77", "draft": True})]
    assert [one.status_code for one in refused] == [403] * len(refused)
    assert "20-p.yaml asks for" in refused[0].json()["detail"]
    published = api.post("/publications", json={"files": files, "reason": "this is for all to see"})
    assert published.status_code == 201
    assert api.post("/explain", json={"series": held, "files": files}, headers=viewer).status_code == 200


def test_rules_are_taken_away_byte_for_byte(api: httpx.Client) -> None:
    answer = api.get("/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == SET
    assert answer.content == api.get("/export", params={"version": "1"}).content


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/draft", {"files": SET}),
        ("PUT", "/draft/files/10-mr.yaml", {"text": MR}),
        ("DELETE", "/draft/files/10-mr.yaml", None),
        ("POST", "/draft/order", {"order": list(SET)}),
        ("POST", "/draft/active", {"file": "10-mr.yaml", "active": False}),
        ("POST", "/draft/take-up", {}),
        ("POST", "/draft/rules", {"name": "new"}),
        ("POST", "/draft/simulate", {}),
        ("POST", "/draft/publish", {"reason": "x", "digest": "x"}),
        ("DELETE", "/draft", None),
        ("POST", "/publications", {"files": SET, "reason": "x"}),
        ("POST", "/rollback", {"version": "1", "reason": "x"}),
        ("POST", "/simulations", {"files": SET}),
        ("PUT", "/shadow", {"files": SET}),
        ("DELETE", "/shadow", None),
        ("POST", "/proposals/1/approve", {}),
        ("POST", "/proposals/1/reject", {}),
    ],
)
def test_a_viewer_changes_nothing(api: httpx.Client, method: str, path: str, body: object) -> None:
    answer = api.request(method, path, json=body, params={"revision": 0}, headers=as_("eve", "viewer"))
    assert (answer.status_code, "does not have" in answer.json()["detail"]) == (403, True)
    assert api.get("/publications").json()[0]["number"] == 1


def test_an_author_does_not_approve_and_signs_with_his_own_name(api: httpx.Client) -> None:
    assert api.post("/proposals/1/approve", json={}).status_code == 403
    forged = {"files": {"10-mr.yaml": MR}, "reason": "x", "author": "somebody else"}
    assert api.post("/publications", json=forged).json()["author"] == "anna"
