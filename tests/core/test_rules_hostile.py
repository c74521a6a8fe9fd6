"""Ten thousand hostile rules on hostile headers: none raises, loops, or takes long.

Seeded, so a failure is found again. One half of them is tried on request (MRICORE_SLOW_TESTS=1).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from node.core.rules import FactValue, Subject, check_rule_set, decide, explain, parse_rule_set
from node.errors import BadConfiguration

AT_ONCE = 100  # rules in one set, so that they meet each other
USUAL, MORE = range(50), range(50, 100)

KEYS = [
    "Modality", "SeriesDescription", "EchoTime", "PatientName", "PatientName.Ideographic", "PatientAge", "StudyDate",
    "StudyTime", "Rows", "ImageType", "SOPClassUID", "PixelSpacing", "AcquisitionDateTime", "ProcedureCodeSequence",
    "RequestAttributesSequence.RequestedProcedureDescription",
    "RequestAttributesSequence.ScheduledProtocolCodeSequence",
    "(0019,xx0C) SIEMENS MR HEADER", "(0099,xx01) NOBODY", "series.instances", "series.is_3d", "study.descriptions",
    "patient.age", "result.a.b", "ood.a", "series.received", "SmallestImagePixelValue", "not", "any", "all", "first",
    "Modalty", "PixelData", "series.", ".", "", "(0019", "A.B.C", "__class__", "lists.x", "\u0000", "🧠",
]  # fmt: skip
OPERATORS = [
    "equals", "in", "contains", "starts", "matches", "at_least", "at_most", "above", "below", "between", "within",
    "code", "exists", "any", "all", "first", "not", "eval", "==",
]  # fmt: skip
SCALARS: list[object] = [
    "", " ", "MR", "t1", "10", "1e999", "-0", "nan", "30 ms", "30 mm", "18Y", "18 years", "30 days", "received - 1 h",
    "received", "2024-01-31", "2024-02-31", "08:30", "99:99", "lists.head", "lists.none", "SCT:1", "SRT:T-A0100", ":",
    "(a|b)*c", "((((((((((a+)+)+)+)+)+)+)+)+)+)$", "(?=a)", "[", "\\", "a{1000}{1000}", "x" * 300, "é", "ｔ１",
    "\ud800",
    "__import__('os').system('false')", "{{7*7}}", "*", None, True, False, 0, -1, 2**70, 1.5, 1e308,
]  # fmt: skip
TAGS = [
    0x00080005, 0x00080008, 0x00080016, 0x00080020, 0x00080030, 0x00080060, 0x0008002A, 0x0008103E, 0x00081032,
    0x00100010, 0x00101010, 0x00180081, 0x00190010, 0x0019100C, 0x00280010, 0x00280030, 0x00280106, 0x00400275,
    0x52009229, 0x52009230,
]  # fmt: skip
BYTES = [
    b"", b"MR", b"t1 mprage", b"10\\20", b"NaN", b"1" * 300, b"ISO_IR 100", b"\\ISO 2022 IR 87", b"\x1b$B\x1b(B",
    b"\xff\xfe",
    b"2024", b"20240131", b"SIEMENS MR HEADER", b"\x00", b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"A^B=C^D=E^F", b"=" * 50,
]  # fmt: skip


def tree(chance: random.Random, depth: int) -> object:
    kind = chance.random()
    if depth == 0 or kind < 0.45:
        return chance.choice(SCALARS)
    if kind < 0.6:
        return [tree(chance, depth - 1) for _ in range(chance.randrange(4))]
    names = KEYS if chance.random() < 0.5 else OPERATORS
    return {chance.choice(names): tree(chance, depth - 1) for _ in range(chance.randrange(1, 4))}


def plausible(chance: random.Random) -> object:
    """A question that is likelier to be read than the wholly random ones."""
    return {chance.choice(KEYS[:28]): {chance.choice(OPERATORS[:13]): chance.choice(SCALARS)}}


def rule(chance: random.Random, number: int) -> dict[str, object]:
    made: Callable[[random.Random], object] = plausible if chance.random() < 0.6 else lambda one: tree(one, 4)
    whole: dict[str, object] = {"name": f"r{number}", "when": made(chance), "then": ["hold"], "stop": True}
    if chance.random() < 0.2:
        whole |= {"then": [{"infer": "m"}], "needs": {"a": made(chance), "b": made(chance)}, "within": "1 h"}
    if chance.random() < 0.1:
        whole[chance.choice(list(whole))] = tree(chance, 2)
    if chance.random() < 0.3:
        del whole["stop"]
    return whole


def headers(chance: random.Random) -> Subject:
    datasets = []
    for _ in range(chance.randrange(4)):
        elements = {}
        for number in chance.sample(TAGS, chance.randrange(len(TAGS))):
            tag, value = Tag(number), chance.choice(BYTES)
            vr = chance.choice(
                ["CS", "LO", "PN", "DS", "IS", "DA", "TM", "DT", "AS", "UI", "US", "SQ", "UN", "OB", "??"]
            )
            elements[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
        datasets.append(Dataset(elements))  # type: ignore[arg-type]
    facts: dict[str, FactValue] = {
        "series.instances": len(datasets),
        "series.received": chance.choice(["2024-01-31T08:00:00", "soon", ""]),
    }
    return Subject(datasets, facts)


@pytest.mark.parametrize("seed", USUAL)
def test_a_hundred_hostile_rules_are_told_of_or_tried_and_nothing_else_happens(seed: int) -> None:
    put_to(seed)


@pytest.mark.slow
def test_so_are_five_thousand_more() -> None:
    for seed in MORE:
        put_to(seed)


def put_to(seed: int) -> None:
    chance = random.Random(seed)
    texts = {f"{number:03}.yaml": json.dumps(rule(chance, number)) for number in range(AT_ONCE)}
    shared = {"_set.yaml": "lists: {head: [HEAD, BRAIN]}"}
    mistakes = check_rule_set({**shared, **texts})
    wrong = {mistake.file for mistake in mistakes if mistake.severity == "error"}
    assert all(mistake.line >= 1 and mistake.what for mistake in mistakes)
    if wrong and seed % 10 == 0:
        with pytest.raises(BadConfiguration):
            parse_rule_set({**shared, **texts})
    sound = parse_rule_set({**shared, **{name: text for name, text in texts.items() if name not in wrong}})
    assert sound.rules, "a hundred rules in which none can be read try nothing"
    for _ in range(3):
        decision = decide(sound, headers(chance))
        assert len(decision.outcomes) == len(sound.rules)
        assert all(outcome.sentence for outcome in decision.outcomes)
        assert explain(decision)
