"""Objects as people read them: attributes with their names, reports in words, bounded whatever they hold."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from node.core.readable import Attribute, Content, content, tree
from node.core.readable.attributes import ATTRIBUTES_AT_MOST, HIDDEN, ITEMS_AT_MOST
from node.core.readable.content import DEPTH_AT_MOST

Json = dict[str, Any]


def code(value: str, scheme: str, meaning: str) -> Json:
    return {"00080100": text("SH", value), "00080102": text("SH", scheme), "00080104": text("LO", meaning)}


def text(vr: str, *values: object) -> Json:
    return {"vr": vr, "Value": list(values)}


def said(kind: str, concept: Json, *children: Json, **more: Json) -> Json:
    made = {"0040A040": text("CS", kind), "0040A010": text("CS", "CONTAINS"), "0040A043": text("SQ", concept), **more}
    return {**made, "0040A730": text("SQ", *children)} if children else made


VOLUME = said(
    "NUM",
    code("118565006", "SCT", "Volume"),
    **{"0040A300": text("SQ", {"0040A30A": text("DS", 12.5), "004008EA": text("SQ", code("cm3", "UCUM", "cm3"))})},
)
REPORT = said("CONTAINER", code("126000", "DCM", "Imaging Measurement Report"), VOLUME)


def flat(attributes: tuple[Attribute, ...]) -> list[Attribute]:
    return [each for one in attributes for each in (one, *(inner for item in one.items for inner in flat(item)))]


def test_an_attribute_has_the_standards_name_and_its_value_as_text() -> None:
    model = {
        "00100010": text("PN", {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}),
        "00280030": text("DS", 0.5, 0.75),
        "00091001": text("LO", "x"),
        "7FE00010": {"vr": "OW", "BulkDataURI": "elsewhere"},
    }
    private, name, spacing, pixels = tree(model).attributes
    assert (private.name, private.tag) == ("Private", "(0009,1001)")
    assert (name.name, name.value) == ("Patient's Name", "Yamada^Tarou=山田^太郎")
    assert (spacing.name, spacing.value) == ("Pixel Spacing", "0.5 \\ 0.75")
    assert pixels.value == "…"


def test_what_names_a_patient_is_hidden_at_every_depth() -> None:
    name = text("PN", {"Alphabetic": "Doe^Jane"})
    model = {
        "00080050": text("SH", "4711"),
        "00100020": text("LO", "7"),
        "00081110": text("SQ", {"00081050": name, "00081150": text("UI", "1.2")}),
    }
    shown = flat(tree(model, hides_patients=True).attributes)
    assert {one.value for one in shown} == {HIDDEN, "", "1.2"}
    assert "Doe^Jane" in {one.value for one in flat(tree(model).attributes)}


def test_a_sequence_of_a_thousand_items_shows_the_first_and_says_how_many_more() -> None:
    found = tree({"52009230": text("SQ", *({"00209153": text("FD", 1.0)} for _ in range(1000)))})
    (frames,) = found.attributes
    assert (len(frames.items), frames.more, found.cut) == (ITEMS_AT_MOST, 1000 - ITEMS_AT_MOST, True)


def test_a_report_is_read_as_sentences() -> None:
    found = content(REPORT)
    assert found
    assert (found.concept, found.kind) == ("Imaging Measurement Report", "CONTAINER")
    assert found.children == (Content("Volume", "12.5 cm3", "NUM", "contains", "118565006 SCT"),)
    assert content({"00080060": text("CS", "SEG")}) is None


def test_what_a_person_observed_is_hidden() -> None:
    model = said(
        "PNAME", code("121008", "DCM", "Person Observer Name"), **{"0040A123": text("PN", {"Alphabetic": "D"})}
    )
    found = content(model, hides_patients=True)
    assert found
    assert found.value == HIDDEN


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["Value", "vr", "Alphabetic", "0040A730", "0040A040", "00080104"]), inner)
    ),
    max_leaves=20,
)
_tags = st.sampled_from(["00100010", "0040A730", "0040A043", "0040A040", "0040A300", "zzzz", "", "7FE00010"])


@given(st.dictionaries(_tags | st.text(max_size=9), _values, max_size=8))
@example({"00100010": {"Value": [math.nan, math.inf, -math.inf, 2.0, 0.5]}})
def test_whatever_a_model_holds_reading_it_ends_without_a_fault(model: Json) -> None:
    tree(model)
    tree(model, hides_patients=True)
    content(model)


def test_a_tree_without_end_is_cut() -> None:
    deep: Json = {}
    for _ in range(DEPTH_AT_MOST * 4):
        deep = said("CONTAINER", code("1", "99X", "x"), deep) if deep else VOLUME
    found = content(deep)
    depth = 0
    while found and found.children:
        depth, found = depth + 1, found.children[0]
    assert depth == DEPTH_AT_MOST
    wide = {f"{tag:08X}": text("LO", "x" * 10_000) for tag in range(0x00091000, 0x00091000 + 2 * ATTRIBUTES_AT_MOST)}
    cut = tree(wide)
    assert cut.cut
    assert len(cut.attributes) == ATTRIBUTES_AT_MOST
    assert max(len(one.value) for one in cut.attributes) < 500
