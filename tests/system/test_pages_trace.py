"""Trace and inbox in a real browser, on a node that received, worked and failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect
from pydicom.dataset import Dataset

from node.adapters.database import jobs, trace
from node.adapters.decoding import Decoder
from node.core.states import JobState
from node.pipeline.inbox import Inbox
from tests.bench import Bench, on_bench, rules
from tests.browser import NARROW, WIDE, Visitor
from tests.real import files
from tests.receiving import from_file
from tests.showing import shown, work_on
from tests.synthetic import Grid, mr_series

YAMADA = "Yamada^Tarou=山田^太郎=やまだ^たろう"
MISSING = "slice 3 of 10 is missing"


def patient(name: str, who: str, **more: Any) -> list[Dataset]:
    found = mr_series(Grid(slices=10), name=name)
    study = f"{found[0].StudyInstanceUID}.1"
    for ds in found:
        ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", who
        ds.StudyInstanceUID = study
        for keyword, value in more.items():
            setattr(ds, keyword, value)
    return found


HEAD = patient("head", YAMADA, AccessionNumber="A17", PatientID="P1", SeriesDescription="t1 mprage")
OTHER = patient("other", "Müller^Änne", AccessionNumber="A18", PatientID="P2", SeriesDescription="flair")
THIRD = patient("third", "홍^길동", AccessionNumber="A19", PatientID="P3", SeriesDescription="dwi")


@pytest.fixture
def site(bench: Bench) -> Iterator[tuple[Bench, str]]:
    """One series that is done, two whose jobs failed alike, one that no rule takes."""
    work_on(bench, HEAD)
    work_on(bench, OTHER, JobState.FAILED, MISSING)
    work_on(bench, THIRD, JobState.FAILED, MISSING.replace("3", "7"))
    with shown(bench) as base:
        yield bench, base


@pytest.fixture
def visitor(browser: Browser, site: tuple[Bench, str]) -> Visitor:
    return Visitor(browser, site[1])


def of_series(datasets: list[Dataset]) -> str:
    return f"/admin/series?{urlencode({'uid': str(datasets[0].SeriesInstanceUID)})}"


def state_of(bench: Bench, datasets: list[Dataset]) -> tuple[str, list[str]]:
    line = trace.line(bench.store.database, str(datasets[0].SeriesInstanceUID))
    assert line
    return line.state, [job.state for job in line.jobs]


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    with page.expect_navigation():
        page.get_by_role("button", name="Find").click()


def test_a_patient_is_found_by_a_japanese_name_and_no_address_holds_it(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/")
        search(page, "山田")
        expect(page.get_by_role("heading", name="t1 mprage")).to_be_visible()
        expect(page.locator("main")).to_contain_text("山田")
        expect(page.locator(".timeline")).to_contain_text("10 images")
        expect(page.locator(".timeline")).to_contain_text("delivered to out")
        assert "uid=" in page.url
        page.go_back()
        assert "?s=" not in page.url or "%" not in page.url
        visit.demand_quiet()


def test_what_was_never_received_is_said_with_what_may_help(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/")
        search(page, "A99999")
        expect(page.get_by_role("heading", name="Nothing was received for A99999")).to_be_visible()
        visit.demand_accessible()
        page.reload()  # the address is the same, and so is the answer
        expect(page.get_by_role("searchbox")).to_have_value("A99999")


def test_one_box_takes_whatever_people_have(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open("/admin/")
        for text in ("A18", "mueller", str(OTHER[4].SOPInstanceUID)):
            search(page, text)
            expect(page.get_by_role("heading", name="flair")).to_be_visible()
            page.goto(visitor.base + "/admin/")


def test_a_job_is_tried_again_from_the_inbox_with_a_reason(visitor: Visitor, site: tuple[Bench, str]) -> None:
    bench, _ = site
    with visitor.window() as visit:
        page = visit.open("/admin/inbox")
        expect(page.locator(".causes")).to_contain_text("Failed")
        page.get_by_role("checkbox", name="Choose flair").check()
        page.get_by_role("button", name="Retry…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("1 chosen")
        dialog.get_by_label("Reason").fill("the missing slice came")
        dialog.get_by_role("button", name="Retry").click()
        expect(page.locator("#messages")).to_contain_text("1 done.")
        expect(page.get_by_role("checkbox", name="Choose flair")).to_have_count(0)
        expect(page.get_by_role("checkbox", name="Choose dwi")).to_be_visible()
        visit.demand_quiet()
    assert state_of(bench, OTHER) == ("routed", ["scheduled"])
    line = trace.line(bench.store.database, str(OTHER[0].SeriesInstanceUID))
    assert line
    assert (line.history[-1].why, line.history[-1].actor) == ("the missing slice came", "local")


def test_what_failed_says_what_to_do_and_leads_to_all_that_is_stuck_like_it(visitor: Visitor) -> None:
    with visitor.window() as visit:
        page = visit.open(of_series(OTHER))
        expect(page.locator(".job-card")).to_contain_text("What to do now Read the reason, mend it, and retry.")
        page.get_by_role("link", name="All that is stuck like this").click()
        expect(page.get_by_role("checkbox", name="Choose dwi")).to_be_visible()
        visit.demand_quiet()


def test_a_uid_is_copied_with_one_click(visitor: Visitor) -> None:
    uid = str(HEAD[0].SeriesInstanceUID)
    with visitor.window(permissions=["clipboard-read", "clipboard-write"]) as visit:
        page = visit.open(of_series(HEAD))
        page.get_by_role("button", name=f"Copy {uid}").click()
        expect(page.locator("#said")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == uid
        visit.demand_quiet()


def test_all_of_a_cause_is_dismissed_at_once(visitor: Visitor, site: tuple[Bench, str]) -> None:
    bench, _ = site
    with visitor.window() as visit:
        page = visit.open("/admin/inbox")
        page.get_by_role("checkbox", name="All 2 of this cause").check()
        page.get_by_role("button", name="Dismiss…").click()
        page.get_by_role("dialog").get_by_label("Reason").fill("a phantom was measured")
        page.get_by_role("dialog").get_by_role("button", name="Dismiss").click()
        expect(page.get_by_role("heading", name="This is dealt with")).to_be_visible()
        page.goto(visitor.base + "/admin/inbox")
        expect(page.get_by_role("heading", name="Nothing is stuck")).to_be_visible()
        visit.demand_accessible()
    assert state_of(bench, OTHER) == state_of(bench, THIRD) == ("routed", ["dismissed"])


def test_what_is_chosen_stays_chosen_while_the_list_grows(visitor: Visitor, site: tuple[Bench, str]) -> None:
    bench, _ = site
    with visitor.window() as visit:
        page = visit.open("/admin/inbox")
        page.get_by_role("checkbox", name="Choose flair").check()
        work_on(bench, patient("fourth", "New^One", SeriesDescription="came meanwhile"), JobState.FAILED, MISSING)
        page.locator("#inbox-refresh").evaluate("element => element.dispatchEvent(new Event('live:ask'))")
        expect(page.get_by_role("checkbox", name="Choose came meanwhile")).to_be_visible()
        expect(page.get_by_role("checkbox", name="Choose flair")).to_be_checked()
        expect(page.get_by_role("checkbox", name="Choose flair")).to_be_focused()
        expect(page.get_by_role("checkbox", name="Choose dwi")).not_to_be_checked()


def test_a_series_is_found_and_given_to_other_rules_by_keyboard_alone(
    visitor: Visitor, site: tuple[Bench, str]
) -> None:
    bench, _ = site
    with visitor.window() as visit:
        page = visit.open("/admin/inbox")
        page.keyboard.press("Tab")
        for _step in range(3):  # the skip link, the name of the node, and the first of the navigation
            page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("A18")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="flair")).to_be_visible()
        page.wait_for_load_state()
        reach(page, "Reprocess…")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
        page.keyboard.type("a better rule")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#messages")).to_contain_text("waits for the rules of this moment")
    assert state_of(bench, OTHER)[0] == "waiting"
    assert bench.judge_due() == [True]
    assert state_of(bench, OTHER) == ("routed", ["superseded", "scheduled"])


def reach(page: Page, name: str) -> None:
    """By Tab alone, as long as a person would try."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"nobody gets to {name} by Tab")


