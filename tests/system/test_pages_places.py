"""Destinations and sources in a browser: add a PACS, test it, pause it; admit an unknown sender; drill."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from node.adapters.database import Database
from node.adapters.database import deliveries as delivery_rows
from node.adapters.database import places as rows
from node.adapters.database import rules as rule_rows
from node.adapters.database.sender_requests import Request
from node.adapters.database.sender_requests import note as note_request
from node.adapters.database.senders import is_admitted, note_sender
from node.app.keeping import build_places_routers
from node.app.keeping_pages import build_places_pages
from node.app.places import Places
from node.core.breaker import Breaker
from node.core.places import Family
from node.core.rules import version_of
from node.web import Web, api_routes
from node.web.pages import Pages, page_routes
from tests.browser import NARROW, WIDE, Visit, Visitor
from tests.clock import Clock
from tests.databases import migrated
from tests.delivering import Site
from tests.edges.test_destination_dicom import Pacs
from tests.keeping import settings_of
from tests.listening import now

FILE = {"name": "archive", "kind": "folder", "path": "/srv/results"}
RULE = """
name: outlines
priority: routine
when: {Modality: MR}
on_unknown: hold
then:
  - infer: mri_core_head
  - deliver: [archive]
"""
SR = "1.2.840.10008.5.1.4.1.1.88.34"
CLASSES = ("1.2.840.10008.1.1", SR, "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.2.2.1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = migrated(Database(f"sqlite:///{tmp_path / 'node.db'}"))
    yield opened
    opened.close()


@pytest.fixture
def visitor(browser: Browser, database: Database, tmp_path: Path) -> Iterator[Visitor]:
    source = {"name": "MR 1", "ae_title": "MR1", "hosts": ["10.0.0.7"]}
    places = Places(settings_of(tmp_path, destination=[FILE], source=[source], triton={"models": tmp_path}), database)
    pages = Pages(now, "MRICORE")
    routers = build_places_routers(places, database, now)
    web = Web(
        [*api_routes(routers), *page_routes(pages, build_places_pages(pages, places, database))],
        leaving=pages.live.stop,
    )
    port = web.start("127.0.0.1", 0)
    yield Visitor(browser, f"http://127.0.0.1:{port}")
    web.stop()


def shown_well(visitor: Visitor, path: str, name: str) -> None:
    """At both widths, light and dark: nothing serious for axe, nothing to scroll sideways."""
    for width in (WIDE, NARROW):
        for dark in (False, True):
            with visitor.window(width=width, dark=dark) as visit:
                visit.open(path)
                picture(visit, f"{name}-{width}-{'dark' if dark else 'light'}")
                visit.demand_fits()
                visit.demand_accessible()
                visit.demand_quiet()


def picture(visit: Visit, name: str) -> None:
    """For who looks: MRICORE_PICTURES names a folder."""
    if folder := os.environ.get("MRICORE_PICTURES"):
        visit.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_add_a_pacs_test_it_see_its_card_pause_and_resume(visitor: Visitor) -> None:
    with Pacs().on(*CLASSES) as pacs, visitor.window() as visit:
        page = visit.open("/admin/places")
        page.get_by_role("link", name="Add a destination").click()
        page.locator("#name").fill("PACS 2")
        page.locator("#key-ae_title").fill("PACS")
        page.locator("#key-host").fill("127.0.0.1")
        page.locator("#key-port").fill("70000")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[data-problem]")).to_contain_text("65535")
        page.locator("#key-port").fill(str(pacs.port))
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="PACS 2").click()
        expect(page.locator("#card")).to_contain_text("Not tested yet")
        page.get_by_role("button", name="Test now").click()
        expect(page.locator("#card")).to_contain_text("works")
        expect(page.locator("#card")).to_contain_text("a synthetic report of patient MRICORE-TEST was taken")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#standing")).to_contain_text("paused by local")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("#standing")).to_contain_text("nothing waits")
        visit.demand_quiet()
        shown_well(visitor, "/admin/places/destination/PACS 2", "place")
        shown_well(visitor, "/admin/places/destination/PACS 2/edit", "place-edit")
        page.get_by_role("button", name="Remove").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="Destinations and sources")).to_be_visible()
        expect(page.get_by_role("link", name="PACS 2")).to_have_count(0)


def test_a_second_pacs_stands_in_for_the_first(visitor: Visitor, database: Database) -> None:
    keys = {"kind": "dicom", "ae_title": "PACS2", "host": "10.0.0.20"}
    rows.add(database, rows.Row(Family.DESTINATION, "PACS 2", keys, {}, 0), "anna", now())
    with visitor.window() as visit:
        page = visit.open("/admin/places")
        page.get_by_role("link", name="Add a group").click()
        page.get_by_label("Name").fill("archive")
        page.get_by_label("First").select_option("PACS 2")
        page.get_by_label("Then, as number 2").select_option("PACS 2")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[data-problem]")).to_contain_text("there is a destination archive already")
        page.get_by_label("Name").fill("any-pacs")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[data-problem]")).to_contain_text("name one twice")
        page.get_by_label("Then, as number 2").select_option("archive")
        page.get_by_role("button", name="Save").click()
        members = page.get_by_role("row", name="any-pacs").get_by_role("listitem")
        expect(members).to_contain_text(["PACS 2", "archive"])
        visit.demand_quiet()
        shown_well(visitor, "/admin/places", "places-group")
        shown_well(visitor, "/admin/places/group/any-pacs", "group")
        shown_well(visitor, "/admin/places/group/any-pacs/edit", "group-edit")
        visit.open("/admin/places/destination/any-pacs")  # where a delivery leads that no member took yet
        expect(page).to_have_url(re.compile("/admin/places/group/any-pacs$"))
        page.get_by_role("link", name="Edit").click()
        expect(page.get_by_label("First")).to_have_value("PACS 2")
        page.get_by_label("First").select_option("archive")
        page.get_by_label("Then, as number 2").select_option("PACS 2")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("ol.order").first).to_have_text(re.compile("archive.*PACS 2", re.DOTALL))
        page.get_by_role("link", name="PACS 2").click()
        expect(page.locator("dl.facts").get_by_role("link", name="any-pacs")).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="Remove").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="Destinations and sources")).to_be_visible()
        expect(page.get_by_role("link", name="any-pacs")).to_have_count(0)
        visit.demand_quiet()


def test_a_destination_says_what_waits_and_leads_to_its_rules_and_is_tried_when_it_is_resumed(
    visitor: Visitor, database: Database, tmp_path: Path
) -> None:
    files = {"a.yaml": RULE}
    rule_rows.keep(database, version_of(files), files, author="anna", reason="", now=now())
    rule_rows.publish(database, rule_rows.ToPublish(version_of(files), "anna", "", "publish"), 0, now())
    Site(database, tmp_path, Clock(now() - timedelta(minutes=20))).job("archive")
    failing = Breaker(3, now(), now() + timedelta(minutes=9), "the folder is away")
    delivery_rows.step(database, "archive", lambda _before: failing)
    with visitor.window() as visit:
        page = visit.open("/admin/places/destination/archive")
        expect(page.get_by_role("link", name="outlines")).to_have_attribute("href", "/admin/rules/outlines")
        standing = page.locator("#standing")
        expect(standing).to_contain_text(re.compile(r"The oldest came \d+m ago"))
        page.get_by_role("button", name="Pause").press("Enter")
        expect(standing).to_contain_text("paused by local, 2 queued")
        expect(page.locator("main")).to_be_focused()  # who is at the keyboard goes on from here, not from the top
        page.get_by_role("button", name="Resume").click()
        expect(standing).to_contain_text("2 queued, next try now (the folder is away)")
        visit.demand_quiet()


def test_an_unknown_sender_is_admitted(visitor: Visitor, database: Database) -> None:
    note_sender(database, calling_ae="MR_NEW", host="10.0.0.9", at=now(), admitted=False, reason="not listed")
    note_request(database, "MR_NEW", "10.0.0.9", Request("MRICORE", "", ("1.2.840.10008.5.1.4.1.1.4",)))
    shown_well(visitor, "/admin/places", "places")
    with visitor.window() as visit:
        page = visit.open("/admin/places")
        row = page.get_by_role("row", name="MR_NEW")
        expect(row).to_contain_text("MR Image Storage")
        row.get_by_role("button", name="Admit").click()
        expect(page.locator("#messages")).to_contain_text("MR_NEW may send from 10.0.0.9 now")
        for path in ("/admin/places/source/MR 1", "/admin/places/add/source?kind=dicom"):
            visit.open(path)
            visit.demand_accessible()
        visit.demand_quiet()
    assert is_admitted(database, "MR_NEW", "10.0.0.9")


def test_the_page_of_check_and_drill_is_for_everybody(visitor: Visitor) -> None:
    shown_well(visitor, "/admin/drill", "drill")
    with visitor.window() as visit:
        page = visit.open("/admin/drill")
        page.get_by_role("button", name="Check now").click()
        expect(page.locator("#checked")).to_contain_text("disk of data")
        page.get_by_role("button", name="Run the drill").click()
        expect(page.locator("form [data-problem]").last).to_contain_text("no model")
        picture(visit, "drill-checked-1440-light")
        visit.demand_accessible()
