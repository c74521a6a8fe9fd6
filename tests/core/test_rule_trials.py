"""A trial over what was kept foretells what live evaluation does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from node.core.kept import kept_cells, kept_facts
from node.core.kept.columns import columns_of
from node.core.rules import FactValue, RuleSet, Sibling, Study, Subject, decide, parse_rule_set
from node.core.trial import Answers, Effect, Rulings, Siblings, Table, Tally, effect_of
from node.core.trial.tally import LISTED_AT_MOST

Series = tuple[Mapping[str, str], Mapping[str, FactValue]]

CLAUSES = st.sampled_from([
    "Modality: MR", "Modality: {in: [MR, CT]}", "SeriesDescription: {contains: t1}",
    'SeriesDescription: {matches: "^t[12]"}',
    "EchoTime: {at_least: 50}", "EchoTime: {any: {at_least: 50}}", "EchoTime: {all: {at_most: 50}}",
    "BodyPartExamined: {exists: false}", "series.instances: {at_least: 2}", "ImageType: {equals: [ORIGINAL, PRIMARY]}",
    "not: {SeriesDescription: scout}", "any: [{Modality: CT}, {EchoTime: {at_most: 20}}]", "series.is_3d: true",
    "StudyDate: {between: [2026-01-01, 2026-01-31]}",
])  # fmt: skip
ACTIONS = st.sampled_from([
    "{infer: brain}", "{infer: knee}", "{infer: {model: brain, volume: each}}", "{tag: seen}", "hold", "ignore",
    "{infer: brain@2}",
])  # fmt: skip
RULE = st.tuples(
    st.lists(CLAUSES, max_size=3),
    st.lists(ACTIONS, min_size=1, max_size=1),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "Modality": st.sampled_from(["MR", "CT", ""]),
        "SeriesDescription": st.sampled_from(["T1 mprage", "t2", "Scout", ""]),
        "EchoTime": st.sampled_from(["10", "90", "long", ""]),
        "BodyPartExamined": st.just("BRAIN"),
        "ImageType": st.sampled_from(["ORIGINAL\\PRIMARY", "DERIVED"]),
        "StudyDate": st.sampled_from(["20260105", "20260231", "20250101"]),
    },
)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "series.instances": st.integers(1, 3),
        "series.volumes": st.integers(1, 2),
        "series.is_3d": st.booleans(),
    },
)
SERIES = st.tuples(st.lists(VALUES, min_size=1, max_size=3), FACTS)


def rule_set(rules: Sequence[tuple[list[str], list[str], bool, bool, bool]], otherwise: str = "hold") -> RuleSet:
    files = {"_set.yaml": f"otherwise: {otherwise}\n"}
    for number, (clauses, actions, stop, hold, active) in enumerate(rules):
        parts = ", ".join(f"{{{clause}}}" for clause in clauses)
        when = f"{{all: [{parts}]}}" if clauses else "{}"
        files[f"{number:02}.yaml"] = (
            f"name: r{number}\nwhen: {when}\non_unknown: {'hold' if hold else 'no-match'}\n"
            f"then: [{', '.join(actions)}]\nactive: {str(active).lower()}\n"
        )
        if "hold" not in actions and "ignore" not in actions:  # these end the search
            files[f"{number:02}.yaml"] += f"stop: {str(stop).lower()}\n"
    return parse_rule_set(files)


def live(values: Sequence[Mapping[str, str]], facts: Mapping[str, FactValue]) -> Subject:
    datasets = []
    for one in values:
        ds = Dataset()
        for keyword, value in one.items():
            with_values = value.split("\\") if keyword == "ImageType" else value
            ds.add_new(keyword, "CS" if keyword in ("Modality", "ImageType", "BodyPartExamined") else "LO", with_values)
        datasets.append(ds)
    return Subject(datasets, facts)


def table_of(subjects: Sequence[Subject]) -> Table:
    rows = [{**kept_cells(one.datasets), **kept_facts(one.facts)} for one in subjects]
    return Table(len(rows), columns_of(rows))


def foretold(rules: RuleSet, subjects: Sequence[Subject], answers: Answers | None = None) -> list[Effect]:
    found, table = Rulings(rules, answers or Answers()), table_of(subjects)
    (answers or found._answers).turn_to(table)
    names = [str(number) for number in range(table.rows)]
    numbers = found.of(table, names, names)
    return [found.effects[number] for number in numbers]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RULE, max_size=5), st.lists(SERIES, min_size=1, max_size=6), st.sampled_from(["hold", "ignore"]))
def test_what_is_foretold_is_what_live_evaluation_decides(
    rules: list[tuple[list[str], list[str], bool, bool, bool]],
    many: list[tuple[list[dict[str, str]], dict[str, FactValue]]],
    otherwise: str,
) -> None:  # fmt: skip
    made = rule_set(rules, otherwise)
    subjects = [live(*one) for one in many]
    assert foretold(made, subjects) == [effect_of(decide(made, subject)) for subject in subjects]


def test_what_one_table_answered_holds_for_the_next() -> None:
    made, answers = rule_set([(["EchoTime: {at_least: 50}"], ["{infer: brain}"], True, False, True)]), Answers()
    for echo in ("10", "90", "10"):
        (effect,) = foretold(made, [live([{"EchoTime": echo}], {})], answers)
        assert effect.told == ("brain" if echo == "90" else "held")


def test_a_rule_that_looks_at_two_moments_is_foretold_too() -> None:
    made = parse_rule_set({"10.yaml": "name: fresh\nwhen: {StudyDate: {within: 30 days}}\nthen: [{infer: brain}]\n"})
    subjects = [
        live([{"StudyDate": day}], {"series.received": "20260110120000"})
        for day in ("20260105", "20240105", "nonsense")
    ]
    assert foretold(made, subjects) == [effect_of(decide(made, subject)) for subject in subjects]


def test_a_study_rule_is_foretold_for_the_series_that_carries_it() -> None:
    made = parse_rule_set(
        {
            "10.yaml": "name: both\nwhen: {Modality: MR}\nneeds:\n  t1: {SeriesDescription: {contains: t1}}\n"
            "  flair: {SeriesDescription: {contains: flair}}\nwithin: 4 h\nelse: hold\nthen: [{infer: brain}]\n"
        }
    )
    subjects = [live([{"Modality": "MR", "SeriesDescription": text}], {}) for text in ("t1", "flair", "t1")]
    studies, names = ["a", "a", "b"], ["1", "2", "3"]
    answers, siblings, table = Answers(), Siblings(), table_of(subjects)
    found = Rulings(made, answers, siblings)
    answers.turn_to(table)
    found.gather(table, names, studies, [0.0, 1.0, 2.0])
    told = [found.effects[number] for number in found.of(table, names, studies)]
    later = datetime(9000, 1, 1, tzinfo=UTC)
    whole = [
        Sibling(name, datetime.fromtimestamp(at, UTC), one)
        for at, (name, one) in enumerate(zip(names, subjects, strict=True))
    ]
    decided = [
        decide(made, subject, Study(name, [one for one, at in zip(whole, studies, strict=True) if at == study], later))
        for name, subject, study in zip(names, subjects, studies, strict=True)
    ]
    assert told == [effect_of(one) for one in decided]
    assert next(one.labels for one in told) == ("brain",)


def tally(before: RuleSet, after: RuleSet, subjects: Sequence[Subject], seconds: Mapping[str, float]) -> Tally:
    answers, table, counted = Answers(), table_of(subjects), Tally(seconds)
    one, other = Rulings(before, answers), Rulings(after, answers)
    answers.turn_to(table)
    names = [str(number) for number in range(table.rows)]
    times = [86400.0 * number / max(1, table.rows - 1) * 2 for number in range(table.rows)]  # two days
    counted.add(
        names, times, table.columns, (one.of(table, names, names), one.effects),
        (other.of(table, names, names), other.effects), answers.cut([*one.keys, *other.keys]),
    )  # fmt: skip
    return counted


HOLD_ALL = rule_set([])
BRAINS = rule_set(
    [(["SeriesDescription: {contains: t1}"], ["{infer: {model: brain, volume: each}}"], True, False, True)]
)


def test_gains_losses_and_hours_are_counted() -> None:
    subjects = [
        live([{"SeriesDescription": "T1" if number < 21 else "T2"}], {"series.volumes": 2}) for number in range(40)
    ]
    found = tally(HOLD_ALL, BRAINS, subjects, {"brain": 240.0}).told("new", "old", None)
    assert (found.series, found.changed, found.gained, found.lost) == (40, 21, {"brain": 21}, {"held": 21})
    assert found.inference_hours_a_day == pytest.approx(21 * 2 * 240 / 3600 / 2, abs=0.001)
    assert found.sentence == "would change 21 of 40 series: +21 brain, −21 held; +1.4 h of inference a day"
    assert found.listed[0].now == "held"
    assert found.listed[0].then == "brain of each"


def test_a_model_that_was_never_measured_is_named() -> None:
    found = tally(HOLD_ALL, BRAINS, [live([{"SeriesDescription": "T1"}], {})], {}).told("new", "old", 1.0)
    assert found.sentence.endswith("; no time measured of brain")


def test_the_list_is_bounded_and_the_count_is_not() -> None:
    subjects = [live([{"SeriesDescription": "T1"}], {})] * (LISTED_AT_MOST + 5)
    found = tally(HOLD_ALL, BRAINS, subjects, {"brain": 1.0}).told("new", "old", 1.0)
    assert (found.changed, len(found.listed)) == (LISTED_AT_MOST + 5, LISTED_AT_MOST)


def test_the_same_trial_has_the_same_digest_and_another_has_another() -> None:
    subjects = [live([{"SeriesDescription": "T1"}], {})]
    one, again = (tally(HOLD_ALL, BRAINS, subjects, {}).told("new", "old", 1.0) for _ in range(2))
    assert one.digest == again.digest
    assert one.digest != tally(HOLD_ALL, BRAINS, subjects * 2, {}).told("new", "old", 1.0).digest


def test_nothing_kept_is_no_fault() -> None:
    assert tally(HOLD_ALL, BRAINS, [], {}).told("new", "old", None).sentence == "would change none of 0 series"
