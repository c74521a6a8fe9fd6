"""What a rule set decides, and the reasons it gives."""

from __future__ import annotations

from datetime import timedelta

from pydicom.dataset import Dataset

from node.core.rules import (
    Decision,
    Disposition,
    Priority,
    Standing,
    Subject,
    check_rule_set,
    decide,
    explain,
    parse_rule_set,
    smallest_edit,
)


def series(**elements: object) -> Subject:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return Subject([ds], {"series.instances": 24})


MR = series(Modality="MR", SeriesDescription="t2_tirm_tra", BodyPartExamined="SKULL")


def decided(*rules: str, subject: Subject = MR, otherwise: str = "hold") -> Decision:
    files = {f"{10 + number}.yaml": f"name: rule-{number}\n{text}" for number, text in enumerate(rules)}
    return decide(parse_rule_set({**files, "_set.yaml": f"otherwise: {otherwise}\n"}), subject)


HEAD = "when: {Modality: MR}\nthen: [{infer: head}, {deliver: [pacs]}]\n"
TUMOUR = "when: {Modality: MR}\nthen: [{infer: tumour}, {deliver: [archive]}]\n"


def test_the_first_rule_that_takes_a_series_is_the_only_one() -> None:
    decision = decided(HEAD, TUMOUR)
    assert [outcome.standing for outcome in decision.outcomes] == [Standing.MATCHED, Standing.NOT_REACHED]
    assert [asked.model for asked in decision.inferences] == ["head"]
    assert decision.outcomes[1].sentence == "rule-1 was not tried: rule-0 came first"


def test_a_rule_that_does_not_stop_lets_later_rules_act_too() -> None:
    decision = decided(HEAD + "stop: false\n", TUMOUR + "priority: stat\n")
    assert [(asked.model, asked.deliver, asked.rule) for asked in decision.inferences] == [
        ("head", ("pacs",), "rule-0"),
        ("tumour", ("archive",), "rule-1"),
    ]
    assert (decision.rule, decision.priority) == ("rule-0", Priority.STAT)


def test_one_model_runs_once_on_a_volume_and_delivers_to_both_rules_destinations() -> None:
    again = "when: {}\nthen: [{infer: head@2}, {deliver: [pacs, archive]}]\n"
    decision = decided(HEAD + "stop: false\n", again)
    assert [(asked.model, asked.version, asked.deliver) for asked in decision.inferences] == [
        ("head", None, ("pacs", "archive"))
    ]


def test_a_named_volume_before_all_volumes_is_not_run_twice() -> None:
    named = 'when: {}\nthen: [{infer: {model: head, volume: "EchoTime=90"}}]\nstop: false\n'
    every = "when: {}\nthen: [{infer: {model: head, volume: each}}]\n"
    decision = decided(named, every)
    jobs = [(asked.rule, key) for asked, key in decision.for_volumes(["EchoTime=10", "EchoTime=90"])]
    assert jobs == [("rule-0", "EchoTime=90"), ("rule-1", "EchoTime=10")]


def test_a_model_without_a_volume_gets_one_job_and_each_gets_one_for_every_volume() -> None:
    every = "when: {}\nthen: [{infer: {model: head, volume: each}}]\n"
    keys = ["EchoTime=10", "EchoTime=90"]
    assert [key for _, key in decided(HEAD).for_volumes(keys)] == [""]
    assert [key for _, key in decided(every).for_volumes(keys)] == keys
    assert [key for _, key in decided(every).for_volumes([])] == [""]


def test_a_volume_that_is_no_selector_is_a_mistake() -> None:
    (mistake,) = check_rule_set({"a.yaml": 'name: a\nwhen: {}\nthen: [{infer: {model: head, volume: "wrong="}}]\n'})
    assert mistake.line == 3


