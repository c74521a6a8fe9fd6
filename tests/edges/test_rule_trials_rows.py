"""Trials over what the node kept: whole series through reception and completion, then a draft over them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from node.adapters.database import headers, simulations
from node.adapters.database import rules as rows
from node.adapters.database.rules import Publication
from node.adapters.database.tables import job
from node.core.rules import version_of
from node.core.states import JobState
from node.errors import BadConfiguration
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.trials import Trials, foretold, summary
from node.pipeline.rule_sets.versions import Change, Versions
from tests.bench import Bench
from tests.synthetic import Grid, enhanced, mr_series

BRAIN = {
    "_set.yaml": "otherwise: hold\n",
    "10.yaml": "name: mr\nwhen: {SeriesDescription: brain}\nthen: [{infer: mri_core_head}]\n",
}
ALL = {**BRAIN, "10.yaml": "name: mr\nwhen: {Modality: MR}\nthen: [{infer: mri_core_head}]\n"}
ANNA = Change("anna", "try")


def received(bench: Bench) -> None:
    """Four series: two named brain, one knee, one Enhanced."""
    for number, description in enumerate(["brain", "Brain", "knee"]):
        series = mr_series(Grid(slices=3), name=f"s{number}", change={"SeriesDescription": description})
        bench.receive(series)
    bench.receive([enhanced(Grid(slices=3), change={"SeriesDescription": "scout"})])
    bench.clock.advance(700)
    assert bench.judge_due() == [True] * 4


@pytest.fixture
def trials(bench: Bench) -> Trials:
    versions = Versions(bench.store.database, bench.clock)
    versions.publish(BRAIN, ANNA)
    bench.in_use = InUse(bench.store.database)
    received(bench)
    return Trials(bench.store.database, bench.clock)


def test_a_draft_is_tried_on_the_series_that_came(trials: Trials, bench: Bench) -> None:
    found = trials.run(ALL, BRAIN)
    assert (found.series, found.changed, found.gained, found.lost) == (4, 2, {"mri_core_head": 2}, {"held": 2})
    assert {(one.description, one.now) for one in found.listed} == {("knee", "held"), ("scout", "held")}
    assert bench.store.series()[0].state == "routed", "nothing was done"


def test_what_is_in_use_changes_nothing(trials: Trials) -> None:
    assert trials.run(BRAIN, BRAIN).sentence == "would change none of 4 series"


def test_series_in_rows_and_in_chunks_are_tried_alike(trials: Trials, bench: Bench) -> None:
    before = trials.run(ALL, BRAIN)
    assert headers.merge(bench.store.database, bench.clock() + timedelta(days=1), at_least=1) == 4
    after = trials.run(ALL, BRAIN)
    assert (after.changed, after.gained, {one.series_instance_uid for one in after.listed}) == (
        before.changed,
        before.gained,
        {one.series_instance_uid for one in before.listed},
    )


def test_only_so_many_days_are_looked_at(trials: Trials, bench: Bench) -> None:
    bench.clock.advance(3 * 86400)
    assert trials.run(ALL, BRAIN, days=2).series == 0
    assert trials.run(ALL, BRAIN, days=4).series == 4


def test_progress_and_result_are_written_down_and_stand_in_the_history(trials: Trials, bench: Bench) -> None:
    database = bench.store.database
    versions = Versions(database, bench.clock)
    draft, base = versions.keep(ALL, ANNA), version_of(BRAIN)
    number = trials.begin(draft, base, 0, "anna")
    assert simulations.get(database, number).state == simulations.RUNNING
    found = trials.recorded(number, ALL, BRAIN, 0)
    row = simulations.get(database, number)
    assert (row.state, row.done, row.total) == (simulations.DONE, 4, 4)
    versions.publish(ALL, ANNA, foretold=lambda version, in_use: summary(database, version, in_use))
    last = rows.newest(database)
    assert isinstance(last, Publication)
    assert last.simulation is not None
    assert (last.simulation["digest"], last.simulation["sentence"]) == (found.digest, found.sentence)


def test_what_was_not_simulated_is_when_it_is_published(trials: Trials, bench: Bench) -> None:
    versions = Versions(bench.store.database, bench.clock)
    done = versions.publish(ALL, ANNA, foretold=foretold(trials, "anna"))
    assert done.simulation is not None
    assert done.simulation["changed"] == 2


def test_a_draft_that_cannot_be_read_fails_with_its_line(trials: Trials, bench: Bench) -> None:
    number = trials.begin(version_of(BRAIN), version_of(BRAIN), 0, "anna")
    with pytest.raises(BadConfiguration):
        trials.recorded(number, {"10.yaml": "name: a\nwhen: {Modalty: MR}\nthen: [hold]\n"}, BRAIN, 0)
    row = simulations.get(bench.store.database, number)
    assert row.state == simulations.FAILED
    assert row.result is not None
    assert "10.yaml:2" in str(row.result["reason"])


def test_hours_follow_from_what_inferences_took(trials: Trials, bench: Bench) -> None:
    numbers = [one.id for one in bench.jobs()]
    assert len(numbers) == 2
    with bench.store.database.transaction() as connection:
        for number, seconds in zip(numbers, (1800.0, 5400.0), strict=True):
            done = update(job).where(job.c.id == number)
            connection.execute(done.values(state=JobState.COMPLETED, seconds={"infer": seconds, "encode": 9.0}))
    assert simulations.measured_seconds(bench.store.database) == {"mri_core_head": 3600.0}
    found = trials.run(ALL, BRAIN)
    assert (
        found.sentence
        == "would change 2 of 4 series: +2 mri_core_head, \N{MINUS SIGN}2 held; +2.0 h of inference a day"
    )
