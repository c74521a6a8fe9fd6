"""The table of states: its laws, whatever its lines say."""

from __future__ import annotations

from node.core import states
from node.core.states import JOB_STEPS, OPEN_JOBS, SERIES_STEPS, STUCK_JOBS, JobState, SeriesState, may_step


def reachable(steps: dict[JobState, frozenset[JobState]], start: JobState) -> set[JobState]:
    found, left = {start}, [start]
    while left:
        for after in steps[left.pop()] - found:
            found.add(after)
            left.append(after)
    return found


def test_every_state_has_its_line() -> None:
    assert set(JOB_STEPS) == set(JobState)
    assert set(SERIES_STEPS) == set(SeriesState)


def test_every_job_state_is_reached_from_scheduled() -> None:
    assert reachable(JOB_STEPS, JobState.SCHEDULED) == set(JobState)


def test_only_superseded_is_final_for_ever() -> None:
    assert [state for state, after in JOB_STEPS.items() if not after] == [JobState.SUPERSEDED]


def test_no_state_leads_to_itself() -> None:
    assert not any(may_step(state, state) for state in JobState)


def test_a_job_that_ended_begins_again_only_by_being_scheduled() -> None:
    for state in set(JobState) - OPEN_JOBS:
        assert JOB_STEPS[state] <= {JobState.SCHEDULED, JobState.CANCELED, JobState.SUPERSEDED, JobState.DISMISSED}
        assert not may_step(state, JobState.IN_PROGRESS)


def test_a_completed_job_is_never_undone_only_sent_once_more() -> None:
    assert JOB_STEPS[JobState.COMPLETED] == {JobState.SCHEDULED, JobState.SUPERSEDED}


def test_what_waits_for_a_person_can_be_dismissed_and_what_is_dismissed_can_be_taken_up_again() -> None:
    assert {state for state in JobState if may_step(state, JobState.DISMISSED)} == STUCK_JOBS | {JobState.CANCELED}
    assert may_step(JobState.DISMISSED, JobState.SCHEDULED)
    assert {state for state in SeriesState if SeriesState.DISMISSED in SERIES_STEPS[state]} == {SeriesState.HELD}


def test_every_job_gives_way_to_one_on_a_newer_version() -> None:
    assert {state for state in JobState if not may_step(state, JobState.SUPERSEDED)} == {JobState.SUPERSEDED}


def test_a_late_instance_leads_every_series_back_to_waiting() -> None:
    for state in set(SeriesState) - {SeriesState.WAITING}:
        assert SeriesState.WAITING in SERIES_STEPS[state]


def test_the_words_at_the_top_of_the_file_name_every_state() -> None:
    assert states.__doc__ is not None
    for state in (*JobState, *SeriesState):
        assert state.value in states.__doc__, state