def test_a_refusal_is_said_where_the_person_looks(visitor: Visitor, site: tuple[Bench, str]) -> None:
    bench, _ = site
    with visitor.window() as visit:
        page = visit.open(of_series(OTHER))
        page.get_by_role("button", name="Retry…").click()
        (number,) = [job.id for job in bench.jobs() if job.series_instance_uid == OTHER[0].SeriesInstanceUID]
        assert jobs.retry(bench.store.database, number, "somebody else", bench.clock())
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("me too")
        dialog.get_by_role("button", name="Retry").click()
        expect(dialog.get_by_role("alert")).to_contain_text(f"job {number} cannot be tried again: it is scheduled")


def test_a_series_that_waits_shows_its_job_as_soon_as_there_is_one(visitor: Visitor, site: tuple[Bench, str]) -> None:
    bench, _ = site
    late = patient("late", "Late^One", SeriesDescription="late")
    bench.receive(late)
    with visitor.window() as visit:
        page = visit.open(of_series(late))
        expect(page.locator("main")).to_contain_text("Waiting")
        bench.clock.advance(700)
        bench.judge_due()
        page.locator("[data-refresh]").evaluate("element => element.dispatchEvent(new Event('live:ask'))")
        page.get_by_role("button", name="Cancel…").click()  # its dialog came with it
        page.get_by_role("dialog").get_by_label("Reason").fill("the wrong patient")
        page.evaluate("document.querySelector('[data-refresh]').dispatchEvent(new Event('live:ask'))")
        page.wait_for_timeout(500)  # what is being typed is not taken away
        expect(page.get_by_role("dialog").get_by_label("Reason")).to_have_value("the wrong patient")
        page.get_by_role("button", name="Cancel the job").click()
        expect(page.locator("#messages")).to_contain_text("canceled")
        visit.demand_quiet()
    assert state_of(bench, late) == ("routed", ["canceled"])


