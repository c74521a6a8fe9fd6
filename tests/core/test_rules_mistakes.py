"""Every mistake in a rule file is told with its place and a cure."""

from __future__ import annotations

import pytest

from node.core.card import Card
from node.core.rules import Severity, check_rule_set, parse_rule_set, version_of
from node.errors import BadConfiguration


def rule(when: str = "Modality: MR", **keys: str) -> str:
    lines = {"name": "one", "when": f"{{{when}}}", "then": "[{infer: mri_core_head}]"} | keys
    return "".join(f"{key}: {value}\n" for key, value in lines.items() if value)


def told(text: str, **files: str) -> list[str]:
    return [str(mistake) for mistake in check_rule_set({"10.yaml": text, **files})]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (rule(name=""), "10.yaml:1: the rule has no name. Add `name: what-it-is-for`"),
        (rule(name="Brain T1"), "10.yaml:1: 'Brain T1' is no rule name. Use lower-case letters, digits and hyphens"),
        (rule(then=""), "10.yaml:1: the rule does nothing: it has no list under then."),
        ("name: one\nthen: [hold]\n", "10.yaml:1: the rule has no when. Add `when:`, or `when: {}` for every series"),
        (rule(whn="{}"), "10.yaml:4: there is no key whn. Did you mean when?"),
        (rule(priority="urgent"), "10.yaml:4: 'urgent' is no priority. Write one of stat, routine, low"),
        (rule(on_unknown="holds"), "10.yaml:4: 'holds' is no on_unknown. Did you mean hold?"),
        (rule(stop="maybe"), "10.yaml:4: stop takes true or false"),
        (rule(then="[{infr: x}]"), "10.yaml:3: there is no key infr. Did you mean infer?"),
        (rule(then="[{infer: 'a b'}]"), "10.yaml:3: infer names no model."),
        (rule(then="[{deliver: pacs}]"), "10.yaml:3: deliver without infer has no results to send."),
        (rule(then="[hold, {infer: m}]"), "10.yaml:3: a rule cannot hold and infer at once. Make two rules of it"),
        (rule(then="[{infer: m}, {infer: m@2}]"), "10.yaml:3: the same model is asked twice for the same volume."),
        (rule(then="[hold]", stop="false"), "10.yaml:4: a rule that holds or ignores a series ends the search."),
        (rule(deadline="soon"), "10.yaml:4: deadline takes a time. Write it like `deadline: 30 min`"),
        (rule(deadline="0 min"), "10.yaml:4: deadline is longer than nothing and at most 30 days"),
        (rule(then="[{infer: m}, {notify: {to: []}}]"), "10.yaml:3: a list holds plain values. Write `[HEAD, BRAIN]`"),
        (rule(then="[{infer: m}, {notify: {sai: x, to: [a]}}]"), "10.yaml:3: there is no key sai. Keys are to, say"),
        (rule(then=f"[{{infer: m}}, {{notify: {'x' * 65}}}]"), "notify names nobody, or in more than 64 characters"),
        (rule("Modality: MR, Modality: CT"), "10.yaml:2: Modality is given twice."),
        (
            rule("seriesdescription: x"),
            "10.yaml:2: seriesdescription is no DICOM keyword. Did you mean SeriesDescription?",
        ),
        (rule("nott: {Modality: MR}"), "10.yaml:2: nott is no DICOM keyword. Did you mean not?"),
        (rule("Modality.CodeValue: x"), "10.yaml:2: Modality is no sequence."),
        (rule("PixelData: {exists: true}"), "10.yaml:2: PixelData is pixel data. Rules see headers only"),
        (rule("'(0018,0081)': 5"), "10.yaml:2: (0018,0081) is not private. Write EchoTime"),
        (rule("'(0019,xx0C)': 5"), "10.yaml:2: (0019,xx0C) lacks its creator. Write (0019,xx0C) CREATOR"),
        (rule("SeriesDescription: {matches: '(a'}"), "10.yaml:2: '(a' is no regular expression: "),
        (rule("SeriesDescription: {matches: '(?=a)'}"), "10.yaml:2: '(?=a)' is no regular expression: "),
        (rule(f"SeriesDescription: {{matches: {'a' * 300}}}"), "10.yaml:2: a pattern has 1 to 256 characters."),
        (rule("SeriesDescription: {}"), "10.yaml:2: SeriesDescription has no operator."),
        (rule("SeriesDescription: {in: MR}"), "10.yaml:2: in takes a list."),
        (rule("Modality: {in: lists.hed}"), "10.yaml:2: there is no list hed. Did you mean head?"),
        (rule("Rows: 70000"), "10.yaml:2: 70000 can never be Rows: US holds whole numbers 0 to 65535"),
        (rule("Rows: 1.5"), "10.yaml:2: 1.5 can never be Rows: US holds whole numbers 0 to 65535"),
        (rule("Modality: magnetic resonance imaging"), "can never be Modality: CS holds 16 characters"),
        (rule("Modality: M-R"), "10.yaml:2: 'M-R' can never be Modality: CS holds letters, digits, spaces and"),
        (rule("SOPClassUID: MRImageStorag"), "10.yaml:2: 'MRImageStorag' is no UID. Did you mean MRImageStorage?"),
        (rule("ReferencedImageSequence: x"), "is a sequence and has no value to compare. Ask for {exists: true}"),
        (rule("Modality: ''"), "10.yaml:2: Modality is compared with an empty text."),
        (rule("SeriesDescription: 'a\\b'"), "10.yaml:2: a backslash separates values and is never in one."),
        (rule("series.is_3d: yes"), "10.yaml:2: 'yes' can never be series.is_3d. Write true or false"),
        (rule("any: []"), "10.yaml:2: any takes a list of mappings."),
        (rule("not: [Modality]"), "10.yaml:2: not takes one mapping."),
        (rule("Rows: {exists: 1}"), "10.yaml:2: exists takes true or false"),
        (rule("ImageType: {any: {all: {equals: A}}}"), "10.yaml:2: all stands inside any. Keep one of them"),
        ("- a\n", "10.yaml:1: must be a mapping of keys to values."),
        ("name: [\n", "not readable as YAML"),
        ("a: &x [1]\nb: *x\n", "10.yaml:2: repeats a value by alias (*x)."),
        ("a: " + "[" * 100 + "]" * 100, "10.yaml:1: nests deeper than 32 levels."),
        ("# " + "x" * 70_000, "10.yaml:1: is longer than 65536 characters. One rule a file"),
    ],
)
def test_a_mistake_says_where_what_and_what_to_do(text: str, what: str) -> None:
    mistakes = told(text, **{"_set.yaml": "lists: {head: [HEAD]}"})
    assert len(mistakes) == 1
    assert what in mistakes[0]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_files() -> None:
    files = {"20.yaml": rule("Modalty: MR", name="two"), "10.yaml": rule("EchoTime: x, Rows: y", prioritty="low")}
    assert [mistake.where for mistake in check_rule_set(files)] == ["10.yaml:2", "10.yaml:2", "10.yaml:4", "20.yaml:2"]


