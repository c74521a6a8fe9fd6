"""Out of the distribution: what is like the reference scores low, what is not scores high, whatever the scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import ood
from node.errors import BadConfiguration

WIDTH = 24


def usual(seed: int, slices: int = 20) -> ood.Vectors:
    """Slices about one of two centres, varying in a few directions only."""
    drawn = np.random.default_rng(seed)
    centre = np.random.default_rng(seed % 2).normal(size=WIDTH)
    directions = np.random.default_rng(9).normal(size=(4, WIDTH))
    return np.asarray(3 * centre + 0.4 * drawn.normal(size=(slices, 4)) @ directions, np.float32)


def foreign(seed: int) -> ood.Vectors:
    return np.asarray(np.random.default_rng(1000 + seed).normal(size=(20, WIDTH)), np.float32)


@pytest.fixture(scope="module")
def reference() -> ood.Reference:
    return ood.fit([usual(seed) for seed in range(30)])


def test_a_foreign_series_is_unlike_every_reference_series(reference: ood.Reference) -> None:
    found = reference.oddity(foreign(1))
    assert (found.percentile, found.unusual) == (100.0, True)


def test_percentiles_of_usual_series_are_spread_over_the_scale(reference: ood.Reference) -> None:
    percentiles = [reference.oddity(usual(seed)).percentile for seed in range(100, 200)]
    assert 30 < np.mean(percentiles) < 70
    assert np.mean([each >= 100 for each in percentiles]) < 0.2


@given(scale=st.floats(0.01, 100), seed=st.integers(0, 10_000))
def test_the_length_of_an_embedding_says_nothing(reference: ood.Reference, scale: float, seed: int) -> None:
    vectors = usual(seed)
    assert reference.oddity(np.float32(scale) * vectors).score == pytest.approx(
        reference.oddity(vectors).score, abs=0.01
    )


@given(seed=st.integers(0, 10_000))
def test_a_few_odd_slices_make_no_odd_series(reference: ood.Reference, seed: int) -> None:
    vectors = usual(seed)
    spoilt = np.concatenate([vectors, foreign(seed)[:5]])
    assert reference.oddity(spoilt).score < reference.oddity(foreign(seed)).score


def test_what_is_written_is_what_is_read(reference: ood.Reference) -> None:
    again = ood.reference(reference.arrays())
    assert again.oddity(usual(5)) == reference.oddity(usual(5))


@pytest.mark.parametrize("fault", ["missing", "shape", "value", "few"])
def test_arrays_that_do_not_fit_together_are_refused(reference: ood.Reference, fault: str) -> None:
    arrays = reference.arrays()
    if fault == "missing":
        del arrays["axes"]
    elif fault == "shape":
        arrays["mean"] = arrays["mean"][1:]
    elif fault == "value":
        arrays["slices"] = arrays["slices"] * np.float32("nan")
    else:
        arrays["scores"] = arrays["scores"][:2]
    with pytest.raises(ValueError, match=r"no array|do not fit"):
        ood.reference(arrays)


def test_two_series_are_too_few() -> None:
    with pytest.raises(BadConfiguration, match="2 series are fewer than 3"):
        ood.fit([usual(0), usual(1)])


@pytest.mark.parametrize("vectors", [np.zeros((0, WIDTH)), np.zeros((2, WIDTH + 1)), np.zeros(WIDTH)])
def test_vectors_of_another_model_are_refused(reference: ood.Reference, vectors: ood.Vectors) -> None:
    with pytest.raises(ValueError, match=f"must be \\(slices, {WIDTH}\\)"):
        reference.oddity(vectors)


def test_series_that_never_vary_can_be_fitted() -> None:
    same = [np.ones((8, WIDTH), np.float32) for _ in range(3)]
    assert ood.fit(same).oddity(same[0]).score == 0
