"""The frame of every page in a real browser: keyboard, narrow windows, dark rooms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from node.web import Web
from node.web.pages import Pages, page_routes
from node.web.pages.trace import Studies, trace_pages
from tests.browser import NARROW, WIDE, Visitor
from tests.clock import Clock
from tests.receiving import Store


@pytest.fixture
def visitor(browser: Browser, store: Store) -> Iterator[Visitor]:
    pages = Pages(Clock(datetime(2026, 1, 5, 12, tzinfo=UTC)), "MRICORE")
    web = Web(page_routes(pages, [trace_pages(pages, Studies(store.database, list))]), leaving=pages.live.stop)
    port = web.start("127.0.0.1", 0)
    yield Visitor(browser, f"http://127.0.0.1:{port}")
    web.stop()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_home_fits_and_anybody_can_use_it(visitor: Visitor, width: int, dark: bool) -> None:
    with visitor.window(width=width, dark=dark) as visit:
        visit.open("/admin/")
        visit.demand_fits()
        visit.demand_accessible()
        visit.demand_quiet()


def test_the_first_tab_skips_to_the_content(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/nothing")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_a_narrow_window_has_its_navigation_behind_a_button(visitor: Visitor) -> None:
    with visitor.window(width=NARROW) as visit:
        page = visit.open("/admin/")
        expect(page.get_by_role("link", name="Inbox")).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        expect(page.get_by_role("link", name="Inbox")).to_be_visible()
        page.get_by_role("link", name="Inbox").focus()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Menu")).to_be_focused()
        expect(page.get_by_role("link", name="Inbox")).to_be_hidden()


def test_below_each_page_stands_in_which_zone_its_times_are(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/")
        expect(page.get_by_text("Times on this page are in Asia/Tokyo (UTC+09:00).")).to_be_visible()
    with visitor.window(java_script_enabled=False) as visit:
        page = visit.open("/admin/")
        expect(page.get_by_text("Times on this page are in UTC.")).to_be_visible()