def test_a_series_no_rule_takes_goes_where_the_set_says() -> None:
    knee = "when: {BodyPartExamined: KNEE}\nthen: [{infer: knee}]\n"
    held, ignored = decided(knee), decided(knee, otherwise="ignore")
    assert (held.disposition, ignored.disposition) == (Disposition.HOLD, Disposition.IGNORE)
    assert not held.taken
    assert held.reason == (
        "no rule takes this series: rule-0 did not match: BodyPartExamined equals 'KNEE': value 'SKULL'"
    )


def test_an_unknown_rule_does_not_match_unless_it_says_hold() -> None:
    asks = "when: {ProtocolName: brain}\nthen: [{infer: brain}]\n"
    assert decided(asks, HEAD).rule == "rule-1"
    held = decided(asks + "on_unknown: hold\n", HEAD)
    assert (held.disposition, held.rule, held.inferences) == (Disposition.HOLD, "rule-0", ())
    assert held.reason == "rule-0 cannot be decided: ProtocolName equals 'brain': the value is missing"


def test_holding_is_stronger_than_inferring_and_keeps_what_was_asked_for() -> None:
    decision = decided(HEAD + "stop: false\n", "when: {Modality: MR}\nthen: [{hold: ask Dr Who first}]\n", TUMOUR)
    assert (decision.disposition, decision.reason) == (Disposition.HOLD, "ask Dr Who first")
    assert [asked.model for asked in decision.inferences] == ["head"]


def test_ignoring_takes_nothing_back() -> None:
    ignore = "when: {Modality: MR}\nthen: [ignore]\n"
    assert decided(ignore, HEAD).disposition is Disposition.IGNORE
    assert decided(HEAD + "stop: false\n", ignore).disposition is Disposition.INFER


def test_a_tag_neither_takes_a_series_nor_ends_the_search() -> None:
    tag = "when: {Modality: MR}\nthen: [{tag: [seen, mr]}]\npriority: stat\n"
    assert decided(tag, HEAD).tags == ("seen", "mr")
    assert decided(tag, HEAD).rule == "rule-1"
    assert decided(tag, HEAD).priority is Priority.ROUTINE
    assert not decided(tag).taken


def test_notices_are_kept_with_the_rule_that_asked_and_settle_nothing() -> None:
    tell = "when: {Modality: MR}\nthen: [{notify: {to: [radiology, research], say: a new series}}]\n"
    decision = decided(tell, HEAD[:-2] + ", {notify: pacs-team}]\n")
    assert decision.rule == "rule-1"
    assert [(one.to, one.text, one.rule) for one in decision.notices] == [
        (("radiology", "research"), "a new series", "rule-0"),
        (("pacs-team",), "", "rule-1"),
    ]
    assert not decided(tell).taken
    assert decided("when: {Modality: CT}\nthen: [{notify: radiology}]\n").notices == ()


def test_of_several_deadlines_the_shortest_counts() -> None:
    early, late = HEAD + "stop: false\ndeadline: 30 min\n", TUMOUR + "deadline: 4 h\n"
    assert decided(early, late).deadline == timedelta(minutes=30)
    assert decided(late).deadline == timedelta(hours=4)
    assert decided(HEAD).deadline is None


def test_an_inactive_rule_is_never_tried() -> None:
    decision = decided(HEAD + "active: false\n", TUMOUR)
    assert decision.outcomes[0].standing is Standing.INACTIVE
    assert decision.rule == "rule-1"


def test_a_series_missing_a_tag_is_never_discarded_by_accident() -> None:
    """An empty or misspelt tag is told of: it is no silent no."""
    thin = "when: {SliceThickness: {at_most: 2.0}}\nthen: [{infer: head}]\n"
    decision = decided(thin, subject=series(Modality="MR", SliceThickness=None))
    assert decision.disposition is Disposition.HOLD
    assert decision.reason.endswith("SliceThickness at_most 2.0: the value is empty")


