"""Debian's Chromium for tests of pages: ask for `browser`. Skipped where it is not installed: apt-get install chromium

A page remembers what a visitor would not see: errors of scripts, what the content security policy stopped, dialogs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Route, expect, sync_playwright

CHROMIUM = Path("/usr/lib/chromium/chromium")
PATIENCE_MS = 120_000  # a loaded machine
WIDE, NARROW = 1440, 320  # WCAG 2.2, 1.4.10 Reflow: 320 CSS pixels, and so 1280 at 400 %
_FLAGS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu",
)  # fmt: skip
# A page that was followed to or made anew takes no pointer until its scripts have run: who presses a button of it waits
# for that, as Playwright does not by itself. Until then nobody listens.
_PATIENT = """
const seen = new MutationObserver(() => {
  if (!document.documentElement) return;
  seen.disconnect();
  document.documentElement.style.pointerEvents = "none";
});
if (document.readyState === "loading") seen.observe(document, { childList: true });
addEventListener("DOMContentLoaded", () => {
  seen.disconnect();
  document.documentElement.style.removeProperty("pointer-events");
});
"""
_AXE = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Visit:
    """A page in a browser of its own, and what happened behind it."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)  # of scripts, and what the policy stopped
    dialogs: list[str] = field(default_factory=list)  # alert() and the like: nobody of ours opens one
    outside: list[str] = field(default_factory=list)  # requests to other hosts

    def open(self, path: str) -> Page:
        """Go there and wait until it is loaded."""
        self.page.goto(self.base + path, wait_until="load")
        return self.page

    def until(self, what: Callable[[], object], words: str) -> None:
        """Wait for what happens here while the page goes on: requests that a test holds, and the like."""
        give_up = monotonic() + PATIENCE_MS / 1000
        while not what():
            assert monotonic() < give_up, f"never came: {words}"
            self.page.wait_for_timeout(50)

    def demand_quiet(self) -> None:
        """Nothing went wrong that a visitor would not have seen."""
        assert (self.faults, self.dialogs, self.outside) == ([], [], [])

    def demand_accessible(self) -> None:
        """axe-core finds nothing serious against WCAG 2.2 AA."""
        found = Axe().run(self.page, options=_AXE).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [_violation(one) for one in serious] == [], self.page.url

    def demand_fits(self) -> None:
        """It can be read without scrolling sideways."""
        wide, seen = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        if wide > seen:
            over = self.page.evaluate(
                "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
                ".slice(0, 5).map(e => e.outerHTML.slice(0, 120))"
            )
            raise AssertionError(f"{self.page.url} is {wide} wide in a window of {seen}: {over}")


@dataclass(frozen=True)
class Visitor:
    """Opens windows on one site."""

    browser: Browser
    base: str  # http://host:port

    @contextmanager
    def window(self, *, width: int = WIDE, dark: bool = False, **more: Any) -> Iterator[Visit]:
        """An empty profile: no cookie, nothing cached."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            timezone_id="Asia/Tokyo",
            **more,
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(_PATIENT)
        try:
            yield _watched(context, self.base)
        finally:
            context.close()


def _watched(context: BrowserContext, base: str) -> Visit:
    visit = Visit(context.new_page(), base)

    def answer(dialog: Dialog) -> None:
        visit.dialogs.append(dialog.message)
        dialog.dismiss()

    def let_home(route: Route) -> None:
        if route.request.url.startswith((base, "data:")):
            route.continue_()
        else:
            visit.outside.append(route.request.url)
            route.abort()

    context.route("**/*", let_home)
    visit.page.on("dialog", answer)
    visit.page.on("pageerror", lambda error: visit.faults.append(str(error)))
    visit.page.on("console", lambda said: visit.faults.append(said.text) if _is_fault(said.type, said.text) else None)
    return visit


def _is_fault(kind: str, text: str) -> bool:
    """A refusal of the API is an answer, and the browser writes it down as an error nevertheless."""
    return kind == "error" and not text.startswith("Failed to load resource: the server responded with")


def _violation(one: dict[str, Any]) -> str:
    return f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]} {one['nodes'][0].get('failureSummary')}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("needs the Debian package chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(_FLAGS), timeout=PATIENCE_MS)
        yield opened
        opened.close()
