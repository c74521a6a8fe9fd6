"""/api/v1/trace, /api/v1/series and /api/v1/inbox over HTTP: found, told, reprocessed, dismissed, sent elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from node.adapters.database import Database, claims, jobs, retention
from node.adapters.database.balance import balance
from node.core.causes import Kind
from node.core.states import JobState, SeriesState
from node.pipeline.inbox import Inbox
from node.web import Web, api_routes
from node.web.api.inbox import inbox_router
from node.web.api.series import series_router
from tests.bench import Bench
from tests.clock import Clock
from tests.databases import database
from tests.synthetic import Grid, mr_series
from tests.waiting import NOON, wait

__all__ = ["database"]

LATER = NOON + timedelta(hours=1)
WHY = {"reason": "asked for by phone"}


@pytest.fixture
def api(database: Database) -> Iterator[httpx.Client]:
    clock = Clock(LATER)
    web = Web(api_routes([series_router(database, clock), inbox_router(Inbox(database, clock))]))
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False) as client:
        yield client
    web.stop()


def stuck(
    database: Database, name: str, reason: str, state: JobState = JobState.FAILED, kind: Kind | None = None
) -> int:
    """A series whose job ended so."""
    wait(database, name)
    job = claims.claim(database, LATER)
    assert job
    assert jobs.finish(database, job.id, state, reason, LATER, kind=kind)
    return job.id


def causes(api: httpx.Client) -> dict[str, tuple[str, int]]:
    """Reason → cause, how many."""
    return {one["reason"]: (one["cause"], one["number"]) for one in api.get("/inbox").json()}


def places(database: Database) -> dict[str, int]:
    found = balance(database)
    assert found.residue == 0
    return {name: number for name, number in vars(found).items() if number and name != "received"}


def test_a_series_is_found_and_told_with_its_job(database: Database, api: httpx.Client) -> None:
    number = stuck(database, "1.2", "it raised")
    (line,) = api.post("/trace", json={"text": "jane"}).json()["series"]
    assert (line["series_instance_uid"], line["patient_name"]) == ("1.2", "Doe^Jane")
    assert [(job["id"], job["state"]) for job in line["jobs"]] == [(number, "failed")]
    story = api.get("/series/1.2/trace").json()
    assert story["associations"][0]["number"] == 1
    assert story["decisions"][0]["rule_set_version"] == "v1"
    assert [one["state"] for one in story["history"]] == ["routed", "scheduled", "failed"]
    assert "results" not in story["jobs"][0]  # paths of files are nobody's business
    assert api.get("/series/9.9/trace").status_code == 404


def test_what_is_stuck_alike_is_one_cause(database: Database, api: httpx.Client) -> None:
    for number in range(3):
        stuck(database, f"1.{number}", f"slice {number} is missing", JobState.NOT_PROCESSABLE)
    stuck(database, "1.8", "the model raised", kind=Kind.MODEL)
    found = api.get("/inbox").json()
    assert sorted((one["kind"], one["number"], one["of"]) for one in found) == [
        ("model", 1, "jobs"),
        ("not_processable", 3, "jobs"),
    ]
    cause = next(one["cause"] for one in found if one["number"] == 3)
    first = api.get(f"/inbox/{cause}", params={"limit": 2}).json()
    second = api.get(f"/inbox/{cause}", params={"limit": 2, "before": first["before"]}).json()
    told = [one["series_instance_uid"] for page in (first, second) for one in page["entries"]]
    assert (told, second["before"]) == (["1.2", "1.1", "1.0"], None)


def test_all_of_a_cause_is_tried_again_and_nothing_else(database: Database, api: httpx.Client) -> None:
    for number in range(3):
        stuck(database, f"1.{number}", f"slice {number} is missing")
    other = stuck(database, "1.9", "the model raised")
    cause, number = causes(api)["slice 2 is missing"]
    assert number == 3
    assert api.post("/inbox/retry", json={"cause": cause, **WHY}).json() == {"done": 3, "refused": 0, "left": False}
    assert causes(api).keys() == {"the model raised"}
    assert jobs.get(database, other).state is JobState.FAILED  # type: ignore[union-attr]
    assert places(database) == {"waiting": 3, "failed": 1}


def test_what_is_dismissed_counts_as_filtered_and_its_bytes_may_go(database: Database, api: httpx.Client) -> None:
    numbers = [stuck(database, f"1.{number}", "it raised") for number in range(2)]
    answer = api.post("/inbox/dismiss", json={"jobs": [numbers[0], 999], **WHY}).json()
    assert answer == {"done": 1, "refused": 1, "left": False}
    assert places(database) == {"filtered": 1, "failed": 1}
    assert [one.series_instance_uid for one in retention.oldest(database, 9)] == ["1.0"]
    assert api.post("/inbox/retry", json={"jobs": [numbers[0]], **WHY}).json()["done"] == 1  # a person may think again
    assert places(database) == {"waiting": 1, "failed": 1}
    assert retention.oldest(database, 9) == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"jobs": [1]},
        {"reason": ""},
        {"reason": "x"},
        {"jobs": ["x"], "reason": "x"},
        {"jobs": [0], "reason": "x"},
        {"jobs": list(range(1, 300)), "reason": "x"},
    ],
)
def test_a_wrong_request_is_refused(api: httpx.Client, asked: dict[str, Any]) -> None:
    for act in ("retry", "dismiss", "reprocess"):
        assert api.post(f"/inbox/{act}", json=asked).status_code == 422


def test_a_cause_that_there_is_not_is_not_found(api: httpx.Client) -> None:
    for cause in ("nonsense", "held.zz", "nobody.0123456789ab", "%00"):
        assert api.get(f"/inbox/{cause}").status_code == 404
        assert api.post("/inbox/retry", json={"cause": cause, **WHY}).status_code == 404
    assert api.get("/inbox/held.0123456789ab").json() == {"entries": [], "before": None}


def test_a_held_series_is_dismissed_or_given_to_other_rules(bench: Bench) -> None:
    bench.rule_set = _rules("otherwise: hold\n")
    ds = mr_series(Grid(slices=3))
    uid = str(ds[0].SeriesInstanceUID)
    bench.receive(ds)
    bench.clock.advance(700)
    assert bench.judge_due() == [True]
    inbox = Inbox(bench.store.database, bench.clock)
    web = Web(api_routes([series_router(bench.store.database, bench.clock), inbox_router(inbox)]))
    port = web.start("127.0.0.1", 0)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False) as api:
            (group,) = api.get("/inbox").json()
            assert (group["kind"], group["of"], group["number"]) == ("unknown", "series", 1)
            assert api.post(f"/series/{uid}/dismiss", json=WHY).json()["state"] == "dismissed"
            assert (api.get("/inbox").json(), places(bench.store.database)) == ([], {"filtered": 3})
            assert api.post(f"/series/{uid}/dismiss", json=WHY).status_code == 409
            bench.rule_set = _rules("otherwise: hold\n", "mr")
            assert api.post("/inbox/reprocess", json={"series": [uid], **WHY}).json()["done"] == 1
            assert bench.judge_due() == [True]
            (line,) = api.post("/trace", json={"text": uid}).json()["series"]
            assert (line["state"], line["version"], len(line["jobs"])) == ("routed", 2, 1)
            assert api.post("/series/9.9/reprocess", json=WHY).status_code == 404
    finally:
        web.stop()


def test_a_reprocessed_series_takes_the_place_of_what_was_delivered_and_of_what_failed(bench: Bench) -> None:
    from node.pipeline import series

    database = bench.store.database
    first = bench.complete(mr_series(Grid(slices=10)))
    jobs.finish(database, first.id, JobState.COMPLETED, bench.work.attempt(bench.claim()), bench.clock())
    failed = bench.complete(mr_series(Grid(slices=10), name="other"))
    jobs.finish(database, bench.claim().id, JobState.FAILED, "it raised", bench.clock())
    for one in (first, failed):
        series.reprocess(database, one.series_instance_uid, "a better rule", "anna", bench.clock())
        assert bench.judge_due() == [True]
        again = bench.jobs()[-1]
        jobs.finish(database, again.id, JobState.COMPLETED, bench.work.attempt(bench.claim()), bench.clock())
    states = {job.id: (job.state, job.version, job.supersedes) for job in bench.jobs()}
    assert states == {
        1: (JobState.SUPERSEDED, 1, None),
        2: (JobState.SUPERSEDED, 1, None),
        3: (JobState.COMPLETED, 2, 1),
        4: (JobState.COMPLETED, 2, None),
    }
    assert places(database) == {"delivered": 20}
    assert Inbox(database, bench.clock).groups() == []


def test_a_series_without_images_is_not_reprocessed(bench: Bench) -> None:
    from node.errors import NotProcessable
    from node.pipeline import series

    database = bench.store.database
    job = bench.complete(mr_series(Grid(slices=10)))
    jobs.finish(database, job.id, JobState.COMPLETED, bench.work.attempt(bench.claim()), bench.clock())
    (one,) = retention.oldest(database, 9)
    assert retention.remove(database, one, "old", bench.clock())
    with pytest.raises(NotProcessable, match="its images were removed to make room: have them sent again"):
        series.reprocess(database, job.series_instance_uid, "why", "anna", bench.clock())
    (line,) = series.find(database, job.series_instance_uid).series
    assert line.state == SeriesState.ROUTED


def _rules(set_file: str, *names: str) -> Any:
    from tests.bench import rules

    rule = (
        "name: mr\ndescription: every MR series\nwhen: {Modality: MR}\n"
        "then: [{infer: mri_core_head}, {deliver: [out]}]\nstop: true\n"
    )
    return rules({"_set.yaml": set_file, **{f"10-{name}.yaml": rule for name in names}})