def test_reading_a_rule_set_stops_at_the_first_mistake() -> None:
    with pytest.raises(BadConfiguration, match=r"10\.yaml:2: Modalty is no DICOM keyword\. Did you mean Modality\?"):
        parse_rule_set({"10.yaml": rule("Modalty: MR")})


def test_two_rules_of_one_name_are_a_mistake() -> None:
    files = {"10.yaml": rule(), "20.yaml": rule("Modality: CT")}
    assert [str(mistake) for mistake in check_rule_set(files)] == [
        "20.yaml:1: the name one is taken by 10.yaml. Choose another"
    ]


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("InstanceNumber: 1", "InstanceNumber differs between the instances of a series. Say any or all"),
        ("ScanningSequence: SE", "ScanningSequence may hold several values. Say any, all or first"),
        ("SeriesDescription: {matches: 'x*'}", "the pattern matches every text. Ask for {exists: true}"),
    ],
)
def test_a_question_most_series_leave_open_is_a_warning(when: str, what: str) -> None:
    mistakes = check_rule_set({"10.yaml": rule(when)})
    assert {mistake.severity for mistake in mistakes} == {Severity.WARNING}
    assert [mistake for mistake in mistakes if what in str(mistake)]
    assert parse_rule_set({"10.yaml": rule(when)}).rules


