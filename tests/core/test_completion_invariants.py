"""What must hold of every verdict about completeness."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.completion import Arrivals, Known, Policy, judge
from node.core.dicom import Facts, facts
from tests.synthetic import Grid, mr_series

LAST = datetime(2025, 3, 1)  # noqa: DTZ001 # any clock does: the core only takes differences
ALL = [
    facts(ds)
    for ds in mr_series(Grid(slices=6, rows=2, columns=2), echo_times=(5, 9), change={"ImagesInAcquisition": 12})
]

some = settings(max_examples=40, deadline=None)
instances_of_a_series = st.lists(st.sampled_from(ALL), max_size=14)
counts = st.none() | st.integers(0, 20)
uids = st.frozensets(st.sampled_from([one.sop_instance_uid for one in ALL]))
known_things = st.builds(
    Known,
    mpps_instances=counts | uids,
    related_instances=counts,
    earlier_counts=st.lists(st.integers(0, 20), max_size=3).map(tuple),
)
policies = st.builds(
    Policy,
    quiet_seconds=st.floats(0, 100),
    settle_seconds=st.floats(0, 100),
    grid_seconds=st.floats(0, 100),
    longest_seconds=st.floats(0, 1000),
)
moments = st.floats(0, 2000).map(lambda seconds: LAST + timedelta(seconds=seconds))
arrivals = Arrivals(LAST, LAST)


@some
@given(instances_of_a_series, known_things, policies, moments, moments)
def test_once_complete_it_stays_complete_while_nothing_arrives(
    instances: list[Facts], known: Known, policy: Policy, one: datetime, other: datetime
) -> None:
    earlier, later = sorted((one, other))
    if judge(instances, arrivals, known, policy, earlier).complete:
        assert judge(instances, arrivals, known, policy, later).complete


@some
@given(known_things, policies, moments)
def test_nothing_is_never_complete(known: Known, policy: Policy, now: datetime) -> None:
    assert not judge([], arrivals, known, policy, now).complete


@some
@given(instances_of_a_series.filter(bool), known_things, policies)
def test_the_longest_quiet_time_always_ends_it(instances: list[Facts], known: Known, policy: Policy) -> None:
    now = LAST + timedelta(seconds=policy.longest_seconds + 0.001)
    assert judge(instances, arrivals, known, policy, now).complete


@some
@given(instances_of_a_series.filter(bool), known_things, policies, moments)
def test_looking_again_when_told_finds_it_complete(
    instances: list[Facts], known: Known, policy: Policy, now: datetime
) -> None:
    verdict = judge(instances, arrivals, known, policy, now)
    assert verdict.complete == (verdict.look_again_at is None)
    if verdict.look_again_at is not None:
        assert judge(instances, arrivals, known, policy, verdict.look_again_at).complete


@some
@given(st.data(), known_things, policies, moments)
def test_the_order_of_arrival_changes_nothing(data: st.DataObject, known: Known, policy: Policy, now: datetime) -> None:
    instances = data.draw(instances_of_a_series)
    other = data.draw(st.permutations(instances))
    assert judge(instances, arrivals, known, policy, now) == judge(other, arrivals, known, policy, now)


@some
@given(instances_of_a_series.filter(bool), known_things)
def test_a_clock_that_was_set_back_completes_nothing_early(instances: list[Facts], known: Known) -> None:
    before = LAST - timedelta(hours=1)
    verdict = judge(instances, arrivals, known, Policy(), before)
    assert not verdict.complete or verdict.evidence == "mpps"
