"""What is said of rules before any series arrives."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from node.core.card import Card, Code, Encoding, Input, Weights
from node.core.rules import Mistake, Severity, Subject, Truth, check_rule_set, parse_rule_set
from node.core.rules.conditions import Condition
from node.core.rules.implication import Implication


def rule(name: str, when: str, model: str = "head", **keys: str) -> str:
    lines = {"name": name, "when": f"{{{when}}}", "on_unknown": "no-match", "then": f"[{{infer: {model}}}]"} | keys
    return "".join(f"{key}: {value}\n" for key, value in lines.items() if value)


def told(*texts: str, models: dict[str, Card] | None = None) -> list[str]:
    files = {f"{number}.yaml": text for number, text in enumerate(texts, 10)}
    return [str(mistake) for mistake in check_rule_set(files, models)]


def of_two(earlier: str, later: str, model: str = "head", **keys: str) -> list[str]:
    return told(rule("first", f"Modality: MR, {earlier}", **keys), rule("second", f"Modality: MR, {later}", model))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("EchoTime: {at_least: 10}", "EchoTime: {at_least: 20}"),
        ("EchoTime: {at_least: 10 ms}", "EchoTime: {between: [0.01 s, 0.02 s]}"),
        ("EchoTime: {below: 10}", "EchoTime: {below: 10}, Rows: 5"),
        ("BodyPartExamined: {in: [HEAD, BRAIN]}", "BodyPartExamined: BRAIN"),
        ("SeriesDescription: {contains: t1}", "SeriesDescription: {in: [T1 mprage, ax T1]}"),
        ("SeriesDescription: {starts: t1}", "SeriesDescription: {starts: t1_mprage}"),
        ("any: [{Rows: 1}, {Rows: 2}]", "Rows: 2"),
        ("not: {any: [{Rows: 1}, {Rows: 2}]}", "Rows: 3"),
        ("Rows: {exists: true}", "any: [{Rows: 1}, {Rows: 2}]"),
        ("ProcedureCodeSequence: {code: [SCT:1, SCT:2]}", "ProcedureCodeSequence: {code: SCT:1}"),
    ],
)
def test_a_rule_whose_series_an_earlier_one_takes_can_never_match(earlier: str, later: str) -> None:
    assert "second can never match: first (10.yaml) takes every such series" in of_two(earlier, later)[0]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("EchoTime: {above: 10}", "EchoTime: {at_least: 10}"),
        ("EchoTime: {at_least: 20}", "EchoTime: {at_least: 10}"),
        ("BodyPartExamined: BRAIN", "BodyPartExamined: {in: [HEAD, BRAIN]}"),
        ("SeriesDescription: {matches: t1}", "SeriesDescription: {contains: t1}"),
        ("ImageType: {contains: ORIGINAL}", "ImageType: {contains: PRIMARY}"),
        ("EchoTime: {all: {at_least: 10}}", "EchoTime: {any: {at_least: 20}}"),
    ],
)
def test_a_rule_that_can_still_match_is_left_alone(earlier: str, later: str) -> None:
    assert of_two(earlier, later) == []


@pytest.mark.parametrize(
    "when",
    [
        "BodyPartExamined: {equals: HEAD, in: [KNEE, HIP]}",
        "EchoTime: {at_least: 20, below: 20}",
        "all: [{Rows: 1}, {Rows: 2}]",
        "BodyPartExamined: {exists: false, equals: HEAD}",
        "all: [{Rows: 1}, {not: {Rows: 1}}]",
        "all: [{Rows: 1}, {any: [{Rows: 2}, {Rows: 3}]}]",
    ],
)
def test_a_rule_that_contradicts_itself_is_told_of(when: str) -> None:
    assert "one can never match: no series is both " in told(rule("one", f"Modality: MR, {when}"))[0]


def test_rules_that_ask_the_same_and_can_meet_in_one_series_are_told_of() -> None:
    t1, flair = "SeriesDescription: {contains: t1}", "SeriesDescription: {contains: flair}"
    (said,) = of_two(t1, flair, "tumour")
    assert "second and first (10.yaml) can match the same series, and only first acts" in said
    assert of_two(t1, flair) == [], "the same model either way"
    assert of_two(t1, flair, "tumour", stop="false") == []
    assert of_two("Rows: 1", "Rows: 2", "tumour") == []
    assert of_two("SeriesDescription: t1 post", t1, "tumour") == [], "the special case first, as it should be"


def test_a_rule_that_could_take_the_nodes_own_results_is_told_of() -> None:
    loose = "SeriesDescription: {contains: head}"
    assert (
        "one could take the node's own segmentations, should they come back. Add `Modality: MR`"
        in (told(rule("one", loose))[0])
    )
    assert "own reports" in told(rule("one", f"{loose}, not: {{ImageType: {{contains: DERIVED}}}}"))[0]
    assert told(rule("one", f"{loose}, SOPClassUID: MRImageStorage")) == []
    assert told(rule("one", f"{loose}, not: {{Modality: {{in: [SEG, SR, OT]}}}}")) == []
    assert told(rule("one", loose, then="[ignore]")) == []


def test_an_unknown_that_nobody_decided_is_told_of() -> None:
    asks = "Modality: MR, ProtocolName: brain"
    assert told(rule("one", asks, on_unknown="")) == [
        "10.yaml:2: ProtocolName may be missing, and one does not say what then. "
        "Add `on_unknown: no-match` to go on, or `on_unknown: hold` (warning)"
    ]
    assert told(rule("one", asks, on_unknown="hold")) == []
    assert told(rule("one", "Modality: MR, series.instances: {at_least: 3}", on_unknown="")) == []
    assert told(rule("one", "Modality: MR, ProtocolName: {exists: true, contains: a}", on_unknown="")) == []


@pytest.fixture
def card() -> Card:
    sent = Input(("MR",), ("axial", "sagittal"), 8, 512, ("HEAD",), "magnitude")
    family = Code("123", "DCM", "family")
    weights = Weights("w", "0" * 64, "here", "free", 1)
    return Card("head", "2", "", "", "", sent, Encoding.BITS, (), weights, family, "0" * 64, "0" * 64)


def test_a_rule_that_leaves_open_what_its_model_needs_is_told_of(card: Card) -> None:
    def said(when: str) -> list[str]:
        return [one.partition(" (warning)")[0] for one in told(rule("one", when), models={"head": card})]

    assert said("Modality: MR") == [
        "10.yaml:4: one does not make sure of what head needs: series.orientation axial or sagittal, "
        "series.slices at_least 8. Ask for it, or say `unsuitable: not-processable`, which is how such series end"
    ]
    assert said("Modality: MR, series.orientation: axial, series.slices: {between: [8, 90]}") == []
    assert (
        "head needs: Modality MR"
        in said("SOPClassUID: MRImageStorage, series.orientation: axial, series.slices: {above: 9}")[0]
    )


def test_an_author_who_wants_unsuitable_series_told_apart_by_the_job_says_so(card: Card) -> None:
    def said(unsuitable: str) -> list[str]:
        then = f"[infer: {{model: head, unsuitable: {unsuitable}}}, deliver: [pacs]]"
        return told(rule("one", "Modality: MR", then=then), models={"head": card})

    assert said("not-processable") == []
    (mistake,) = said("never-mind")
    assert "unsuitable is not-processable, or left out" in mistake


def test_a_rule_that_gives_a_model_only_what_it_refuses_is_an_error(card: Card) -> None:
    (mistake,) = check_rule_set({"10.yaml": rule("one", "Modality: MR, series.orientation: coronal")}, {"head": card})
    assert mistake.severity is Severity.ERROR
    assert "gives head only series that it does not take: series.orientation axial or sagittal" in mistake.what


def test_the_shipped_kinds_of_mistake_all_have_a_line_and_a_cure(card: Card) -> None:
    texts = rule("a", "Rows: {exists: true}", on_unknown=""), rule("b", "Rows: 1", on_unknown="")
    found: tuple[Mistake, ...] = check_rule_set({"1.yaml": texts[0], "2.yaml": texts[1]}, {"head": card})
    assert len(found) >= 4
    assert all(mistake.line >= 1 and mistake.cure for mistake in found)


QUESTIONS = [
    "BodyPartExamined: HEAD", "BodyPartExamined: {in: [HEAD, KNEE]}", "BodyPartExamined: {starts: HE}",
    "BodyPartExamined: {exists: true}", "BodyPartExamined: {exists: false}", "BodyPartExamined: {contains: EA}",
    "Rows: 1", "Rows: {at_least: 2}", "Rows: {below: 2}", "Rows: {between: [1, 2]}", "Rows: {above: 2}",
    "Rows: {any: 1}", "Rows: {all: {at_most: 2}}", "ImageType: {contains: A}", "ImageType: {first: A}",
    "ImageType: {all: A}", "ImageType: {equals: [A, B]}",
]  # fmt: skip
CONDITIONS = st.recursive(
    st.sampled_from(QUESTIONS).map(lambda one: f"{{{one}}}"),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"{{any: [{', '.join(parts)}]}}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"{{all: [{', '.join(parts)}]}}"),
        inner.map(lambda part: f"{{not: {part}}}"),
    ),
    max_leaves=4,
)


def instance(part: str | None, rows: int | None, kind: list[str] | None) -> Dataset:
    ds = Dataset()
    for keyword, value in (("BodyPartExamined", part), ("Rows", rows), ("ImageType", kind)):
        if value is not None:
            setattr(ds, keyword, value)
    return ds


ALONE = [
    instance(*parts)
    for parts in product((None, "HEAD", "HEART", "KNEE"), (None, 1, 2, 3), (None, ["A"], ["A", "B"], ["B", "A"]))
]
SERIES = [Subject([ds]) for ds in ALONE] + [Subject([one, other]) for one, other in zip(ALONE, ALONE[7:], strict=False)]


@settings(deadline=None, max_examples=150)  # the machine may be busy
@given(CONDITIONS, CONDITIONS)
def test_what_is_said_to_be_implied_or_excluded_is_so_on_every_series(one: str, other: str) -> None:
    files = {"1.yaml": f"name: a\nwhen: {one}\nthen: [hold]\n", "2.yaml": f"name: b\nwhen: {other}\nthen: [hold]\n"}
    first, second = (rule.when for rule in parse_rule_set(files).rules)
    implication = Implication()

    def held_by(condition: Condition) -> set[int]:
        return {n for n, subject in enumerate(SERIES) if condition.evaluate(subject, {}).truth is Truth.TRUE}

    if implication.implies(first, second):
        assert held_by(first) <= held_by(second)
    if implication.exclude(first, second):
        assert not held_by(first) & held_by(second)
