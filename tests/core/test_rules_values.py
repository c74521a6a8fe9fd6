"""What the headers of a series say, and when they say nothing."""

from __future__ import annotations

import struct

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from node.core.rules import FactValue, Outcome, Standing, Subject, decide, parse_rule_set, result_facts


def received(value: str | bytes, vr: str, *, little: bool = True) -> tuple[bytes, str, bool]:
    return (value.encode("latin-1") if isinstance(value, str) else value), vr, little


def instance(**elements: str | bytes | tuple[bytes, str, bool]) -> Dataset:
    """A data set as it is after reading: elements still bytes."""
    ds = Dataset()
    for keyword, given in elements.items():
        tag = Tag(tag_for_keyword(keyword) or 0)
        value, vr, little = given if isinstance(given, tuple) else received(given, dictionary_VR(tag))
        ds[tag] = RawDataElement(tag, vr, len(value), value, 0, False, little)
    return ds


def outcome(when: str, *datasets: Dataset, facts: dict[str, FactValue] | None = None) -> Outcome:
    rule_set = parse_rule_set({"10.yaml": f"name: asked\nwhen:\n  {when}\nthen: [hold]\n"})
    return decide(rule_set, Subject(datasets, facts or {})).outcomes[0]


def reason(when: str, *datasets: Dataset, facts: dict[str, FactValue] | None = None) -> str:
    found = outcome(when, *datasets, facts=facts)
    assert found.standing is Standing.UNKNOWN, found.sentence
    return found.sentence.partition(": the value ")[2]


def holds(when: str, *datasets: Dataset, facts: dict[str, FactValue] | None = None) -> bool:
    found = outcome(when, *datasets, facts=facts)
    assert found.standing is not Standing.UNKNOWN, found.sentence
    return found.standing is Standing.MATCHED


ECHO = "EchoTime: {at_least: 1}"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("long", "is not a number, value 'long'"),
        ("NaN", "is not a number, value 'NaN'"),
        ("inf", "is not a number, value 'inf'"),
        ("1e999", "is not a number, value '1e999'"),
        ("1,5", "is not a number, value '1,5'"),
        ("1\\", "has an empty value among others, value '1\\'"),
        ("9" * 5000, f"is not a number, value '{'9' * 63}…'"),
        (b"\xc3\xa9", "has letters outside ASCII, which VR DS does not allow"),
    ],
)
def test_a_number_that_cannot_be_read_is_unknown(written: str | bytes, why: str) -> None:
    assert reason(ECHO, instance(EchoTime=written)) == why


def test_a_missing_value_is_unknown_and_so_is_its_negation() -> None:
    assert reason(ECHO, Dataset()) == "is missing"
    assert reason("not: {EchoTime: {at_least: 1}}", Dataset()) == "is missing"


def test_instances_that_differ_leave_the_value_unknown() -> None:
    differing = [instance(EchoTime="10"), instance(EchoTime="20"), instance(EchoTime="10")]
    assert reason(ECHO, *differing) == "differs between instances (2 values), value '10, 20'"
    assert reason(ECHO, instance(EchoTime="10"), Dataset()) == "is missing in 1 of 2 instances"


def test_instances_that_write_one_number_differently_agree() -> None:
    assert holds("EchoTime: 10", instance(EchoTime="10"), instance(EchoTime="10.0"), instance(EchoTime="+1e1 "))


def test_any_and_all_look_at_every_instance() -> None:
    echoes = [instance(EchoTime="10"), instance(EchoTime="90")]
    assert holds("EchoTime: {any: {at_least: 80}}", *echoes)
    assert not holds("EchoTime: {all: {at_least: 80}}", *echoes)
    assert holds("EchoTime: {any: {at_least: 80}}", *echoes, Dataset())
    assert reason("EchoTime: {all: {at_least: 5}}", *echoes, Dataset()) == "is missing"


@pytest.mark.parametrize(
    ("value", "vr", "little"),
    [
        (struct.pack("<H", 7), "US", True),
        (struct.pack(">H", 7), "US", False),
        (struct.pack("<i", 7), "SL", True),
        (struct.pack("<d", 7), "FD", True),
        (b"7", "IS", True),
        (struct.pack("<H", 7), "UN", True),
    ],
)
def test_numbers_are_read_by_the_vr_they_arrived_in(value: bytes, vr: str, little: bool) -> None:
    assert holds("Rows: 7", instance(Rows=(value, vr, little)))


def test_binary_numbers_of_a_wrong_length_are_unknown() -> None:
    assert reason("Rows: {at_least: 1}", instance(Rows=b"\x01")) == "has 1 bytes, which are no whole values of US"


