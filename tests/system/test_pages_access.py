"""Signing in and what is one's own, in a browser: the first administrator, a user, a token, out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from node.core.access import Role
from tests.browser import NARROW, WIDE, Visit, Visitor
from tests.doors import PASSWORD, House, whole_house

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with whole_house(tmp_path_factory.mktemp("node")) as built:
        yield built


def sign_in(visit: Visit, name: str, path: str = "/admin/account") -> None:
    page = visit.open(path)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")


def test_from_the_code_on_the_console_to_a_user_who_may_only_look(home: House, browser: Browser) -> None:
    code = home.doors.signing_in.first_code()
    with Visitor(browser, home.url).window() as visit:
        page = visit.open("/admin/sign-in")
        page.get_by_role("link", name="Make the first one").click()
        page.get_by_label("Code").fill(code)
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Make the account").click()
        page.wait_for_url("**/admin/")
        page = visit.open("/admin/users")
        page.get_by_role("button", name="Add a user").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name", exact=True).fill("bernd")
        dialog.get_by_label("Sees patients' names").uncheck()
        dialog.get_by_label("Password").fill("too short")
        dialog.get_by_role("button", name="Add a user").click()
        expect(dialog).to_be_visible()  # the browser asks for more before anything is sent
        dialog.get_by_label("Password").fill(PASSWORD)
        dialog.get_by_role("button", name="Add a user").click()
        expect(page.get_by_role("row", name="bernd")).to_contain_text("names are masked")
        visit.demand_quiet()
    with Visitor(browser, home.url).window() as visit:
        sign_in(visit, "bernd")
        page = visit.page
        expect(page.get_by_role("link", name="Audit")).to_have_count(0)
        assert page.goto(f"{home.url}/admin/users").status == 403  # type: ignore[union-attr] # there is an answer
        page = visit.open("/admin/account")
        page.get_by_role("button", name="Sign out", exact=True).click()
        page.wait_for_url("**/admin/sign-in")
        visit.open("/admin/account")
        assert "/admin/sign-in" in visit.page.url
        visit.demand_quiet()


def test_a_token_is_shown_once(home: House, browser: Browser) -> None:
    home.add("anna", Role.ADMIN)
    with Visitor(browser, home.url).window() as visit:
        sign_in(visit, "anna")
        page = visit.page
        page.get_by_role("button", name="New token").click()
        page.get_by_label("For", exact=True).fill(HOSTILE)
        page.get_by_role("button", name="Make the token").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text(
            "Choose at least one thing that it may do."
        )
        page.get_by_role("dialog").get_by_label("look").check()
        page.get_by_role("button", name="Make the token").click()
        expect(page.locator("#secret-text")).to_contain_text("mricore_")
        secret = page.locator("#secret-text").inner_text()
        bearer = {"Authorization": f"Bearer {secret}"}
        assert home.client().get("/api/v1/jobs", headers=bearer).status_code == 200
        page.get_by_role("button", name="I have it").click()
        expect(page.get_by_role("row", name=HOSTILE)).to_be_visible()
        assert secret not in page.content()
        page.get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("revoked")).to_be_visible()
        assert home.client().get("/api/v1/jobs", headers=bearer).status_code == 401
        visit.demand_quiet()


def test_what_was_typed_stays_when_the_session_is_over_and_is_sent_after_signing_in_again(
    home: House, browser: Browser
) -> None:
    home.add("anna", Role.ADMIN)
    home.add("zoe", Role.ADMIN)
    with Visitor(browser, home.url).window() as visit:
        sign_in(visit, "anna", "/admin/users")
        page = visit.page
        page.get_by_role("button", name="Add a user").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name", exact=True).fill("bernd")
        dialog.get_by_label("Password").fill(PASSWORD)
        visit.page.context.clear_cookies()
        dialog.get_by_role("button", name="Add a user").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Your session is over")
        for name, said in (("zoe", "zoe is signed in in this browser now"), ("anna", "")):
            tab = page.context.new_page()
            sign_in(Visit(tab, home.url), name)
            tab.close()
            dialog.get_by_role("button", name="Add a user").click()
            if said:
                expect(dialog.get_by_role("alert")).to_contain_text(said)
                page.context.clear_cookies()
        expect(page.get_by_role("row", name="bernd")).to_be_visible()
        visit.demand_quiet()


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (NARROW, True)])
def test_anybody_can_use_these_pages_and_what_others_wrote_stays_text(
    home: House, browser: Browser, width: int, dark: bool
) -> None:
    home.add("anna", Role.ADMIN)
    home.add("bernd", Role.VIEWER, sees_patients=False)
    home.doors.people.change("bernd", role=Role.OPERATOR, sees_patients=None, reason=HOSTILE)
    with Visitor(browser, home.url).window(width=width, dark=dark, user_agent=HOSTILE) as visit:
        visit.open("/admin/sign-in")
        visit.demand_accessible()
        visit.demand_fits()
        sign_in(visit, "anna")
        expect(visit.page.get_by_text(HOSTILE).first).to_be_visible()
        for path in ("/admin/account", "/admin/users", "/admin/audit"):
            visit.open(path)
            visit.demand_accessible()
            visit.demand_fits()
        expect(visit.page.get_by_text(HOSTILE).first).to_be_visible()
        visit.demand_quiet()
