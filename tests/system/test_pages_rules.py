"""The rules' pages in a real browser: what an administrator does with rules, and what he is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from tests.bench import Bench
from tests.browser import NARROW, WIDE, Visit, Visitor
from tests.rule_site import FILES, HEAD, RuleSite, rule_site


@pytest.fixture
def site(bench: Bench) -> Iterator[RuleSite]:
    with rule_site(bench) as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser, site: RuleSite) -> Iterator[Visit]:
    with Visitor(browser, site.base).window() as opened:
        yield opened


def as_(visit: Visit, name: str, role: str) -> None:
    visit.page.context.add_cookies([{"name": "who", "value": f"{name}.{role}", "url": visit.base}])


def code(page: Page) -> str:
    """What the editor of text holds."""
    return page.locator(".cm-content").inner_text()


def edited(visit: Visit, name: str) -> Page:
    """The editor of a rule, ready."""
    page = visit.open(f"/admin/rules/{name}")
    expect(page.locator(".editor[data-ready=yes]")).to_be_visible()
    return page


def simulate_and_publish(page: Page, reason: str) -> None:
    page.get_by_role("link", name="Review and publish").first.click()
    page.get_by_role("button", name="Simulate").click()
    expect(page.locator(".sentence")).to_contain_text("would change")
    page.get_by_label("Reason").fill(reason)
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("status").first).to_contain_text("Published")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_page_fits_and_anybody_can_use_it(browser: Browser, site: RuleSite, width: int, dark: bool) -> None:
    held = site.series["t2 tse tra"]
    site.publish({**FILES, "20-head.yaml": HEAD + "stop: false\n"}, "bert", "later rules too")
    with Visitor(browser, site.base).window(width=width, dark=dark) as visit:
        for path in (
            "", "/head", "/tumour", "/_set.yaml", "/-/draft", "/-/history", "/-/compare?one=1&other=2", "/-/why",
            f"/-/why?series={held}", f"/-/from?series={held}", "/-/shadow",
        ):  # fmt: skip
            page = visit.open(f"/admin/rules{path}")
            if page.locator(".editor").count():
                expect(page.locator("[data-problems] li").first).to_be_visible()
            visit.demand_fits()
            visit.demand_accessible()
        visit.demand_quiet()


def test_a_held_series_becomes_a_rule_that_is_simulated_and_published(visit: Visit, site: RuleSite) -> None:
    page = visit.open("/admin/rules/-/why")
    page.get_by_label("Accession number or UID").fill("A3")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("row", name=re.compile("^head not matched"))).to_contain_text("with SeriesDescription in")
    page.get_by_role("link", name="Make a rule from it").click()
    expect(page.get_by_role("row", name=re.compile("^SeriesDescription"))).to_contain_text("t2 tse tra")
    page.get_by_role("button", name="Put it into my draft").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("t2-tse-tra")
    expect(page.locator("[data-matches]")).to_contain_text("matches 2 of 8 series")
    simulate_and_publish(page, "T2 of the head is wanted")
    assert "name: t2-tse-tra" in site.in_use["40-t2-tse-tra.yaml"]
    visit.open("/admin/rules/-/history")
    expect(page.get_by_role("row", name=re.compile("T2 of the head is wanted"))).to_contain_text("+2 mri_core_head")
    visit.demand_quiet()


def test_form_and_text_are_one(visit: Visit, site: RuleSite) -> None:
    page = edited(visit, "head")
    values = page.get_by_label("Value", exact=True)
    expect(values.nth(0)).to_have_value("MR")
    values.nth(2).fill("t2")
    values.nth(2).press("Tab")
    expect(page.locator(".cm-content")).to_contain_text("SeriesDescription: {contains: t2}")
    assert "# not CT" in code(page), "comments stay"
    expect(page.locator("[data-matches]")).to_contain_text("matches 5 of 8 series")
    page.locator(".cm-content").get_by_text("description: Head").click()
    page.keyboard.press("End")
    page.keyboard.type(" quickly")
    expect(page.get_by_label("Description", exact=True)).to_have_value(
        "Head MR series get the outline of the head quickly"
    )
    expect(page.locator("[data-saved]")).to_have_text("Saved in your draft")
    page.reload()
    expect(page.get_by_label("Description", exact=True)).to_have_value(
        "Head MR series get the outline of the head quickly"
    )
    assert site.in_use == FILES, "nothing is in use that was not published"
    visit.demand_quiet()


def test_what_could_not_be_saved_is_saved_when_somebody_comes_back(visit: Visit) -> None:
    page = edited(visit, "head")
    saved = page.locator("[data-saved]")
    page.context.set_offline(True)
    page.locator(".cm-content").get_by_text("description: Head").click()
    page.keyboard.press("End")
    page.keyboard.type(" kept")
    expect(saved).to_contain_text("Not saved: The node does not answer.")
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('focus'))")  # as when the window is chosen again
    expect(saved).to_have_text("Saved in your draft")
    page.reload()
    expect(page.locator(".cm-content")).to_contain_text("kept")


def test_what_is_typed_while_the_rest_is_saved_is_not_called_saved(visit: Visit) -> None:
    page = edited(visit, "head")
    saved, held = page.locator("[data-saved]"), list[Route]()
    saved.evaluate(
        "element => { window.told = []; new MutationObserver(() => told.push(element.textContent))"
        ".observe(element, { childList: true }); }"
    )
    page.route("**/api/v1/rules/draft/files/*", lambda route: held.append(route))
    page.locator(".cm-content").get_by_text("description: Head").click()
    page.keyboard.press("End")
    page.keyboard.type(" one")
    visit.until(lambda: held, "the first is being saved")
    page.keyboard.type(" two")
    held.pop().continue_()
    visit.until(lambda: held, "the second is being saved")
    assert "Saved in your draft" not in page.evaluate("told")
    held.pop().continue_()
    expect(saved).to_have_text("Saved in your draft")
    visit.demand_quiet()


def test_without_scripts_the_text_of_a_rule_can_be_read(browser: Browser, site: RuleSite) -> None:
    with Visitor(browser, site.base).window(java_script_enabled=False) as visit:
        page = visit.open("/admin/rules/head")
        expect(page.get_by_role("region", name="Text").locator("pre")).to_contain_text("Modality: MR")


def test_a_rule_of_several_series_is_made_in_the_form(visit: Visit) -> None:
    page = edited(visit, "tumour")
    needs = page.locator(".need")
    expect(needs).to_have_count(2)
    first = needs.first.get_by_label("Value", exact=True)
    expect(first).to_have_value("t1ce")
    first.fill("t1")
    first.press("Tab")
    expect(page.locator(".cm-content")).to_contain_text("t1: {SeriesDescription: {contains: t1}}")
    page.get_by_role("button", name="Add a series").click()
    page.keyboard.type("t2")
    page.keyboard.press("Tab")
    expect(page.locator(".cm-content")).to_contain_text("t2: {}")
    needs.last.get_by_role("button", name="Add condition").click()
    page.keyboard.type("SeriesDescription")
    page.keyboard.press("Tab")
    page.keyboard.type("t2 tse")
    page.keyboard.press("Tab")
    expect(page.locator(".cm-content")).to_contain_text("SeriesDescription: t2 tse")
    needs.last.get_by_role("button", name="Earlier").click()
    expect(needs.nth(1).get_by_label("Name, like t1")).to_be_focused()
    needs.nth(2).get_by_role("button", name="Take this series out").click()
    expect(page.locator(".cm-content")).not_to_contain_text("flair")
    page.get_by_label("Wait for the others").fill("90 min")
    page.keyboard.press("Tab")
    expect(page.locator(".cm-content")).to_contain_text("within: 90 min")
    page.get_by_label("When the time is over").select_option("proceed")
    expect(page.locator(".cm-content")).to_contain_text("else: proceed")
    assert "within: 90 min" in code(page)
    assert re.search(r"needs:\s+t1: .*\n\s+t2:", code(page)), code(page)
    visit.demand_fits()
    visit.demand_accessible()
    expect(page.locator("[data-saved]")).to_have_text("Saved in your draft")
    page.get_by_role("button", name="Take this series out").first.click()
    expect(page.locator(".cm-content")).not_to_contain_text("t1:")
    expect(needs.first.get_by_label("Name, like t1")).to_have_value("t2")
    page.get_by_role("button", name="Take this series out").click()
    expect(page.get_by_label("Wait for the others")).to_be_hidden()
    expect(page.locator(".cm-content")).not_to_contain_text("within")
    assert "needs" not in code(page)
    visit.demand_quiet()


def test_what_is_done_to_the_form_while_it_is_written_is_not_lost(visit: Visit) -> None:
    page = edited(visit, "tumour")
    slow = threading.Event()

    def written_slowly(route: Route) -> None:
        slow.wait(0.3)
        route.continue_()

    page.route("**/api/v1/rules/form/write", written_slowly)
    needs = page.locator(".need")
    first = needs.first.get_by_label("Value", exact=True)
    first.fill("t1")
    needs.nth(1).get_by_role("button", name="Take this series out").click()  # before the value is written
    page.get_by_role("button", name="Add a series").click()
    page.keyboard.type("t2", delay=100)
    page.get_by_label("Wait for the others").fill("90 min")
    page.keyboard.press("Tab")
    content = page.locator(".cm-content")
    expect(content).to_contain_text("within: 90 min")
    expect(content).to_contain_text("contains: t1}")
    expect(content).not_to_contain_text("flair")
    expect(content).to_contain_text("t2: {}")
    expect(page.locator("[data-saved]")).to_have_text("Saved in your draft")
    visit.demand_quiet()


def test_a_condition_is_added_with_the_keyboard_alone_and_offers_what_was_seen_here(visit: Visit) -> None:
    page = edited(visit, "head")
    page.get_by_role("button", name="Add condition").last.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("ProtocolName")
    page.keyboard.press("Tab")
    expect(page.locator(".clause").last.get_by_label("Value", exact=True)).to_be_focused()
    page.keyboard.type("abc")
    page.keyboard.press("Tab")
    expect(page.locator(".cm-content")).to_contain_text("ProtocolName: abc")
    page.locator(".cm-content").get_by_text("contains: t1").click()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("- SeriesDescription: {contains: t")
    page.keyboard.press("Control+Space")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("t2 tse tra")
    visit.demand_quiet()


def test_an_error_is_shown_at_its_line_with_its_cure_and_cannot_be_published(visit: Visit) -> None:
    page = edited(visit, "head")
    page.locator(".cm-content").get_by_text("SeriesDescription").first.dblclick()
    page.keyboard.type("SeriesDescripton")
    expect(page.locator("[data-problems]")).to_contain_text("Did you mean SeriesDescription?")
    expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    expect(page.locator("[data-cannot]")).to_contain_text("Line 8: SeriesDescripton is no DICOM keyword")
    page.get_by_role("link", name="Review and publish").click()
    expect(page.get_by_text("Mend them first")).to_be_visible()
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    visit.demand_quiet()


def test_two_people_edit_one_set_and_the_second_is_told_and_keeps_what_both_did(visit: Visit, site: RuleSite) -> None:
    as_(visit, "bert", "author")
    page = edited(visit, "scouts")
    page.locator(".cm-content").get_by_text("description: Scouts").click()
    page.keyboard.press("End")
    page.keyboard.type(" ever")
    expect(page.locator("[data-saved]")).to_have_text("Saved in your draft")
    site.publish({**FILES, "20-head.yaml": HEAD.replace("contains: t1", "contains: t2")}, "anna", "T2 too")
    page.keyboard.type(" again")
    expect(page.locator("[data-overtaken]")).to_contain_text("anna published 2 while you were writing: T2 too")
    page.locator("[data-overtaken]").get_by_role("link").click()
    expect(page.get_by_role("group", name="10-scouts.yaml")).to_contain_text("you changed it")
    expect(page.get_by_role("group", name="20-head.yaml")).to_contain_text("they changed it")
    page.get_by_role("button", name="Put my changes on what is in use").click()
    expect(page.get_by_role("status").first).to_contain_text("stands on what is in use")
    page.get_by_role("button", name="Simulate").click()
    expect(page.locator(".sentence")).to_contain_text("would change none")
    page.get_by_label("Reason").fill("clearer words")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("status").first).to_contain_text("Published")
    assert "contains: t2" in site.in_use["20-head.yaml"]
    assert "ever again" in site.in_use["10-scouts.yaml"]
    visit.demand_quiet()


def test_a_draft_that_is_open_in_two_windows_loses_nothing(browser: Browser, site: RuleSite) -> None:
    with Visitor(browser, site.base).window() as one, Visitor(browser, site.base).window() as other:
        first, second = edited(one, "scouts"), edited(other, "scouts")
        for page, words in ((first, " one"), (second, " two")):
            page.locator(".cm-content").get_by_text("description: Scouts").click()
            page.keyboard.press("End")
            page.keyboard.type(words)
            if page is first:
                expect(page.locator("[data-saved]")).to_have_text("Saved in your draft")
        panel = second.locator("[data-conflict]")
        expect(panel.locator("[data-side=theirs]")).to_contain_text("segmented one")
        expect(panel.locator("[data-side=mine]")).to_contain_text("segmented two")
        panel.get_by_role("button", name="Keep mine").click()
        expect(second.locator("[data-saved]")).to_have_text("Saved in your draft")
        first.reload()
        expect(first.locator(".cm-content")).to_contain_text("segmented two")
        other.demand_quiet()


def test_rules_are_reordered_by_keyboard_and_by_drag_and_switched_off(visit: Visit, site: RuleSite) -> None:
    def names() -> list[str]:
        found: list[str] = page.locator("table.rules tbody tr").evaluate_all(
            "rows => rows.map(row => row.dataset.name)"
        )
        return found

    page = visit.open("/admin/rules")
    button = page.get_by_role("button", name="Move head up")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("The order was changed")
    assert names() == ["head", "scouts", "tumour"]
    expect(page.get_by_role("link", name="head", exact=True)).to_be_focused()
    page.locator("tr[data-name=tumour]").drag_to(page.locator("tr[data-name=head]"), target_position={"x": 300, "y": 4})
    expect(page.get_by_role("link", name="tumour", exact=True)).to_be_focused()  # by the page that was made anew
    assert names() == ["tumour", "head", "scouts"]
    page.get_by_role("button", name="Turn scouts off in your draft").click()
    expect(page.get_by_role("button", name="Turn scouts on in your draft")).to_be_visible()
    assert site.in_use == FILES
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.get_by_role("status").first).to_contain_text("The draft was discarded")
    assert names() == ["scouts", "head", "tumour"]
    visit.demand_quiet()


def test_another_person_approves_and_what_was_before_comes_back_in_one_step(browser: Browser, bench: Bench) -> None:
    with rule_site(bench, approval=True) as site, Visitor(browser, site.base).window() as visit:
        as_(visit, "anna", "author")
        page = visit.open("/admin/rules")
        page.get_by_role("button", name="Turn scouts off in your draft").click()
        page.get_by_role("link", name="Review and publish").click()
        page.get_by_role("button", name="Simulate").click()
        page.get_by_label("Reason").fill("they are wanted")
        page.get_by_role("button", name="Propose").click()
        expect(page.get_by_text("It is yours: another person")).to_be_visible()
        as_(visit, "bert", "approver")
        page = visit.open("/admin/rules")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("status").first).to_contain_text("The proposal is in use")
        assert site.number == 2
        page = visit.open("/admin/rules/-/history")
        page.get_by_role("button", name="Compare the two").click()
        expect(page.locator(".diff--more").last).to_contain_text("active: false")
        page = visit.open("/admin/rules/-/history")
        page.get_by_role("button", name="Roll back").click()
        page.get_by_role("dialog").get_by_label("Reason").fill("they were not")
        page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
        expect(page.get_by_role("status").first).to_contain_text("Publication 1 is in use again")
        assert site.in_use == FILES
        visit.demand_quiet()


def test_files_are_imported_and_a_draft_is_put_into_the_shadow(visit: Visit, site: RuleSite) -> None:
    page = visit.open("/admin/rules")
    page.get_by_role("button", name="Import files").click()
    file: FilePayload = {
        "name": "50-knee.yaml",
        "mimeType": "text/yaml",
        "buffer": b"name: knee\nwhen: {BodyPartExamined: KNEE}\nthen: [ignore]\n",
    }
    page.get_by_label("YAML files, one rule each").set_input_files([file])
    page.get_by_role("dialog").get_by_role("button", name="Import files").click()
    expect(page.get_by_role("link", name="knee", exact=True)).to_be_visible()
    page = visit.open("/admin/rules/-/shadow")
    page.get_by_role("button", name="Put my draft into the shadow").click()
    expect(page.locator(".sentence")).to_contain_text("would have treated 0 of 0 series otherwise")
    page.get_by_role("button", name="Take it out of the shadow").click()
    expect(page.get_by_role("heading", name="Nothing is in the shadow")).to_be_visible()
    visit.demand_quiet()


def test_a_viewer_sees_everything_and_changes_nothing(visit: Visit, site: RuleSite) -> None:
    as_(visit, "eve", "viewer")
    page = visit.open("/admin/rules")
    expect(page.get_by_role("link", name="head", exact=True)).to_be_visible()
    expect(page.locator("form[data-api], [data-move], [data-dialog]")).to_have_count(0)
    page = edited(visit, "head")
    expect(page.get_by_text("Your account may look at rules, not change them")).to_be_visible()
    expect(page.locator(".cm-content")).to_have_attribute("contenteditable", "false")
    expect(page.get_by_label("Description", exact=True)).to_be_disabled()
    answer = page.evaluate(
        "fetch('/api/v1/rules/draft/files/20-head.yaml?revision=0', {method: 'PUT', body: '{\"text\": \"\"}',"
        " headers: {'Content-Type': 'application/json'}}).then(answer => answer.status)"
    )
    assert (answer, site.in_use) == (403, FILES)
    visit.demand_quiet()
