"""Each destination gets the forms of results that it wants, or those that it takes in their place."""

from __future__ import annotations

import pytest

from node.adapters.database.deliveries import keep_capability
from node.adapters.database.tables import change
from node.core.forms import DEFAULT, Form, SegChoice, SrChoice, forms_of
from node.core.status import Meaning
from tests.bench import Bench
from tests.synthetic import Grid, mr_series

HEAD = mr_series(Grid(slices=10))


def delivered(bench: Bench, *forms: Form) -> list[str]:
    bench.asked["out"] = frozenset(forms)
    bench.complete(HEAD)
    assert bench.attempt() == "delivered to out"
    return bench.out.kinds


def test_a_destination_gets_a_binary_seg_and_a_planar_sr_unless_it_says_otherwise() -> None:
    assert forms_of() == DEFAULT == {Form.BINARY, Form.PLANAR}


def test_a_report_that_points_to_segments_brings_them_along() -> None:
    assert forms_of(SegChoice.LABELMAP, SrChoice.SEGMENT) == {Form.LABELMAP, Form.SEGMENT, Form.BINARY}
    assert forms_of(SegChoice.LABELMAP, SrChoice.PLANAR) == {Form.LABELMAP, Form.PLANAR}
    assert forms_of(SegChoice.NONE, SrChoice.NONE, [Form.OVERLAY]) == {Form.OVERLAY}


@pytest.mark.parametrize(
    "forms",
    [
        (Form.BINARY, Form.PLANAR),
        (Form.LABELMAP, Form.PLANAR),
        (Form.BINARY, Form.FRACTIONAL, Form.SEGMENT),
        (Form.OVERLAY,),
    ],
)
def test_a_destination_gets_what_it_asks_for_and_nothing_else(bench: Bench, forms: tuple[Form, ...]) -> None:
    assert sorted(delivered(bench, *forms)) == sorted(forms)


@pytest.mark.parametrize("form", [Form.LABELMAP, Form.FRACTIONAL])
def test_a_peer_that_refuses_a_form_gets_the_binary_seg(bench: Bench, form: Form) -> None:
    bench.out.answers[form] = [Meaning.REFUSED]
    assert sorted(delivered(bench, form, Form.PLANAR)) == ["SEG", "SR"]
    with bench.store.database.reading() as connection:
        reasons = [row.reason for row in connection.execute(change.select())]
    assert [reason for reason in reasons if reason.startswith(f"out takes no {form} (")] != []


def test_a_peer_that_has_the_binary_seg_already_does_not_get_it_twice(bench: Bench) -> None:
    bench.out.answers[Form.LABELMAP] = [Meaning.REFUSED]
    assert sorted(delivered(bench, Form.LABELMAP, Form.BINARY)) == ["SEG"]


@pytest.mark.parametrize(("takes", "kind"), [("Label Map Segmentation", "LABELMAP"), ("Segmentation", "SEG")])
def test_what_a_test_saw_decides_whether_a_label_map_is_tried(bench: Bench, takes: str, kind: str) -> None:
    keep_capability(bench.store.database, "out", {"takes": {takes: ["Explicit VR Little Endian"]}}, bench.clock())
    assert delivered(bench, Form.LABELMAP) == [kind]
