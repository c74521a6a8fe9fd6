"""Series of one study that wait for each other, and what rules leave beside jobs."""

from __future__ import annotations

from datetime import timedelta

from pydicom.dataset import Dataset

from node.adapters.database import routing
from node.adapters.database.trace import line
from node.core.jobs import Job
from node.core.states import SeriesState
from node.pipeline.rule_sets.why import why
from tests.bench import LONG_AFTER, Bench, rules
from tests.synthetic import Grid, mr_series, uid

TUMOUR = """name: tumour
when: {Modality: MR, study.series: {at_most: 9}, series.received: {exists: true}}
needs:
  t1: {SeriesDescription: {contains: t1}}
  flair: {SeriesDescription: {contains: flair}}
within: 4 h
else: ELSE
then: [{infer: mri_core_head}, {deliver: [out]}, {tag: [tumour, both]}, {notify: {to: [neuro], say: come and see}}]
"""


def series(description: str, **more: object) -> list[Dataset]:
    study = {"StudyInstanceUID": uid("study"), "SeriesDescription": description}
    return mr_series(Grid(slices=10), name=description, change={**study, **more})


T1, FLAIR = series("t1 mprage"), series("t2 flair")


def on(bench: Bench, missing: str = "hold", *more: str) -> None:
    texts = [TUMOUR.replace("ELSE", missing), *more]
    bench.rule_set = rules({f"{number}.yaml": text for number, text in enumerate(texts, 10)})


def settle(bench: Bench) -> None:
    """Judge until nothing is due: the series of a study wake each other."""
    for _ in range(10):
        if not bench.completion.due():
            return
        bench.judge_due()
    raise AssertionError("the series of a study wake each other without end")


def arrive(bench: Bench, datasets: list[Dataset]) -> None:
    bench.receive(datasets)
    bench.clock.advance(60)
    settle(bench)


def states(bench: Bench) -> dict[str, str]:
    return {one.series_description: one.state for one in bench.store.series()}


def inputs(bench: Bench, job: Job) -> dict[str, str]:
    return dict(routing.inputs(bench.store.database, job.id))


def test_a_complete_series_waits_for_its_study_and_the_job_names_both(bench: Bench) -> None:
    on(bench)
    arrive(bench, T1)
    (waiting,) = bench.store.series()
    assert (waiting.state, bench.jobs()) == (SeriesState.WAITING, [])
    assert "waiting for flair until" in waiting.evidence
    arrive(bench, FLAIR)
    assert states(bench) == {"t1 mprage": SeriesState.ROUTED, "t2 flair": SeriesState.FILTERED}
    (job,) = bench.jobs()
    assert job.series_instance_uid == T1[0].SeriesInstanceUID
    assert inputs(bench, job) == {"t1": T1[0].SeriesInstanceUID, "flair": FLAIR[0].SeriesInstanceUID}
    assert bench.attempt() == "delivered to out"


def test_the_order_of_arrival_does_not_matter(bench: Bench) -> None:
    on(bench)
    arrive(bench, FLAIR)
    arrive(bench, T1)
    assert states(bench) == {"t1 mprage": SeriesState.ROUTED, "t2 flair": SeriesState.FILTERED}


def test_series_that_arrive_together_do_not_wait_for_each_other(bench: Bench) -> None:
    on(bench)
    bench.receive([*T1, *FLAIR])
    bench.clock.advance(60)
    settle(bench)
    assert states(bench) == {"t1 mprage": SeriesState.ROUTED, "t2 flair": SeriesState.FILTERED}


def test_when_the_other_series_does_not_come_a_person_looks(bench: Bench) -> None:
    on(bench)
    arrive(bench, T1)
    bench.clock.advance(timedelta(hours=4).total_seconds())
    settle(bench)
    (held,) = bench.store.series()
    assert (held.state, bench.jobs()) == (SeriesState.HELD, [])
    assert held.reason.endswith("but flair did not come")


def test_or_the_rule_proceeds_with_what_is_there(bench: Bench) -> None:
    on(bench, "proceed")
    arrive(bench, T1)
    bench.clock.advance(timedelta(hours=4).total_seconds())
    settle(bench)
    (job,) = bench.jobs()
    assert inputs(bench, job) == {"t1": T1[0].SeriesInstanceUID}


def test_a_restart_while_a_series_waits_for_its_study_changes_nothing(bench: Bench) -> None:
    on(bench)
    arrive(bench, T1)
    again = bench.restarted()
    arrive(again, FLAIR)
    assert states(again) == {"t1 mprage": SeriesState.ROUTED, "t2 flair": SeriesState.FILTERED}
    again.store.close()


def test_a_late_instance_makes_a_waiting_series_incomplete_again(bench: Bench) -> None:
    on(bench)
    arrive(bench, T1[:9])
    bench.receive(T1[9:])
    bench.receive(FLAIR)
    bench.clock.advance(60)
    settle(bench)
    assert states(bench) == {"t1 mprage": SeriesState.ROUTED, "t2 flair": SeriesState.FILTERED}
    (job,) = bench.jobs()
    assert job.version == 1


def test_another_study_is_another_matter(bench: Bench) -> None:
    on(bench)
    arrive(bench, T1)
    arrive(bench, series("flair elsewhere", StudyInstanceUID=uid("another")))
    assert set(states(bench).values()) == {SeriesState.WAITING}


def test_a_late_slice_of_the_carrier_makes_a_new_version_of_the_job_on_both(bench: Bench) -> None:
    on(bench)
    arrive(bench, [*T1[:9], *FLAIR])
    bench.clock.advance(LONG_AFTER)
    settle(bench)
    arrive(bench, T1[9:])
    bench.clock.advance(LONG_AFTER)
    settle(bench)
    newest = bench.jobs()[-1]
    assert (newest.version, set(inputs(bench, newest))) == (2, {"t1", "flair"})


def test_the_trace_tells_tags_notices_and_the_series_of_a_job(bench: Bench) -> None:
    on(bench)
    bench.receive([*T1, *FLAIR])
    bench.clock.advance(60)
    settle(bench)
    taking_part = line(bench.store.database, FLAIR[0].SeriesInstanceUID)
    assert taking_part is not None
    assert (taking_part.tags, taking_part.notices) == ((), ())
    found = line(bench.store.database, T1[0].SeriesInstanceUID)
    assert found is not None
    assert found.tags == ("both", "tumour")
    assert found.notices == (("tumour", ("neuro",), "come and see"),)
    assert found.jobs[0].inputs == (("t1", T1[0].SeriesInstanceUID), ("flair", FLAIR[0].SeriesInstanceUID))


def test_why_prefers_the_series_that_the_live_decision_preferred(bench: Bench) -> None:
    """The second T1 is decided on first: it need not wait for the FLAIR, as the first one is preferred to it."""
    on(bench)
    second = series("t1 again")
    arrive(bench, T1)
    arrive(bench, second)
    arrive(bench, FLAIR)
    files = {"10.yaml": TUMOUR.replace("ELSE", "hold")}
    for one, standing in ((T1, "matched"), (second, "not matched"), (FLAIR, "matched")):
        found = why(bench.store.database, str(one[0].SeriesInstanceUID), files)
        assert [said.standing for said in found.rules] == [standing]
