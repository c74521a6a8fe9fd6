"""Pages that show themselves anew: how many may, and who is forgotten when he goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from node.web import Web
from node.web.pages import Pages, page_routes
from node.web.pages.live import MOST
from tests.bench import until
from tests.clock import Clock


@pytest.fixture
def pages() -> Pages:
    return Pages(Clock(datetime(2026, 1, 5, 12, tzinfo=UTC)), "MRICORE")


@pytest.fixture
def site(pages: Pages) -> Iterator[httpx.Client]:
    router = APIRouter()

    @router.get("/events")
    async def events(request: Request) -> StreamingResponse:
        return pages.live.stream(request, lambda: "<p id='news'>new</p>")

    @router.get("/broken")
    def broken() -> None:
        raise RuntimeError("a fault of ours")

    web = Web(page_routes(pages, [router]), leaving=pages.live.stop)
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/admin", timeout=60, trust_env=False) as client:
        yield client
    web.stop()


def test_who_watches_a_page_is_counted_and_forgotten_when_he_goes(site: httpx.Client, pages: Pages) -> None:
    with site.stream("GET", "/events") as answer:
        lines = answer.iter_lines()  # the stream is closed with the last reference to it
        assert next(line for line in lines if line.startswith("data: ")) == "data: <p id='news'>new</p>"
        assert pages.live.watching == 1
    until(lambda: pages.live.watching == 0, "that nobody watches")


def test_more_than_may_watch_a_page_are_told_so(site: httpx.Client, pages: Pages) -> None:
    for _ in range(MOST):
        pages.live.enter()
    answer = site.get("/events")
    assert answer.status_code == 503
    assert "watch already" in answer.text
    for _ in range(MOST):
        pages.live.leave()


def test_a_page_that_breaks_says_so_in_the_frame_of_the_others_and_names_no_fault(site: httpx.Client) -> None:
    answer = site.get("/broken")
    assert answer.status_code == 500
    assert "This went wrong" in answer.text
    assert "Go to the search" in answer.text
    assert "a fault of ours" not in answer.text