def test_a_list_of_names_is_no_substring_test() -> None:
    """ "T1" is not met by "T1 POST"."""
    listed = "when: {SeriesDescription: {in: [T1]}}\nthen: [{infer: head}]\n"
    assert not decided(listed, subject=series(SeriesDescription="T1 POST")).taken
    assert decided(listed, subject=series(SeriesDescription="T1")).taken


def edit(when: str) -> str:
    return smallest_edit(decided(f"when: {{{when}}}\nthen: [hold]\n").outcomes[0])


def test_the_smallest_edit_is_named() -> None:
    assert edit("Modality: MR, BodyPartExamined: {in: [HEAD]}") == "with 'SKULL' added to the list of BodyPartExamined"
    assert edit("SeriesDescription: {contains: FLAIR}") == "with SeriesDescription in [FLAIR, 't2_tirm_tra']"
    assert edit("series.instances: {at_least: 30}") == "with series.instances at_least 24"
    assert edit("BodyPartExamined: {exists: false}") == "with BodyPartExamined {exists: true}"
    assert edit("ProtocolName: brain, Modality: MR") == "without the clause ProtocolName equals 'brain'"
    assert edit("any: [{ProtocolName: a}, {BodyPartExamined: HEAD}]") == "with BodyPartExamined in [HEAD, 'SKULL']"
    assert edit("not: {BodyPartExamined: SKULL}, Modality: MR") == "with another value of BodyPartExamined than 'SKULL'"


def test_an_edit_names_all_clauses_that_stand_in_the_way() -> None:
    assert edit("Modality: CT, BodyPartExamined: KNEE") == (
        "with Modality in [CT, 'MR'] and with BodyPartExamined in [KNEE, 'SKULL']"
    )


def test_a_rule_that_matched_is_told_what_would_have_kept_it_from_it() -> None:
    assert edit("Modality: MR, series.instances: {at_least: 3}") == "with another value of Modality than 'MR'"
    assert edit("series.instances: {between: [1, 30]}") == "with series.instances between bounds that leave out 24"
    assert edit("") == ""


def test_a_rule_that_was_not_tried_can_be_asked_by_itself() -> None:
    lines = explain(decided(HEAD, "when: {BodyPartExamined: KNEE}\nthen: [{infer: knee}]\n"), rule="rule-1")
    assert lines[3:] == (
        "rule-1 (11.yaml): not reached",
        "  rule-1 was not tried: rule-0 came first",
        "  asked by itself:",
        "  false    BodyPartExamined equals 'KNEE': value 'SKULL'",
        "  would match with BodyPartExamined in [KNEE, 'SKULL']",
    )


def test_an_explanation_shows_every_clause_with_its_answer_and_the_value_seen() -> None:
    when = "when:\n  Modality: MR\n  any: [{SeriesDescription: {contains: FLAIR}}, {EchoTime: {at_least: 80}}]\n"
    assert explain(decided(when + "then: [{infer: head}]\n")) == (
        "hold: no rule takes this series: rule-0 cannot be decided: EchoTime at_least 80: the value is missing",
        "",
        "rule-0 (10.yaml): unknown",
        "  unknown  all of:",
        "    true     Modality equals 'MR': value 'MR'",
        "    unknown  any of:",
        "      false    SeriesDescription contains 'FLAIR': value 't2_tirm_tra'",
        "      unknown  EchoTime at_least 80: the value is missing",
        "  would match with SeriesDescription in [FLAIR, 't2_tirm_tra']",
    )


def test_values_that_could_name_a_patient_are_hidden_unless_asked_for() -> None:
    decision = decided("when: {PatientID: X1}\nthen: [hold]\n", subject=series(PatientID="4711"))
    assert decision.outcomes[0].identifying
    assert decision.outcomes[0].value == "4711"
    assert "4711" not in decision.reason
    assert "4711" not in "\n".join(explain(decision))
    assert "4711" in "\n".join(explain(decision, show_identifying=True))


def test_a_rule_for_every_series_says_so() -> None:
    assert decided("when: {}\nthen: [hold]\n").reason == "rule-0 matched: it takes every series"
