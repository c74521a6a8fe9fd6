"""The page of notices in a real browser: what is wrong, who knows, and who can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from node.adapters.database import Database
from node.adapters.database import notices as rows
from node.adapters.notices import Webhook
from node.core.breaker import Failure, after
from node.core.notices import Kind, Listener, Severity, Sighting, Told
from node.pipeline.notices.notifier import Notifier, Somebody
from node.pipeline.notices.people import Notices
from node.pipeline.notices.texts import Texts
from node.web import Web, api_routes
from node.web.api.notices import notices_router
from node.web.pages import Pages, page_routes
from node.web.pages.notices import notices_pages
from tests.browser import NARROW, WIDE, Visitor
from tests.clock import Clock
from tests.waiting import NOON, emptied

SIGHTINGS = (
    Sighting(Kind.MODEL, "mri_core_head", Severity.CRITICAL, "the model mri_core_head: its canary does not pass"),
    Sighting(Kind.FAILED, "", Severity.WARNING, "3 jobs failed or could not be processed", 3),
    Sighting(Kind.HELD, "", Severity.INFO, "2 series or results wait for a person", 2),
    Sighting(Kind.DESTINATION, "<script>", Severity.WARNING, "the destination <script> does not answer", known=True),
)  # fmt: skip


@pytest.fixture
def visitor(browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    database, clock = emptied(Database(f"sqlite:///{tmp_path / 'node.db'}")), Clock(NOON)
    rows.sighted(database, SIGHTINGS[2:], NOON - timedelta(days=2))
    rows.sighted(database, SIGHTINGS, NOON - timedelta(hours=3))
    webhook = Webhook("chat", "http://127.0.0.1:9/", "a secret of both sides", clock, 5)
    mine = Somebody(Listener("chat"), webhook)
    alarm = rows.page(database, None, 1)[0]
    knows = Told(1, True, 3, Severity.WARNING, NOON - timedelta(hours=1))
    rows.note_told(database, alarm, "it", knows, "raised", "[MRICORE] warning: 3 jobs failed")
    failure = Failure("chat.example answered 503", timedelta(seconds=9))
    rows.note_failure(database, "chat", lambda before: after(before, failure, NOON, 0.5))
    notifier = Notifier(database, lambda: None, [mine], Texts(), clock, "MRICORE")  # type: ignore[arg-type, return-value] # nobody looks
    notices = Notices(database, lambda: [("webhook", mine)], lambda: notifier, clock)
    pages = Pages(clock, "MRICORE")
    routes = [*page_routes(pages, [notices_pages(pages, notices)]), *api_routes([notices_router(notices)])]
    web = Web(routes, leaving=pages.live.stop)
    yield Visitor(browser, f"http://127.0.0.1:{web.start('127.0.0.1', 0)}")
    web.stop()
    database.close()


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (NARROW, True)])
def test_it_fits_and_anybody_can_use_it(visitor: Visitor, width: int, dark: bool) -> None:
    with visitor.window(width=width, dark=dark) as visit:
        page = visit.open("/admin/notices")
        expect(page.get_by_text("its canary does not pass")).to_be_visible()
        visit.demand_fits()
        visit.demand_accessible()
        visit.demand_quiet()


def test_somebody_says_that_he_knows_and_that_is_kept(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/notices")
        page.get_by_role("button", name="I see to notice").first.click()
        expect(page.locator("main tbody").first.get_by_text("local")).to_have_count(1)
        page.get_by_role("button", name="Send a test message to chat").click()
        expect(page.get_by_text("127.0.0.1 cannot be reached")).to_be_visible()


def test_each_leads_to_where_something_can_be_done_and_says_what(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/notices")
        expect(page.get_by_text("Each says why: mend that and retry, or dismiss them.")).to_be_visible()
        for said, where in (("3 jobs failed", "/admin/inbox"), ("its canary", "/admin/models/mri_core_head")):
            expect(page.get_by_role("link", name=said)).to_have_attribute("href", where)
