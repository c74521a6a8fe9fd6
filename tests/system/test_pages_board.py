"""The board, models and jobs in a real browser: what somebody who runs a node does all day."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from node.adapters.database import pauses
from node.adapters.decoding import Decoder
from node.core.access import LOCAL, Role
from tests.bench import decoder, until
from tests.browser import NARROW, WIDE, Visitor
from tests.fakes import CARD
from tests.shown import HOSTILE, Shown, shown

__all__ = ["decoder"]

_PICTURES = os.environ.get("MRICORE_PICTURES")  # a folder: what was seen is kept there


_LOADED = "[...document.images].filter(i => COND).every(i => i.naturalWidth > 0)"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, decoder: Decoder) -> Iterator[Shown]:
    with shown(tmp_path_factory.mktemp("node"), decoder) as made:
        yield made


@pytest.fixture(scope="module")
def visitor(node: Shown, browser: Browser) -> Iterator[Visitor]:
    with node.served() as base:
        yield Visitor(browser, base)


def addresses(node: Shown) -> dict[str, str]:
    job = f"/admin/jobs/{node.jobs[-1]}"
    return {
        "board": "/admin/board",
        "models": "/admin/models",
        "model": f"/admin/models/{CARD.name}",
        "job": job,
        "sr": f"{job}/objects/SR",
        "seg": f"{job}/objects/SEG",
    }


def drawn(page: Page) -> None:
    """Every picture that does not wait until it is in sight was loaded."""
    until(lambda: page.evaluate(_LOADED.replace("COND", "i.loading !== 'lazy'")), "the pictures")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", ["board", "models", "model", "job", "sr", "seg"])
def test_pages_fit_and_anybody_can_use_them(node: Shown, visitor: Visitor, name: str, width: int, dark: bool) -> None:
    with visitor.window(width=width, dark=dark) as visit:
        visit.page.clock.set_fixed_time(node.bench.clock())  # otherwise pictures would say how long ago that was
        page = visit.open(addresses(node)[name])
        drawn(page)
        if _PICTURES:
            for key in page.locator(".keys img").all():
                key.scroll_into_view_if_needed()
            page.evaluate("scrollTo(0, 0)")
            until(lambda: page.evaluate(_LOADED.replace("COND", "i.closest('.keys')")), "the key slices")
            look = "dark" if dark else "light"
            page.screenshot(path=Path(_PICTURES) / f"{name}-{width}-{look}.png", full_page=True)
        visit.demand_fits()
        visit.demand_accessible()
        visit.demand_quiet()


def test_the_board_says_first_what_needs_somebody_and_follows_what_happens(node: Shown, visitor: Visitor) -> None:
    database, clock = node.bench.store.database, node.bench.clock
    with visitor.window() as visit:
        page = visit.open("/admin/board")
        needs = page.get_by_role("region", name="What needs somebody")
        expect(needs.get_by_role("listitem").filter(has_text="Destination archive")).to_contain_text(
            "Waiting for archive"
        )
        expect(needs).to_contain_text("Admit it under Sources")
        expect(page.locator(".balance")).to_contain_text("received")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="out", exact=True))
        expect(row).to_contain_text("Nothing waits for it.")
        pauses.pause(database, pauses.DESTINATION, "out", "anna", clock())
        expect(row).to_contain_text("paused by anna")  # nobody reloaded
        pauses.resume(database, pauses.DESTINATION, "out", clock())
        expect(row).to_contain_text("Nothing waits for it.")
        visit.demand_quiet()


def test_a_model_is_paused_and_resumed_and_says_its_limits_first(node: Shown, visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/models")
        page.get_by_role("link", name=CARD.name).click()
        expect(page.get_by_role("region", name="Limits")).to_contain_text("not to be relied on")
        expect(page.get_by_role("img", name="Percentile of each job")).to_be_visible()
        expect(page.get_by_role("region", name="Rules that ask for it")).to_contain_text("mr")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_text("paused by local")).to_be_visible()
        page.wait_for_load_state()
        assert [one.name for one in pauses.listed(node.bench.store.database)] == [CARD.name]
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        page.get_by_text("Day by day").first.click()
        expect(page.get_by_role("cell", name="100").first).to_be_visible()
        visit.demand_quiet()


def test_the_picture_is_gone_through_by_keyboard_and_by_mouse(node: Shown, visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open(f"/admin/jobs/{node.jobs[-1]}")
        slider, image = page.get_by_role("slider"), page.locator("[data-slice]")
        begin = int(slider.input_value())
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(image).to_have_attribute("alt", f"Slice {begin + 1} of 16")
        drawn(page)
        with page.expect_response(lambda answer: "overlay=false" in answer.url):
            page.get_by_label("Segmentation").uncheck()
        page.get_by_role("button", name="Brain").click()
        expect(slider).to_be_focused()
        there = int(slider.input_value())
        image.hover()
        page.mouse.wheel(0, 100)
        expect(image).to_have_attribute("alt", f"Slice {there + 1} of 16")
        visit.demand_quiet()


def test_earlier_results_of_the_patient_lead_to_their_jobs(node: Shown, visitor: Visitor) -> None:
    first, _, last = node.jobs
    with visitor.window() as visit:
        page = visit.open(f"/admin/jobs/{last}")
        measured = page.get_by_role("region", name="Measurements")
        expect(measured.get_by_role("img", name="Brain: volume in millilitres")).to_be_visible()
        measured.get_by_text("As a table").last.click()
        measured.get_by_role("link", name=f"Job {first}").last.click()
        page.wait_for_url(f"**/admin/jobs/{first}")
        expect(page.get_by_role("main")).to_contain_text("山田")
        visit.demand_quiet()


def test_a_job_leads_to_its_series_its_study_its_destinations_and_its_rule(node: Shown, visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open(f"/admin/jobs/{node.jobs[-1]}")
        way = page.get_by_role("navigation", name="Where this page is").get_by_role("link")
        expect(way).to_have_text(["Trace", "Study", "T1 PHANTOM"])
        for link, where in (
            (way.nth(2), r"/admin/series\?uid="),
            (page.get_by_role("region", name="Deliveries").get_by_role("link").first, "/admin/places/destination/out"),
            (page.get_by_role("region", name="What made it").get_by_role("link").nth(1), "/admin/rules/"),
        ):
            expect(link).to_have_attribute("href", re.compile(where))
        expect(page.get_by_role("region", name="What happened")).to_contain_text("delivered to out")


def test_a_report_and_a_segmentation_are_read_in_words(node: Shown, visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open(f"/admin/jobs/{node.jobs[-1]}")
        page.get_by_role("link", name="Look into it: SR").click()
        said = page.get_by_role("region", name="What it says")
        expect(said).to_contain_text("Imaging Measurement Report")
        expect(said).to_contain_text("cubic centimeter")
        page.go_back()
        page.get_by_role("link", name="Look into it: SEG").click()
        expect(page.get_by_role("region", name="Attributes")).to_contain_text("Segment Sequence")
        visit.demand_quiet()


def test_who_may_only_look_has_no_buttons_and_sees_no_patient(node: Shown, browser: Browser) -> None:
    guest = replace(LOCAL, name="guest", role=Role.VIEWER, sees_patients=False)
    with node.served(guest) as base, Visitor(browser, base).window() as visit:
        page = visit.open(f"/admin/jobs/{node.jobs[-1]}")
        expect(page.get_by_role("main")).not_to_contain_text("山田")
        expect(page.get_by_role("main")).to_contain_text("Images are shown to accounts that may see patients")
        expect(page.get_by_role("button", name="Send…")).to_have_count(0)
        assert "P7" not in page.content()
        for address in (f"/admin/jobs/{node.jobs[-1]}/objects/SEG", f"/admin/jobs/{node.jobs[-1]}/objects/SR"):
            visit.open(address)
            assert "P7" not in page.content()
            assert "A4713" not in page.content()
            assert "山田" not in page.content()
        visit.open(f"/admin/models/{CARD.name}")
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        answer = page.request.post(f"{base}/api/v1/jobs/pause", data={"kind": "model", "name": CARD.name})
        assert answer.status == 403
        visit.demand_quiet()


def test_results_are_sent_elsewhere_a_job_is_canceled_with_a_reason_and_tried_again(
    node: Shown, visitor: Visitor
) -> None:
    with visitor.window() as visit:
        page = visit.open(f"/admin/jobs/{node.jobs[1]}")
        page.get_by_role("button", name="Send…").click()
        asked = page.get_by_role("dialog")
        asked.get_by_label("archive").check()
        asked.get_by_label("Reason").fill("the archive was down")
        asked.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_text("On its way.")).to_be_visible()
        page.wait_for_load_state()
        expect(page.get_by_role("region", name="Deliveries")).to_contain_text("archive")
        page.get_by_role("button", name="Cancel…").click()
        asked.get_by_label("Reason").fill("not wanted")
        asked.get_by_role("button", name="Cancel the job").click()
        expect(page.get_by_text("Canceled.")).to_be_visible()
        page.wait_for_load_state()
        expect(page.locator("header .lead")).to_contain_text("not wanted")
        page.clock.install()  # of the page that is made anew
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_text("It is tried again.")).to_be_visible()
        expect(page.locator("header .badge")).to_have_text("Scheduled")
        held = list[Route]()

        def hold_the_first(route: Route) -> None:
            if held:
                route.continue_()
            held.append(route)

        page.route(f"**/api/v1/jobs/{node.jobs[1]}", hold_the_first)
        page.clock.fast_forward(5000)
        visit.until(lambda: held, "the page asks whether the job got on")
        answer = page.request.post(f"{visitor.base}/api/v1/jobs/{node.jobs[1]}/cancel", data={"reason": "elsewhere"})
        assert answer.ok, answer.text()
        page.get_by_role("button", name="Cancel…").click()
        asked.get_by_label("Reason").fill("not sure")
        with page.expect_response(f"**/api/v1/jobs/{node.jobs[1]}"):
            held[0].continue_()
        page.wait_for_timeout(300)  # what is being typed is not taken away
        expect(asked.get_by_label("Reason")).to_have_value("not sure")
        page.keyboard.press("Escape")
        page.clock.fast_forward(5000)
        expect(page.locator("header .badge")).to_have_text("Canceled")  # nobody loaded the page again
        visit.demand_quiet()


def test_text_from_dicom_is_text_and_nothing_else(node: Shown, visitor: Visitor) -> None:
    job = f"/admin/jobs/{node.jobs[0]}"
    with visitor.window() as visit:
        for address in (job, f"{job}/objects/SR", f"{job}/objects/SEG"):
            page = visit.open(address)
            if address == job:
                expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
            assert page.locator("main script").count() == 0
            visit.demand_quiet()


def test_a_job_or_a_model_that_is_not_there_says_so(visitor: Visitor) -> None:
    with visitor.window() as visit:
        for address in ("/admin/jobs/99", f"/admin/jobs/{10**30}", "/admin/models/nobody", "/admin/jobs/1/objects/PDF"):
            page = visit.open(address)
            expect(page.get_by_role("heading", name="Not found")).to_be_visible()