def test_a_32_bit_number_equals_the_decimal_that_was_typed() -> None:
    ds = instance(B1rms=struct.pack("<f", 0.1))
    assert holds("B1rms: 0.1", ds)
    assert holds("B1rms: {at_most: 0.1}", ds)
    assert holds("B1rms: {between: [0.1, 0.1]}", ds)


def test_a_value_that_may_be_signed_or_not_is_unknown() -> None:
    ds = instance(SmallestImagePixelValue=received(b"\xff\xff", "US or SS"))
    assert "signed" in reason("SmallestImagePixelValue: {any: {at_least: 1}}", ds)


def test_text_needs_a_character_set_that_is_known_and_that_it_fits() -> None:
    latin = b"Sch\xe4del"
    ask = "SeriesDescription: {contains: schadel}"
    assert holds(ask, instance(SpecificCharacterSet="ISO_IR 100", SeriesDescription=latin))
    assert holds(ask, instance(SpecificCharacterSet="ISO_IR 192", SeriesDescription="Schädel".encode()))
    assert "no SpecificCharacterSet" in reason(ask, instance(SeriesDescription=latin))
    assert "not known" in reason(ask, instance(SpecificCharacterSet="ISO_IR 999", SeriesDescription=latin))
    assert "does not fit" in reason(ask, instance(SpecificCharacterSet="ISO_IR 192", SeriesDescription=latin))
    assert "does not fit" in reason(
        ask, instance(SpecificCharacterSet="\\ISO 2022 IR 87", SeriesDescription=b"\x1b$Bx\x1b(B")
    )


@pytest.mark.parametrize("written", ["Ｔ１　Ａ", "t1 a", "T1 Á"])
def test_text_is_compared_without_case_accents_and_width(written: str) -> None:
    ds = instance(SpecificCharacterSet="ISO_IR 192", SeriesDescription=written.encode())
    assert holds('SeriesDescription: "T1 a"', ds)
    assert holds('SeriesDescription: {matches: "^t1\\\\sÀ$"}', ds)


