"""Completion in the pipeline: a stored series, a told clock, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from node.adapters.database import series as rows
from node.adapters.database.balance import balance
from node.core.states import JobState, SeriesState
from node.worker import Clerk
from tests.bench import LONG_AFTER, Bench, rules, until
from tests.synthetic import Grid, mr_series, uid

WHOLE = mr_series(Grid(slices=10))
WITH_GAP = [*WHOLE[:4], *WHOLE[5:]]


def test_a_series_waits_until_nothing_came_for_as_long_as_its_evidence_asks(bench: Bench) -> None:
    bench.receive(WHOLE)
    bench.clock.advance(6)
    assert bench.judge_due() == [False]
    (waiting,) = bench.store.series()
    assert waiting.state == SeriesState.WAITING
    assert "10 slices" in waiting.evidence
    bench.clock.advance(20)
    assert bench.judge_due() == [True]
    (complete,) = bench.store.series()
    assert (complete.state, complete.reason) == (SeriesState.ROUTED, bench.store.series()[0].reason)
    assert complete.completed_at == bench.clock()


def test_every_arrival_starts_the_wait_anew(bench: Bench) -> None:
    for ds in WHOLE:
        bench.receive([ds])
        bench.clock.advance(15)
        assert True not in bench.judge_due()
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]


def test_a_gap_is_waited_for_longer_than_a_whole_grid(bench: Bench) -> None:
    bench.receive(WITH_GAP)
    bench.clock.advance(61)
    assert bench.judge_due() == [False]
    assert "missing" in bench.store.series()[0].evidence
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]


def test_a_restart_in_the_middle_of_a_series_loses_nothing(bench: Bench) -> None:
    bench.receive(WHOLE[:5])
    bench.clock.advance(6)
    bench.judge_due()
    again = bench.restarted()
    again.receive(WHOLE[5:])
    again.clock.advance(LONG_AFTER)
    assert again.judge_due() == [True]
    (job,) = again.jobs()
    assert (job.version, job.state) == (1, JobState.SCHEDULED)
    assert again.attempt() == "delivered to out"
    assert again.out.kinds == ["SEG", "SR"]
    again.store.close()


def test_a_series_that_was_due_during_the_outage_is_judged_at_the_start(bench: Bench) -> None:
    bench.receive(WHOLE)
    again = bench.restarted()
    again.clock.advance(86_400)
    assert again.judge_due() == [True]
    again.store.close()


def test_an_instance_that_arrives_between_judging_and_settling_is_not_lost(bench: Bench) -> None:
    """The verdict was reached on nine instances; the tenth comes before it is written."""
    bench.receive(WHOLE[:9])
    bench.clock.advance(LONG_AFTER)
    seen = rows.waiting(bench.store.database, str(WHOLE[0].SeriesInstanceUID))
    assert seen is not None
    late = iter(WHOLE[9:])

    def rule_set_while_another_arrives() -> object:
        bench.clock.advance(0.5)
        bench.receive(list(late))
        return bench.rule_set

    completion = bench.completion
    object.__setattr__(completion, "rule_set", rule_set_while_another_arrives)
    assert completion.judge(seen.series_instance_uid) is False
    assert bench.jobs() == []
    (waiting,) = bench.store.series()
    assert (waiting.state, waiting.version) == (SeriesState.WAITING, 1)
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]
    assert len(rows.instances(bench.store.database, seen.series_instance_uid)) == 10


def test_an_instance_of_the_same_moment_as_the_last_one_is_not_lost_either(bench: Bench) -> None:
    bench.receive(WHOLE[:9])
    seen = rows.waiting(bench.store.database, str(WHOLE[0].SeriesInstanceUID))
    assert seen is not None
    bench.receive(WHOLE[9:])  # the clock did not move
    verdict = rows.Verdict(SeriesState.ROUTED, "", "", "", "", [], [])
    assert rows.settle(bench.store.database, seen, verdict, bench.clock()) is False


def test_two_clerks_settle_a_series_once(bench: Bench) -> None:
    bench.receive(WHOLE)
    bench.clock.advance(LONG_AFTER)
    completion = bench.completion
    (due,) = completion.due()
    assert [completion.judge(due), completion.judge(due)] == [True, False]
    assert len(bench.jobs()) == 1


def test_a_series_that_no_rule_takes_is_held_with_its_reason(bench: Bench) -> None:
    bench.rule_set = rules({"_set.yaml": "otherwise: hold\n"})
    bench.receive(WHOLE)
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]
    (held,) = bench.store.series()
    assert held.state == SeriesState.HELD
    assert held.reason
    assert bench.jobs() == []
    assert balance(bench.store.database).held == 10


def test_one_broken_series_does_not_stop_the_others(bench: Bench) -> None:
    good, broken = WHOLE, mr_series(Grid(slices=3), name="broken")
    bench.receive([*broken, *good])
    with bench.store.database.transaction() as connection:  # as if an older release had stored it
        connection.execute(
            text("UPDATE instance SET facts = :facts WHERE series_instance_uid = :uid"),
            {"facts": '{"version": 1}', "uid": str(broken[0].SeriesInstanceUID)},
        )
    bench.clock.advance(LONG_AFTER)
    clerk = Clerk(bench.completion, bench.clock, lambda: None)
    clerk.start()
    until(lambda: bench.jobs(), "the good series' job")
    until(lambda: not bench.completion.due(), "the broken series is put off or judged")
    clerk.stop(120)
    states = {row.series_instance_uid: row.state for row in bench.store.series()}
    assert states[str(good[0].SeriesInstanceUID)] == SeriesState.ROUTED


def test_what_another_release_remembered_of_a_header_is_read_anew(bench: Bench) -> None:
    bench.receive(WHOLE)
    bench.clock.advance(6)
    bench.judge_due()
    with bench.store.database.transaction() as connection:
        connection.execute(text("UPDATE instance SET facts = json_set(facts, '$.version', 0)"))
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]


def test_files_that_vanished_cost_their_series_a_reason_and_not_the_node(bench: Bench) -> None:
    bench.receive(WHOLE)
    for path in bench.store.paths():
        bench.store.files.path(path).unlink()
    bench.clock.advance(LONG_AFTER)
    assert bench.judge_due() == [True]
    (row,) = bench.store.series()
    assert row.state == SeriesState.HELD
    assert row.reason


@pytest.mark.parametrize("slices", [1, 10])
def test_the_balance_has_no_residue_at_any_step(bench: Bench, slices: int) -> None:
    database = bench.store.database
    for ds in mr_series(Grid(slices=slices)):
        bench.receive([ds, ds])
        assert balance(database).residue == 0
    bench.clock.advance(LONG_AFTER)
    bench.judge_due()
    assert balance(database).residue == 0
    bench.attempt()
    assert balance(database).residue == 0
    assert balance(database).received == 2 * slices


def test_next_look_is_when_the_verdict_may_change(bench: Bench) -> None:
    bench.receive(WHOLE)
    arrived = bench.clock()
    bench.clock.advance(6)
    bench.judge_due()
    assert bench.completion.next_look() == arrived + timedelta(seconds=20)
    assert bench.completion.due() == []


def test_series_of_one_study_complete_independently(bench: Bench) -> None:
    study = uid("one study")
    first = mr_series(Grid(slices=4), name="a", change={"StudyInstanceUID": study})
    second = mr_series(Grid(slices=4), name="b", change={"StudyInstanceUID": study})
    bench.receive(first)
    bench.clock.advance(LONG_AFTER)
    bench.receive(second)
    assert bench.judge_due() == [True]
    assert sorted(row.state for row in bench.store.series()) == ["routed", "waiting"]
    assert balance(bench.store.database, study).waiting == 8
