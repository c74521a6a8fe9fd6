"""/api/v1/models: cards, and how models do here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from node.adapters.database import (
    Database,
    claims,
    conclusions,
    findings,
    job_counts,
    jobs,
    model_jobs,
    model_reports,
    processes,
)
from node.core.ood import Oddity
from node.core.rules import RuleSet, parse_rule_set
from node.core.states import JobState
from node.errors import StoreUnavailable
from node.pipeline.cards import Look
from node.web import Web, api_routes
from node.web.api.models import models_router
from tests.clock import Clock
from tests.databases import database, url
from tests.edges.test_board import REPORT
from tests.fakes import CARD
from tests.waiting import NOON, emptied, wait

__all__ = ["database", "url"]

LATER = NOON + timedelta(hours=1)
RULES = {
    "_set.yaml": "otherwise: hold\n",
    "10-head.yaml": f"name: head\ndescription: heads\nwhen: {{Modality: MR}}\nthen: [{{infer: {CARD.name}}}]\n",
    "20-other.yaml": "name: other\ndescription: others\nwhen: {Modality: CT}\nthen: [{hold: look}]\n",
}


def in_use() -> RuleSet:
    return parse_rule_set(RULES)


def nothing() -> RuleSet:
    raise StoreUnavailable("no rule set is published")


@pytest.fixture
def api(database: Database) -> Iterator[httpx.Client]:
    look = Look(database, lambda: {CARD.name: CARD}, in_use, Clock(LATER))
    web = Web(api_routes([models_router(look)]))
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False) as client:
        yield client
    web.stop()


def worked(database: Database, name: str, percentile: float, state: JobState = JobState.COMPLETED) -> None:
    wait(database, name, model=CARD.name)
    job = claims.claim(database, LATER)
    assert job
    assert conclusions.keep_oddity(database, job, Oddity(1.0, percentile, "abc"), LATER)
    assert jobs.keep_results(database, job, [], [], {"infer": 1.0, "encode": 0.5}, "1")
    assert jobs.finish(database, job.id, state, "", LATER)


def test_a_model_is_listed_with_what_it_is_for_and_who_asks_for_it(database: Database, api: httpx.Client) -> None:
    (one,) = api.get("/models").json()
    assert one["item"]["sentence"] == "No process says anything of it."
    processes.arrive(database, "node", NOON, "work")
    model_reports.keep(database, "node", [replace(REPORT, model=CARD.name)])
    (one,) = api.get("/models").json()
    assert (one["item"]["ready"], one["rules"], one["installed_version"]) == (True, ["head"], CARD.version)
    assert "Not for clinical use" in one["intended_use"]


def test_one_model_tells_its_card_its_limits_and_its_quality(api: httpx.Client) -> None:
    found = api.get(f"/models/{CARD.name}").json()
    assert "not to be relied on" in found["card"]["limits"]
    assert found["card"]["weights"]["sha256"] == CARD.weights.sha256
    assert ["dice_head", "0.987"] in found["card"]["quality"][0]
    assert found["rules"] == [{"rule": "head", "description": "heads", "version": "", "active": True}]
    assert api.get("/models/nobody").status_code == 404


def test_its_jobs_of_late_are_counted_timed_and_compared_with_the_usual(database: Database, api: httpx.Client) -> None:
    for number in range(3):
        worked(database, f"s{number}", 99.0 - number)
    worked(database, "bad", 10.0, JobState.FAILED)
    wait(database, "of another", model="another")
    found = api.get(f"/models/{CARD.name}").json()["activity"]
    assert found["days"] == [{"day": "2026-01-05", "states": {"completed": 3, "failed": 1}}]
    assert {one["stage"]: (one["jobs"], one["median"]) for one in found["latency"]} == {
        "infer": (4, 1.0),
        "encode": (4, 0.5),
    }
    (day,) = found["likeness"]
    assert (day["jobs"], day["highest"], day["above"]) == (4, 99.0, 3)
    assert [one["percentile"] for one in found["points"]] == [99.0, 98.0, 97.0, 10.0]
    assert [(one["version"], one["jobs"]) for one in found["versions"]] == [("1", 4)]


def test_every_database_tells_the_same_of_a_model_and_of_a_patient(url: str) -> None:
    database = emptied(Database(url))
    worked(database, "a", 50.0)
    worked(database, "b", 97.0)
    worked(database, "bad", 10.0, JobState.FAILED)
    jobs_of_it = model_jobs.newest(database, CARD.name, NOON)
    assert [one.percentile for one in jobs_of_it] == [10.0, 97.0, 50.0]
    newest = jobs_of_it[1].id
    assert [one.job_id for one in findings.of_the_same_patient(database, newest, 9)] == [jobs_of_it[2].id]
    counted = job_counts.unsettled(database), job_counts.settled(database)
    assert (counted[0].jobs, counted[1]) == ({("failed", "routine"): 1}, {("completed", "routine"): 2})
    database.close()


def test_a_model_is_shown_while_no_rules_are_published(database: Database) -> None:
    look = Look(database, lambda: {CARD.name: CARD}, nothing, Clock(LATER))
    assert look.one(CARD.name).rules == ()