def test_any_group_of_a_name_will_do_and_the_value_is_hidden() -> None:
    ds = instance(SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎".encode())
    found = outcome("PatientName: {starts: 山田}", ds)
    assert found.standing is Standing.MATCHED
    assert found.identifying
    assert "(hidden)" in found.sentence
    assert "山田^" not in found.sentence


def test_values_that_are_shown_are_escaped_and_bounded() -> None:
    found = outcome("SeriesDescription: flair", instance(SeriesDescription="a\n\x1b[31m\u00a0" + "x" * 500))
    assert found.standing is Standing.UNKNOWN  # a byte outside ASCII without a character set
    found = outcome("SeriesDescription: flair", instance(SeriesDescription="a\n\x1b" + "x" * 500))
    assert found.value == "" or len(found.value) <= 64
    found = outcome("SeriesDescription: flair", instance(SeriesDescription="a\n\t" + "x" * 500))
    assert found.value.startswith("a\\x0a\\x09x")
    assert len(found.value) == 64


def test_a_text_too_long_to_search_is_unknown() -> None:
    ds = instance(ImageComments=b"x" * 70_000)
    assert reason("ImageComments: {any: {contains: y}}", ds) == "is longer than 65536 bytes"


def requested(*descriptions: str) -> Dataset:
    ds = Dataset()
    ds.RequestAttributesSequence = Sequence([instance(RequestedProcedureDescription=one) for one in descriptions])
    return ds


def test_a_path_looks_into_sequence_items_which_must_agree() -> None:
    path = "RequestAttributesSequence.RequestedProcedureDescription"
    assert holds(f"{path}: {{contains: brain}}", requested("MR Brain"))
    assert holds(f"{path}: {{contains: brain}}", requested("MR Brain", "MR brain"))
    assert reason(f"{path}: {{contains: brain}}", requested("Brain", "Knee")).startswith(
        "differs between sequence items"
    )
    assert holds(f"{path}: {{any: {{contains: brain}}}}", requested("Brain", "Knee"))
    assert reason(f"{path}: {{contains: brain}}", requested()) == "is missing"


def test_a_sequence_can_be_asked_for() -> None:
    assert holds("RequestAttributesSequence: {exists: true}", requested("Brain"))
    assert holds("RequestAttributesSequence: {exists: false}", requested())


def private(block: int, vr: str, value: bytes) -> Dataset:
    ds = Dataset()
    creator, element = Tag(0x0019, block), Tag(0x0019, block << 8 | 0x0C)
    ds[creator] = RawDataElement(creator, "LO", 18, b"SIEMENS MR HEADER ", 0, False, True)
    ds[element] = RawDataElement(element, vr, len(value), value, 0, False, True)
    return ds


@pytest.mark.parametrize(("vr", "value"), [("IS", b"1000 "), ("UN", b"1000 ")])
def test_a_private_attribute_is_found_by_its_creator_in_any_block(vr: str, value: bytes) -> None:
    series = [private(0x10, vr, value), private(0x37, vr, value)]
    assert holds("(0019,xx0C) SIEMENS MR HEADER: {at_least: 500}", *series)
    assert holds("(0019,100C) SIEMENS MR HEADER: 1000", *series)


def test_an_unlisted_private_attribute_is_read_as_what_it_is_compared_with() -> None:
    ds = Dataset()
    creator, element = Tag(0x0099, 0x10), Tag(0x0099, 0x1001)
    ds[creator] = RawDataElement(creator, "LO", 8, b"HOSPITAL", 0, False, True)
    ds[element] = RawDataElement(element, "LO", 4, b"0012", 0, False, True)
    assert holds("(0099,xx01) HOSPITAL: 12", ds)
    assert holds("(0099,xx01) HOSPITAL: '0012'", ds)
    assert holds("(0099,xx01) HOSPITAL: {at_most: 12}", ds)
    assert holds("(0099,xx01) HOSPITAL: {starts: '001'}", ds)


def test_values_that_pydicom_has_already_read_are_the_same_values() -> None:
    ds = instance(
        ImageType="ORIGINAL\\PRIMARY", EchoTime="10", PatientName="A^B", Rows=b"\x07\x00", StudyDate="20240131"
    )
    for element in ds:
        assert isinstance(element, DataElement)
    assert holds("ImageType: {equals: [ORIGINAL, PRIMARY]}", ds)
    assert holds("EchoTime: 10.0", ds)
    assert holds("PatientName: a^b", ds)
    assert holds("Rows: 7", ds)
    assert holds("StudyDate: 2024-01-31", ds)


def test_facts_are_typed_and_an_absent_one_is_unknown() -> None:
    assert holds("series.instances: {at_least: 16}", facts={"series.instances": 24})
    assert holds("series.orientation: {in: [axial]}", facts={"series.orientation": "Axial"})
    assert reason("series.instances: {at_least: 16}") == "is not known for this series"
    assert (
        reason("series.instances: {at_least: 16}", facts={"series.instances": None}) == "is not known for this series"
    )
    assert reason("series.instances: 1", facts={"series.instances": "many"}) == "is not a number, value 'many'"
    assert reason("series.instances: 1", facts={"series.instances": True}) == "is not a number, value 'true'"


def test_what_a_model_found_is_unknown_until_it_has_found_it() -> None:
    ask = parse_rule_set(
        {
            "10.yaml": "name: doubtful\nwhen: {ood.head: {at_least: 0.5}}\nthen: [hold]",
            "20.yaml": "name: large\nwhen: {result.head.volume_ml: {at_least: 5}}\nthen: [hold]",
        }
    )
    before = decide(ask, Subject([]))
    assert [one.standing for one in before.outcomes] == [Standing.UNKNOWN, Standing.UNKNOWN]
    assert "no completed job of this series says it" in before.outcomes[0].sentence
    after = decide(ask, Subject([], result_facts({"head": {"ood": 0.3, "volume_ml": 7}})))
    assert [one.standing for one in after.outcomes] == [Standing.NOT_MATCHED, Standing.MATCHED]
    assert decide(ask, Subject([], result_facts({"liver": {"ood": 0.9}}))).rule == ""


def test_what_a_model_said_is_a_word_or_a_number_as_it_is_compared_with() -> None:
    said = result_facts({"probe": {"body_part": "Knee", "quality": 3}})
    for condition in (
        "result.probe.body_part: knee",
        "result.probe.body_part: {in: [knee, head]}",
        "result.probe.body_part: {starts: kn}",
        "result.probe.body_part: {exists: true}",
        "result.probe.quality: 3",
        "result.probe.quality: {at_most: 3}",
        "result.probe.quality: {exists: true}",
        "result.probe.sequence_type: {exists: false}",
    ):
        assert holds(condition, facts=said), condition
    assert not holds("result.probe.body_part: head", facts=said)
    assert reason("result.probe.body_part: {at_least: 3}", facts=said) == "is not a number, value 'Knee'"


def test_a_series_without_instances_says_nothing() -> None:
    assert reason(ECHO) == "is missing"
    assert reason("EchoTime: {any: {at_least: 1}}") == "is missing"
    assert holds("EchoTime: {exists: false}")
