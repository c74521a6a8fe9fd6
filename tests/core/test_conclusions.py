"""A classification answers for a series what most of its slices say, or says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from node.core.card import Answer, Card, Code, Kind, Question
from node.core.conclusions import UNDETERMINED, conclude, evaluations
from node.errors import ModelFailed
from tests.results import card

PART = Question(
    "body_part",
    Code("123014", "DCM", "Target Region"),
    (Answer("head", Code("69536005", "SCT", "Head")), Answer("knee", Code("72696002", "SCT", "Knee"))),
    0.6,
)
QUALITY = Question(
    "quality",
    Code("111050", "DCM", "Quality Assessment"),
    tuple(Answer(name, Code(name, "99TEST", name)) for name in ("good", "fair", "poor")),
    0.0,
)
PROBE: Card = replace(card(), kind=Kind.CLASSIFICATION, segments=(), questions=(PART, QUALITY))


def rows(*each: tuple[float, ...]) -> NDArray[np.float32]:
    return np.asarray(each, np.float32)


def test_the_mean_of_the_slices_decides() -> None:
    part, quality = conclude(
        PROBE, rows((0.9, 0.1, 0.2, 0.5, 0.3), (0.3, 0.7, 0.2, 0.2, 0.6), (0.8, 0.2, 0.1, 0.1, 0.8))
    )
    assert part.answer == PART.answers[0]
    assert part.probability == pytest.approx(0.6667, abs=1e-4)
    assert quality.answer == QUALITY.answers[2]
    said = evaluations((part, quality))
    assert [(one.concept.meaning, one.value.meaning) for one in said] == [
        ("Target Region", "Head"),
        ("Quality Assessment", "poor"),
    ]


def test_below_its_threshold_an_answer_is_undetermined() -> None:
    part, quality = conclude(PROBE, rows((0.55, 0.45, 0.4, 0.3, 0.3)))
    assert part.answer is None
    assert [one.value for one in evaluations((part, quality))] == [UNDETERMINED, QUALITY.answers[0].code]


def test_slices_that_were_not_shown_do_not_count() -> None:
    shown = rows((0.1, 0.9, 1, 0, 0))
    with_blank = np.concatenate([np.zeros((5, 5), np.float32), shown])
    assert conclude(PROBE, with_blank) == conclude(PROBE, shown)
    assert all(one.answer is None for one in conclude(PROBE, np.zeros((4, 5), np.float32)))


@pytest.mark.parametrize(
    "answers",
    [
        rows((0.9, 0.9, 1, 0, 0)),
        rows((1.5, -0.5, 1, 0, 0)),
        rows((float("nan"), 0.5, 1, 0, 0)),
        rows((0.5, 0.5)),
        np.zeros(5, np.float32),
    ],
)
def test_what_are_no_probabilities_is_refused(answers: NDArray[np.float32]) -> None:
    with pytest.raises(ModelFailed, match=PROBE.name):
        conclude(PROBE, answers)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2)), min_size=1, max_size=20))
def test_the_order_of_the_slices_does_not_matter(slices: list[tuple[float, int]]) -> None:
    made = rows(*((p, 1 - p, *np.eye(3)[best]) for p, best in slices))
    shuffled = made[np.random.default_rng(1).permutation(len(made))]
    one, other = conclude(PROBE, made), conclude(PROBE, shuffled)
    assert [each.probability for each in one] == pytest.approx([each.probability for each in other], abs=2e-4)
