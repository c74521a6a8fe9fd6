"""The page of a job: when the values of its charts were taken, and which pictures a browser may keep."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx
import pytest

from node.core.access import LOCAL
from node.pipeline.findings import Earlier
from node.web import Web
from node.web.api.results import Findings
from node.web.pages import Pages, page_routes
from node.web.pages.job import examined, job_pages
from node.worker import Worker
from tests.bench import Bench, bench, decoder
from tests.edges.test_findings import archive_of, asking
from tests.fakes import CARD
from tests.synthetic import Grid, mr_series

__all__ = ["bench", "decoder"]

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


def test_a_picture_from_before_the_segmentation_could_be_drawn_is_not_taken_for_one_with_it(bench: Bench) -> None:
    job = bench.complete(mr_series(Grid(slices=10)))
    with archive_of(bench) as (archive, indexing):

        def addresses() -> set[str]:
            page = httpx.get(f"http://127.0.0.1:{port}/admin/jobs/{job.id}", timeout=60, trust_env=False)
            return set(re.findall(r"/api/v1/jobs/\d+/slices/\d+\?[^\"]+", page.text))

        while indexing.step():
            pass
        Worker("worker", bench.store.database, bench.work, bench.clock)._step()
        pages = Pages(bench.clock, "MRICORE")
        about = Findings(bench.store.database, archive, lambda: {CARD.name: CARD})
        web = Web(page_routes(pages, [job_pages(pages, about)]), access=asking(LOCAL), leaving=pages.live.stop)
        port = web.start("127.0.0.1", 0)
        try:
            plain = addresses()
            while indexing.step():
                pass
            drawn = addresses()
        finally:
            web.stop()
    assert len(plain) > 10
    assert len(drawn) > 10
    assert not plain & drawn
