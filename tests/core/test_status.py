"""What a destination's C-STORE status means for a delivery (PS3.4 table B.2-1, PS3.7 annex C)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.status import Meaning, meaning


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (0x0000, Meaning.DELIVERED),
        (0xB000, Meaning.DELIVERED),
        (0xB006, Meaning.DELIVERED),
        (0xB007, Meaning.DELIVERED),
        (0x0111, Meaning.DELIVERED),
        (0xA700, Meaning.WAIT),
        (0xA7FF, Meaning.WAIT),
        (0xA900, Meaning.REFUSED),
        (0xC000, Meaning.REFUSED),
        (0xC211, Meaning.REFUSED),
        (0x0122, Meaning.REFUSED),
        (0x0110, Meaning.REFUSED),
    ],
)
def test_a_status_means(status: int, means: Meaning) -> None:
    assert meaning(status) is means


@given(st.integers(0, 0xFFFF))
def test_only_success_a_warning_and_a_duplicate_count_as_delivered(status: int) -> None:
    delivered = meaning(status) is Meaning.DELIVERED
    assert delivered == (status in (0x0000, 0x0111) or 0xB000 <= status <= 0xBFFF)