def test_results_are_sent_elsewhere_from_the_page_of_the_series(visitor: Visitor, site: tuple[Bench, str]) -> None:
    bench, _ = site
    with visitor.window() as visit:
        page = visit.open(of_series(HEAD))
        page.get_by_role("button", name="Send…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("checkbox", name="out")).to_be_checked()
        dialog.get_by_role("checkbox", name="pacs").check()
        dialog.get_by_label("Reason").fill("the ward reads there")
        dialog.get_by_role("button", name="Send").click()
        expect(page.locator("#messages")).to_contain_text("on their way")
        expect(page.locator(".sent")).to_contain_text("pacs")
        visit.demand_quiet()
    assert state_of(bench, HEAD) == ("routed", ["scheduled"])


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (NARROW, True)])
def test_anybody_can_use_the_pages_in_any_light_and_width(visitor: Visitor, width: int, dark: bool) -> None:
    with visitor.window(width=width, dark=dark) as visit:
        study = urlencode({"uid": str(HEAD[0].StudyInstanceUID)})
        for path in ("/admin/", f"/admin/studies?{study}", of_series(HEAD), of_series(OTHER), "/admin/inbox"):
            visit.open(path)
            visit.demand_fits()
            visit.demand_accessible()
        page = visit.page
        page.get_by_role("checkbox", name="All of this page").check()
        page.get_by_role("button", name="Dismiss…").click()
        visit.demand_accessible()
        visit.demand_quiet()


def test_hostile_texts_are_text_and_nothing_of_them_runs(browser: Browser, bench: Bench) -> None:
    (path,) = [one for one in files("bad/crafted") if one.name == "injection-strings.dcm"]
    bench.rule_set = rules({"_set.yaml": "otherwise: hold\n"})
    bench.store.receive(from_file(path.read_bytes()))
    nasty = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"{{7*7}}"
    bench.receive(patient("nasty", nasty, SeriesDescription=nasty, AccessionNumber="<b>A</b>", StudyDescription=nasty))
    bench.clock.advance(700)
    bench.judge_due()
    held = Inbox(bench.store.database, bench.clock).groups()
    with shown(bench) as base, Visitor(browser, base).window() as visit:
        page = visit.open("/admin/")
        texts = [page.locator("main").inner_text()]
        for link in page.locator("tbody a").evaluate_all("links => links.map(link => link.getAttribute('href'))"):
            if "/jobs/" not in link:
                texts.append(visit.open(link).locator("main").inner_text())
        for group in held:
            texts.append(visit.open(f"/admin/inbox?cause={group.cause}").locator("main").inner_text())
        search(visit.open("/admin/"), nasty)
        texts.append(page.locator("main").inner_text())
        assert any("<script>alert(1)</script>" in text for text in texts)
        assert any("{{7*7}}" in text for text in texts)
        assert not any(word == "49" for text in texts for word in text.split())
        assert page.locator("main script, main img, main [onerror], main style").count() == 0
        visit.demand_quiet()


def test_who_may_not_see_patients_sees_masks(browser: Browser, bench: Bench) -> None:
    from dataclasses import replace

    from node.core.access import LOCAL, Role
    from node.web import Web
    from node.web.access.demand import VISIT
    from node.web.access.demand import Visit as Asked
    from node.web.pages import Pages, page_routes
    from node.web.pages.trace import Studies, trace_pages

    work_on(bench, HEAD)
    viewer = replace(LOCAL, name="visitor", role=Role.VIEWER, sees_patients=False)

    def layer(app: Any) -> Any:
        async def asked(scope: Any, receive: Any, send: Any) -> None:
            scope[VISIT] = Asked(viewer)
            await app(scope, receive, send)

        return asked

    pages = Pages(bench.clock)
    web = Web(page_routes(pages, [trace_pages(pages, Studies(bench.store.database, list))]), layer, pages.live.stop)
    base = f"http://127.0.0.1:{web.start('127.0.0.1', 0)}"
    try:
        with Visitor(browser, base).window() as visit:
            page = visit.page
            for path in ("/admin/", of_series(HEAD)):
                told = visit.open(path).content()
                for secret in ("Yamada", "山田", "A17", "P1<"):
                    assert secret not in told
                expect(page.get_by_role("button", name="Reprocess…")).to_have_count(0)
            search(visit.open("/admin/"), "yamada")
            expect(page.get_by_role("heading", name="Nothing was received for yamada")).to_be_visible()
    finally:
        web.stop()


def test_the_steps_of_a_series_are_in_their_order(tmp_path: Any, decoder: Decoder) -> None:
    from node.web.pages.timeline import timeline

    with on_bench(tmp_path, decoder) as bench:
        work_on(bench, HEAD)
        line = trace.line(bench.store.database, str(HEAD[0].SeriesInstanceUID))
        assert line
        assert [step.kind for step in timeline(line)] == [
            "received_stored", "series_routed", "job_asked", "started", "sent", "job_completed",
        ]  # fmt: skip