def test_unknown_models_and_destinations_are_named_with_the_nearest_known() -> None:
    text = rule(then="[{infer: mri_core_haed}, {deliver: [pasc]}]")
    assert [str(mistake) for mistake in check_rule_set({"10.yaml": text}, ["mri_core_head"], ["pacs"])] == [
        "10.yaml:3: there is no model mri_core_haed. Did you mean mri_core_head?",
        "10.yaml:3: there is no destination pasc. Did you mean pacs?",
    ]


def test_a_version_the_model_does_not_have_is_a_mistake(head_card: Card) -> None:
    text = rule(then="[{infer: mri_core_head@9}]")
    assert [str(mistake) for mistake in check_rule_set({"10.yaml": text}, {"mri_core_head": head_card})] == [
        f"10.yaml:3: model mri_core_head is version {head_card.version}, not 9. "
        f"Write mri_core_head@{head_card.version}, or no version"
    ]


@pytest.fixture
def head_card() -> Card:
    from node.core.card import Code, Encoding, Input, Weights

    family = Code("123", "DCM", "family")
    sent = Input(("MR",), (), 1, 512, ("HEAD",), "magnitude")
    weights = Weights("w", "0" * 64, "here", "free", 1)
    return Card("mri_core_head", "2", "", "", "", sent, Encoding.BITS, (), weights, family, "0" * 64, "0" * 64)


def test_a_rule_behind_one_that_takes_all_its_series_is_told_of_unless_that_one_lets_it_pass() -> None:
    def told(earlier: str, later: str, **keys: str) -> bool:
        files = {"10.yaml": rule(earlier, name="first", **keys), "20.yaml": rule(later, name="second")}
        return any("second can never match: first (10.yaml)" in str(mistake) for mistake in check_rule_set(files))

    assert told("", "Modality: MR")
    assert told("Modality: MR", "Modality: mr")
    assert told("Modality: MR", "Rows: 5, Modality: MR")
    assert not told("Modality: MR, Rows: 5", "Modality: MR")
    assert not told("Modality: MR", "Modality: MR", stop="false")
    assert not told("Modality: MR", "Modality: MR", active="false")


def test_the_version_follows_every_byte_and_every_name() -> None:
    files = {"10.yaml": rule()}
    changed = [{"10.yaml": rule() + "\n"}, {"11.yaml": rule()}, {**files, "_set.yaml": ""}, {"1": "0.yaml" + rule()}]
    assert len({version_of(one) for one in [files, *changed]}) == 5
    assert parse_rule_set(files).version == version_of(dict(files))


def test_rules_are_in_the_order_of_their_file_names() -> None:
    files = {
        name: rule(f"Rows: {number}", name=f"r{number}") for number, name in enumerate(["b.yaml", "a.yaml", "10.yaml"])
    }
    assert [one.file for one in parse_rule_set(files).rules] == ["10.yaml", "a.yaml", "b.yaml"]


@pytest.mark.parametrize("text", ["otherwise: discard\n", "lists: [HEAD]\n", "lists: {head: HEAD}\n", "other: 1\n"])
def test_mistakes_in_the_rule_set_file_are_told(text: str) -> None:
    mistakes = told(rule(), **{"_set.yaml": text})
    assert len(mistakes) == 1
    assert mistakes[0].startswith("_set.yaml:1: ")
