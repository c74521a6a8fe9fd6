"""The pass sheet of a drill: what was done, expected and seen, for a risk file."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from node.core.drill import EXERCISES, NAMES, About, Outcome
from node.core.drill_sheet import sheet

ABOUT = About("SITE_AE", "1.2.3", datetime(2026, 1, 5, 9, 30, tzinfo=UTC), "host", "mri_core_head", ("A condition.",))


def outcomes(seen: str = "as expected", failed: str = "") -> list[Outcome]:
    return [Outcome(one.name, seen, one.name != failed, 12.3) for one in EXERCISES]


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def test_it_is_a_pdf_that_is_the_same_for_the_same_values() -> None:
    pdf = sheet(ABOUT, outcomes())
    assert pdf.startswith(b"%PDF-")
    assert pdf == sheet(ABOUT, outcomes())
    assert pdf != sheet(ABOUT, outcomes(failed=NAMES[0]))
    assert pages(pdf) == 1


@given(st.text(max_size=3000))
def test_whatever_was_seen_fits_on_its_pages(seen: str) -> None:
    assert pages(sheet(ABOUT, outcomes(seen))) <= 1 + 7 * 3


def test_nothing_was_drilled() -> None:
    assert pages(sheet(ABOUT, [])) == 1
