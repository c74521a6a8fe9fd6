"""What /metrics says: the depth and age of what waits, what is late, what is left alone, and what Triton counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from node.adapters.database import Database, claims, deliveries, jobs, pauses
from node.adapters.files import Files
from node.adapters.triton import Model, TritonClient
from node.adapters.triton.canary import slices as canary_slices
from node.core.breaker import Breaker
from node.core.jobs import MadeResult
from node.core.states import JobState
from node.pipeline.models import Models
from node.web.metrics import Sources, exposition
from tests.bench import until
from tests.databases import migrated
from tests.fakes import FakeModels
from tests.triton_fixture import MODEL
from tests.waiting import NOON, wait

Value = Callable[..., float | None]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return migrated(Database(f"sqlite:///{tmp_path / 'node.db'}"))


@pytest.fixture
def value(database: Database, tmp_path: Path) -> Value:
    """One figure by its name and labels; None when it is not there."""

    def read(name: str, models: Models | None = None, /, **labels: str) -> float | None:
        text = exposition(Sources(database, Files(tmp_path / "instances", 0), models)).decode()
        samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
        return next((one.value for one in samples if one.name == name and one.labels == labels), None)

    return read


def test_jobs_are_counted_by_state_and_priority_and_the_oldest_of_each_model_has_its_time(
    database: Database, value: Value
) -> None:
    wait(database, "low", priority="low", model="tail", at=NOON + timedelta(minutes=9))
    wait(database, "first")
    wait(database, "second", at=NOON + timedelta(minutes=5))
    wait(database, "urgent", priority="stat", at=NOON + timedelta(minutes=7))
    assert value("mricore_jobs", state="scheduled", priority="routine") == 2
    assert value("mricore_jobs", state="scheduled", priority="low") == 1
    assert value("mricore_model_oldest_job_created_timestamp_seconds", model="head") == NOON.timestamp()
    claimed = claims.claim(database, NOON + timedelta(hours=1))
    assert claimed
    assert value("mricore_jobs", state="in_progress", priority="stat") == 1
    assert value("mricore_model_oldest_job_created_timestamp_seconds", model="head") == NOON.timestamp()
    assert claims.claim(database, NOON + timedelta(hours=1))
    later = (NOON + timedelta(minutes=5)).timestamp()
    assert value("mricore_model_oldest_job_created_timestamp_seconds", model="head") == later


def test_late_jobs_are_counted_while_they_are_open_and_ever_after(database: Database, value: Value) -> None:
    wait(database, "late", deadline_at=NOON + timedelta(hours=1))
    wait(database, "in time", deadline_at=NOON + timedelta(days=1))
    now = NOON + timedelta(hours=2)
    jobs.mark_overdue(database, now)
    assert (value("mricore_jobs_overdue"), value("mricore_jobs_missed_deadlines_total")) == (1, 1)
    claimed = claims.claim(database, now)
    assert claimed
    jobs.finish(database, claimed.id, JobState.COMPLETED, "delivered", now)
    assert (value("mricore_jobs_overdue"), value("mricore_jobs_missed_deadlines_total")) == (0, 1)


def test_what_waits_for_a_destination_has_its_number_its_time_and_the_next_try(
    database: Database, value: Value
) -> None:
    wait(database, "s")
    claimed = claims.claim(database, NOON, claims.Claimant(delivers=False))
    assert claimed
    assert jobs.keep_results(database, claimed, [MadeResult("SEG", "1", "2", "3", "p", "c" * 64, 5)], [], {}, "1")
    tried = Breaker(4, NOON, NOON + timedelta(minutes=3), "down")
    assert deliveries.step(database, "pacs", lambda _before: tried)
    pauses.pause(database, pauses.DESTINATION, "pacs", "somebody", NOON)
    assert value("mricore_destination_waiting_results", destination="pacs") == 1
    oldest = "mricore_destination_oldest_job_created_timestamp_seconds"
    assert value(oldest, destination="pacs") == NOON.timestamp()
    assert value("mricore_destination_breaker_open", destination="pacs") == 1
    assert value("mricore_destination_failures", destination="pacs") == 4
    at = (NOON + timedelta(minutes=3)).timestamp()
    assert value("mricore_destination_next_try_timestamp_seconds", destination="pacs") == at
    assert value("mricore_paused", kind="destination", name="pacs") == 1


def test_a_server_that_says_nothing_is_down_and_the_rest_is_said(value: Value) -> None:
    models = cast("Models", FakeModels())
    assert value("mricore_triton_up", models) == 0
    assert value("mricore_model_ready", models, model=MODEL) == 1
    assert value("mricore_triton_slices_total", models, model=MODEL, version="1") is None


def test_a_process_without_models_says_nothing_of_them(value: Value) -> None:
    assert value("mricore_triton_up") is None
    assert value("mricore_model_ready", model=MODEL) is None


def test_what_triton_counted_is_told_per_model(value: Value, model: Model, triton_client: TritonClient) -> None:
    models = Models([model], triton_client, 240)
    counted = {"model": MODEL, "version": model.card.version}

    def slices() -> float:
        return value("mricore_triton_slices_total", models, **counted) or 0

    # Triton answers first and counts then.
    before = slices()
    assert models.ask_canaries() == {}
    canary = len(canary_slices())
    until(lambda: slices() == before + canary, "the canary is counted")
    triton_client.infer(MODEL, "", np.zeros((5, 64, 64), np.uint16))
    until(lambda: slices() == before + canary + 5, "five slices are counted")
    assert value("mricore_triton_up", models) == 1
    for name in ("requests", "executions", "compute_seconds"):
        assert (value(f"mricore_triton_{name}_total", models, **counted) or 0) > 0
    assert value("mricore_model_canaries_total", models, model=MODEL, outcome="passed") == 1
    assert value("mricore_model_requests_in_flight", models, model=MODEL) == 0


def test_every_figure_is_explained_in_the_manual(database: Database, tmp_path: Path) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    text = exposition(Sources(database, Files(tmp_path / "instances", 0), cast("Models", FakeModels()))).decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert len(names) > 15
    assert [name for name in sorted(names) if name not in manual] == []
