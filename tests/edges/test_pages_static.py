"""What pages bring to the browser: our own files and vendored ones, and the headers around them."""

from __future__ import annotations

import gzip
import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from node.web import Web
from node.web.pages import Pages, page_routes
from node.web.pages.security import POLICY
from node.web.pages.static import FOLDER
from node.web.pages.trace import Studies, trace_pages
from tests.clock import Clock
from tests.receiving import Store

VENDOR = FOLDER / "vendor"


@pytest.fixture
def pages() -> Pages:
    return Pages(Clock(datetime(2026, 1, 5, 12, tzinfo=UTC)), "MRICORE")


@pytest.fixture
def site(pages: Pages, store: Store) -> Iterator[httpx.Client]:
    web = Web(page_routes(pages, [trace_pages(pages, Studies(store.database, list))]), leaving=pages.live.stop)
    port = web.start("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
        yield client
    web.stop()


def test_vendored_parts_are_as_they_were_published_and_have_their_licence() -> None:
    listed = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))
    for part in listed.values():
        assert hashlib.sha512((VENDOR / part["file"]).read_bytes()).hexdigest() == part["sha512"]
        assert (VENDOR / part["licence_file"]).is_file()
    named = {name for part in listed.values() for name in (part["file"], part["licence_file"])}
    assert {path.name for path in VENDOR.iterdir()} == named | {"vendor.toml"}


def test_a_static_file_is_kept_for_ever_under_an_address_that_names_its_content(
    pages: Pages, site: httpx.Client
) -> None:
    answer = site.get(pages.static.address("base.css"), headers={"Accept-Encoding": "identity"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == (FOLDER / "base.css").read_bytes()
    packed = site.get(pages.static.address("base.css"))
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(gzip.compress(answer.content)) + 20
    older = site.get("/admin/static/0000000000000000/base.css")
    assert (older.status_code, older.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["nothing.css", "vendor/vendor.toml", "../pages.py", "%2e%2e/pages.py", "a%00b.css"])
def test_no_other_file_is_served(site: httpx.Client, name: str) -> None:
    assert site.get(f"/admin/static/0/{name}").status_code == 404


def test_a_page_is_not_kept_and_runs_nothing_but_our_files(site: httpx.Client) -> None:
    answer = site.get("/admin/")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_root_leads_to_the_pages(site: httpx.Client) -> None:
    assert site.get("/").headers["location"] == "/admin/"
    assert site.get("/admin").headers["location"] == "/admin/"


def test_what_is_not_there_is_said_on_a_page(site: httpx.Client) -> None:
    answer = site.get("/admin/nothing/here")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing at this address" in answer.text
    assert answer.headers["content-security-policy"] == POLICY


def test_a_form_that_is_sent_before_its_script_is_there_writes_nothing_into_an_address() -> None:
    """A password or a patient's name would stand in the history of the browser and in a proxy's log."""
    forms = {
        (path.name, tag)
        for path in (FOLDER.parent / "templates").rglob("*.html")
        for tag in re.findall(r"<form\b[^>]*", path.read_text(encoding="utf-8"))
    }
    assert len(forms) > 30
    asking = {name for name, tag in forms if 'method="dialog"' not in tag}
    assert asking == {"audit.html", "history.html"}  # numbers and kinds of events; no patient
