"""Rules that need several series of one study."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from node.core.rules import (
    Decision,
    Disposition,
    RuleSet,
    Sibling,
    Standing,
    Study,
    Subject,
    bound,
    check_rule_set,
    decide,
    explain,
    parse_rule_set,
)

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TUMOUR = """name: tumour
when: {Modality: MR}
needs:
  t1: {SeriesDescription: {contains: t1}}
  flair: {SeriesDescription: {contains: flair}}
within: 4 h
else: hold
then: [{infer: tumour}, {deliver: [pacs]}]
"""


def subject(description: str, modality: str = "MR") -> Subject:
    ds = Dataset()
    ds.Modality, ds.SeriesDescription = modality, description
    return Subject([ds])


def study(*descriptions: str) -> list[Sibling]:
    """Complete series, one every minute, whose UIDs are their numbers."""
    return [
        Sibling(str(number), NOON + timedelta(minutes=number), subject(one))
        for number, one in enumerate(descriptions, 1)
    ]


def rules(*texts: str) -> RuleSet:
    return parse_rule_set({f"{number}.yaml": text for number, text in enumerate(texts, 10)})


def decided(series: list[Sibling], own: str, *texts: str, after: timedelta = HOUR) -> Decision:
    mine = next(one for one in series if one.series_instance_uid == own)
    return decide(rules(*(texts or (TUMOUR,))), mine.subject, Study(own, series, NOON + after))


def test_a_series_waits_for_the_other_one_of_its_study() -> None:
    decision = decided(study("t1 mprage"), "1")
    assert decision.disposition is Disposition.WAIT
    assert decision.look_again_at == NOON + timedelta(hours=4, minutes=1)
    assert decision.reason == (
        "tumour waits: the series is the t1 of its study; waiting for flair until 2024-03-01 16:01 UTC"
    )


def test_the_series_of_the_first_need_carries_the_job_and_names_both() -> None:
    series = study("t2 flair", "t1 mprage")
    carrying, taking_part = decided(series, "2"), decided(series, "1")
    assert carrying.disposition is Disposition.INFER
    assert [one.inputs for one in carrying.inferences] == [(("t1", "2"), ("flair", "1"))]
    assert (taking_part.disposition, taking_part.inferences) == (Disposition.IGNORE, ())
    assert taking_part.reason == "tumour matched: the series is the flair of its study"


def test_one_series_never_meets_two_needs() -> None:
    """Names that are parts of each other are not both met by the longer one alone."""
    post = "name: post\nneeds:\n  t1: {SeriesDescription: {contains: T1}}\n  post: {SeriesDescription: T1 POST}\n"
    post += "within: 1 h\nthen: [{infer: m}]\n"
    alone = decided(study("T1 POST"), "1", post, after=timedelta())
    assert alone.disposition is Disposition.WAIT
    both = study("T1 POST", "T1")
    assert [one.inputs for one in decided(both, "2", post).inferences] == [(("t1", "2"), ("post", "1"))]


def test_of_several_that_fit_the_first_received_is_taken_and_the_others_go_on_to_later_rules() -> None:
    series = study("t1 a", "t1 b", "flair")
    assert decided(series, "1").disposition is Disposition.INFER
    later = decided(series, "2", TUMOUR, "name: rest\nwhen: {}\nthen: [{infer: head}]\n")
    assert [one.standing for one in later.outcomes] == [Standing.NOT_MATCHED, Standing.MATCHED]
    assert later.outcomes[0].sentence == "tumour did not match: other series of the study meet its needs"


def test_when_the_wait_is_over_the_rule_holds_or_proceeds_with_what_is_there() -> None:
    series = study("t1 mprage")
    held = decided(series, "1", after=5 * HOUR)
    assert (held.disposition, held.rule) == (Disposition.HOLD, "tumour")
    assert held.reason == "tumour matched: the series is the t1 of its study, but flair did not come"
    assert [one.inputs for one in held.inferences] == [(("t1", "1"),)], "what a person releases"
    on = decided(series, "1", TUMOUR.replace("else: hold", "else: proceed"), after=5 * HOUR)
    assert [one.inputs for one in on.inferences] == [(("t1", "1"),)]
    assert on.reason == "tumour matched: the series is the t1 of its study without flair"


def test_a_series_that_meets_no_need_is_none_of_the_rules_business() -> None:
    decision = decided(study("t1", "localizer"), "2")
    assert decision.outcomes[0].standing is Standing.NOT_MATCHED
    assert "SeriesDescription contains 't1': value 'localizer'" in decision.outcomes[0].sentence


def test_an_unknown_series_of_the_study_meets_no_need() -> None:
    series = [*study("t1"), Sibling("2", NOON, Subject([Dataset()]))]
    assert decided(series, "1").disposition is Disposition.WAIT


def test_without_its_study_a_series_is_all_there_is_of_it() -> None:
    assert decide(rules(TUMOUR), subject("t1")).reason.endswith("but flair did not come")


def test_an_explanation_names_who_plays_which_part() -> None:
    lines = explain(decided(study("t2 flair", "t1 mprage"), "2"))
    assert "  t1: series 2" in lines
    assert "  flair: series 1" in lines
    assert "  flair: no series yet" in explain(decided(study("t1"), "1"))


DESCRIPTIONS = st.lists(st.sampled_from(["a", "b", "c", "ab", "bc", "abc", "x"]), max_size=7)
THREE = rules(
    "name: three\nneeds:\n"
    + "".join(f"  {one}: {{SeriesDescription: {{contains: {one}}}}}\n" for one in "abc")
    + "within: 1 h\nthen: [{infer: m}]\n"
).rules[0]


def most_at_once(descriptions: list[str]) -> int:
    """By trying everything."""

    def best(needs: str, left: tuple[str, ...]) -> int:
        if not needs:
            return 0
        met = [
            1 + best(needs[1:], left[:place] + left[place + 1 :]) for place, one in enumerate(left) if needs[0] in one
        ]
        return max([best(needs[1:], left), *met])

    return best("abc", tuple(descriptions))


@settings(deadline=None)  # the machine may be busy
@given(DESCRIPTIONS)
def test_a_binding_meets_as_many_needs_as_can_be_and_no_series_twice(descriptions: list[str]) -> None:
    series = study(*descriptions)
    binding = bound(THREE, Study("1", series, NOON))
    uids = [uid for _, uid in binding.series]
    assert len(set(uids)) == len(uids) == most_at_once(descriptions)
    assert all(need in descriptions[int(uid) - 1] for need, uid in binding.series)


@settings(deadline=None)  # the machine may be busy
@given(DESCRIPTIONS, st.permutations(range(7)))
def test_every_series_of_a_study_comes_to_the_same_binding(descriptions: list[str], places: list[int]) -> None:
    series = study(*descriptions)
    mixed = [series[place] for place in places if place < len(series)]
    found = {bound(THREE, Study(own, order, NOON)).series for own in ("1", "5") for order in (series, mixed)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("within: 4 h\n", ""), "10.yaml:3: needs does not say how long to wait. Add `within: 4 h`"),
        (("within: 4 h", "within: soon"), "10.yaml:6: within takes a time. Write it like `within: 30 min`"),
        (("within: 4 h", "within: 30 days"), "10.yaml:6: within is longer than nothing and at most 7 days"),
        (("else: hold", "else: wait"), "10.yaml:7: 'wait' is no else. Write one of hold, proceed"),
        (("[{infer: tumour}, {deliver: [pacs]}]", "[hold]"), "10.yaml:3: needs without infer has no model"),
        (("  t1: {SeriesDescription: {contains: t1}}", "  t1: x"), "10.yaml:4: t1 takes conditions"),
        (("  t1: {", "  T 1: {"), "10.yaml:4: 'T 1' is no name of a need. Use lower-case letters and digits"),
    ],
)
def test_a_mistake_in_the_needs_is_told(change: tuple[str, str], what: str) -> None:
    told = [str(mistake) for mistake in check_rule_set({"10.yaml": TUMOUR.replace(*change)})]
    assert len(told) == 1
    assert what in told[0]


def test_waiting_without_needs_is_a_mistake() -> None:
    told = check_rule_set({"10.yaml": "name: a\nwhen: {}\nwithin: 1 h\nelse: hold\nthen: [{infer: m}]\n"})
    assert [str(one) for one in told] == [
        "10.yaml:3: within says nothing without needs. Add `needs:`, or take it out",
        "10.yaml:4: else says nothing without needs. Add `needs:`, or take it out",
    ]
