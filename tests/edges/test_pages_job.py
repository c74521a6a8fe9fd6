"""The page of a job: when the values of its charts were taken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from node.pipeline.findings import Earlier
from node.web.pages.job import examined

CAME = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("study_date", "at"),
    [
        ("20240229", datetime(2024, 2, 29, tzinfo=UTC)),  # an old study that came today belongs into its own year
        ("", CAME),
        ("20230229", CAME),
        ("00010101", CAME),
        ("99991231", CAME),
        ("yesterday", CAME),
    ],
)
def test_a_value_stands_at_the_day_of_its_study_and_otherwise_where_its_job_came(study_date: str, at: datetime) -> None:
    assert examined(Earlier(1, study_date, CAME, "1", 3.5)) == at
