"""/api/v1/jobs: the same as `mricore-node jobs`, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from node.adapters.database import Database, claims, job_list, jobs
from node.adapters.database.job_list import Wanted
from node.core.jobs import MadeResult
from node.core.states import JobState
from node.web import Web, api_routes
from node.web.api.jobs import jobs_router
from tests.clock import Clock
from tests.databases import database, url
from tests.waiting import NOON, emptied, wait, wait_to_be_sent

__all__ = ["database", "url"]

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def api(database: Database) -> Iterator[httpx.Client]:
    web = Web(api_routes([jobs_router(database, Clock(LATER), {"both": ("pacs1", "pacs2"), "other": ("pacs2",)})]))
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False) as client:
        yield client
    web.stop()


def ids(api: httpx.Client, **wanted: Any) -> list[str]:
    """The series of the jobs that are listed."""
    answer = api.get("/jobs", params=wanted)
    assert answer.status_code == 200, answer.text
    return [one["series_instance_uid"] for one in answer.json()["jobs"]]


def finished(database: Database, state: JobState, reason: str = "") -> int:
    job = claims.claim(database, LATER)
    assert job
    assert jobs.finish(database, job.id, state, reason, LATER)
    return job.id


def test_jobs_are_listed_newest_first_and_chosen_by_what_they_are(database: Database, api: httpx.Client) -> None:
    wait(database, "a", priority="stat", model="tail")
    finished(database, JobState.FAILED, "it raised")
    wait(database, "b", destinations=("pacs", 'a "quoted" one'))
    wait(database, "c", destinations=("pacs2",), deadline_at=LATER)
    assert ids(api) == ["c", "b", "a"]
    assert ids(api, state="failed") == ["a"]
    assert ids(api, model="head") == ["c", "b"]
    assert ids(api, destination="pacs") == ["b", "a"]
    assert ids(api, destination='a "quoted" one') == ["b"]
    assert ids(api, destination="%") == []
    assert ids(api, priority="stat") == ["a"]
    assert ids(api, text="b") == ["b"]
    assert ids(api, text="4711") == ["c", "b", "a"]
    assert ids(api, text="jane", state="scheduled") == ["c", "b"]
    assert ids(api, text="nobody") == []
    (first,) = api.get("/jobs", params={"limit": 1}).json()["jobs"]
    assert (first["deadline_at"], first["overdue"], first["attempts"]) == ("2026-01-05T13:00:00Z", False, 0)


def test_every_database_chooses_the_same(url: str) -> None:
    database = emptied(Database(url))
    wait(database, "a", priority="stat", model="tail", destinations=("pacs", 'a "quoted" one'))
    wait(database, "b")
    for wanted in (
        Wanted(model="tail"),
        Wanted(destination='a "quoted" one'),
        Wanted(priority="stat"),
        Wanted(JobState.SCHEDULED, text="a.9"),
    ):
        assert [one.series_instance_uid for one in job_list.page(database, wanted, None, 9).jobs] == ["a"]
    database.close()


def test_a_page_begins_where_the_one_before_ended_whatever_came_meanwhile(
    database: Database, api: httpx.Client
) -> None:
    for number in range(5):
        wait(database, f"s{number}")
    first = api.get("/jobs", params={"limit": 2}).json()
    wait(database, "came meanwhile")
    second = api.get("/jobs", params={"limit": 2, "before": first["before"]}).json()
    third = api.get("/jobs", params={"limit": 2, "before": second["before"]}).json()
    seen = [one["series_instance_uid"] for page in (first, second, third) for one in page["jobs"]]
    assert seen == ["s4", "s3", "s2", "s1", "s0"]
    assert third["before"] is None


def test_a_job_is_shown_with_its_history_and_what_each_destination_answered(
    database: Database, api: httpx.Client
) -> None:
    wait(database, "s")
    job = claims.claim(database, LATER, claims.Claimant(delivers=False))
    assert job
    assert jobs.keep_results(database, job, [MadeResult("SEG", "1", "2", "3", "p", "c" * 64, 5)], [], {}, "1")
    story = api.get(f"/jobs/{job.id}").json()
    assert story["results"] == ["SEG"]
    assert story["deliveries"] == [{"kind": "SEG", "destination": "pacs", "state": "waiting", "answer": ""}]
    assert [one["what"] for one in story["history"]] == ["series routed", f"job {job.id} scheduled"]


def test_a_failed_job_is_retried_and_a_waiting_one_canceled_with_the_reason(
    database: Database, api: httpx.Client
) -> None:
    wait(database, "s")
    number = finished(database, JobState.FAILED, "it raised")
    assert api.post(f"/jobs/{number}/retry").json()["state"] == "scheduled"
    canceled = api.post(f"/jobs/{number}/cancel", json={"reason": "wrong patient"}).json()
    assert (canceled["state"], canceled["reason"]) == ("canceled", "wrong patient")
    again = api.post(f"/jobs/{number}/cancel")
    assert again.status_code == 409
    assert again.json()["detail"] == f"job {number} cannot be canceled: it is canceled"


def test_what_is_paused_gets_no_jobs_until_it_is_resumed(database: Database, api: httpx.Client) -> None:
    wait(database, "s")
    target = {"kind": "model", "name": "head"}
    assert api.post("/jobs/pause", json=target).json() == {"changed": True}
    assert api.post("/jobs/pause", json=target).json() == {"changed": False}
    assert [(one["name"], one["actor"]) for one in api.get("/jobs/paused").json()] == [("head", "local")]
    assert claims.claim(database, LATER) is None
    assert api.post("/jobs/resume", json=target).json() == {"changed": True}
    assert api.get("/jobs/paused").json() == []
    assert claims.claim(database, LATER)


@pytest.mark.parametrize(("waits_for", "due"), [("pacs1", True), ("both", True), ("other", False)])
def test_what_waits_for_a_group_of_a_resumed_destination_is_due_too(
    database: Database, api: httpx.Client, waits_for: str, due: bool
) -> None:
    wait_to_be_sent(database, "s", waits_for, LATER + timedelta(hours=1))
    assert claims.claim(database, LATER) is None
    target = {"kind": "destination", "name": "pacs1"}
    api.post("/jobs/pause", json=target)
    assert api.post("/jobs/resume", json=target).json() == {"changed": True}
    assert bool(claims.claim(database, LATER)) is due


@pytest.mark.parametrize("number", [0, -1, 99, 2**31, 10**30])
def test_a_job_that_is_not_there_is_not_found(api: httpx.Client, number: int) -> None:
    for answer in (api.get(f"/jobs/{number}"), api.post(f"/jobs/{number}/retry"), api.post(f"/jobs/{number}/cancel")):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "wanted", [{"limit": 0}, {"limit": 501}, {"before": 0}, {"state": "nonsense"}, {"priority": "urgent"}]
)
def test_a_wrong_question_is_refused(api: httpx.Client, wanted: dict[str, object]) -> None:
    assert api.get("/jobs", params={name: str(value) for name, value in wanted.items()}).status_code == 422


def test_a_pause_of_something_else_is_refused(api: httpx.Client) -> None:
    assert api.post("/jobs/pause", json={"kind": "node", "name": "x"}).status_code == 422
    assert api.post("/jobs/pause", json={"kind": "model", "name": ""}).status_code == 422


def test_the_description_names_every_path(api: httpx.Client) -> None:
    paths = api.get(str(api.base_url.copy_with(path="/api/openapi.json"))).json()["paths"]
    assert set(paths) == {
        "/v1/jobs",
        "/v1/jobs/paused",
        "/v1/jobs/pause",
        "/v1/jobs/resume",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/retry",
        "/v1/jobs/{job_id}/cancel",
    }
