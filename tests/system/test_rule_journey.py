"""From a held series to its overlay, on the pages of a whole node: the phantom, Triton, a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from node.adapters.database import trace
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.app.node import Node
from node.config import Settings
from node.core import phantom
from node.core.results import to_bytes
from node.core.states import SeriesState
from node.errors import BadConfiguration
from tests.bench import until
from tests.browser import Visitor
from tests.replicas import middle_last

KNEES = "name: knees\nwhen: {BodyPartExamined: KNEE}\non_unknown: no-match\nthen: [{infer: mri_core_head}]\n"
SCANNER = "SCANNER"
_IS_DRAWN = "image => image.decode().then(() => image.naturalWidth > 0)"
WHEN = datetime(2026, 1, 5, 9, 30)  # noqa: DTZ001 # DICOM has no zone here


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "10-knees.yaml").write_text(KNEES)
    settings = {
        "node": {"data_dir": tmp_path / "node", "stop_seconds": 5},
        "dicom": {"host": "127.0.0.1", "port": 0, "accept": "listed"},
        "http": {"port": 0},
        "storage": {"low_watermark": "50 MB"},
        "completion": {"quiet_seconds": 1, "grid_seconds": 0.5, "settle_seconds": 0.2, "longest_seconds": 60},
        "rules": {"directory": rules},
        "source": [{"name": "scanner", "ae_title": SCANNER, "hosts": ["127.0.0.1"]}],
        "destination": [{"name": "share", "kind": "folder", "path": tmp_path / "share"}],
    }
    running = Node(Settings.model_validate(settings))
    try:
        running.start()
    except BadConfiguration as absent:
        running.stop()
        pytest.skip(str(absent))
    try:
        yield running
    finally:
        running.stop()


def sent(node: Node, folder: Path) -> str:
    """A phantom head, sent by C-STORE; its SeriesInstanceUID once it is held."""
    made = list(phantom.instances(phantom.voxels(), when=WHEN))
    files = []
    for number, ds in enumerate(middle_last(made)):
        path = folder / f"{number}.dcm"
        path.write_bytes(to_bytes(ds))
        files.append((path, read_file_head(path)))
    peer = Peer(node.settings.node.ae_title, "127.0.0.1", node.dicom_port, SCANNER)
    assert all(one.status == 0 for one in send(peer, files))
    uid = str(made[0].SeriesInstanceUID)

    def is_held() -> bool:
        line = trace.line(node.database, uid)
        return line is not None and line.state == SeriesState.HELD

    until(is_held, "the series is held: no rule takes a head")
    return uid


def test_a_held_series_becomes_a_rule_a_publication_a_job_and_an_overlay(
    browser: Browser, node: Node, tmp_path: Path
) -> None:
    uid = sent(node, tmp_path)
    with Visitor(browser, f"http://127.0.0.1:{node.http_port}").window() as visit:
        page = visit.open(f"/admin/rules/-/why?series={uid}")
        expect(page.get_by_role("row", name="knees not matched")).to_contain_text("HEAD")
        page.get_by_role("link", name="Make a rule from it").click()
        page.get_by_role("button", name="Put it into my draft").click()
        expect(page.locator("[data-matches]")).to_contain_text("matches 1 of 1 series")
        expect(page.locator(".cm-content")).to_contain_text("deliver: [share]")
        page.get_by_role("link", name="Review and publish").first.click()
        page.get_by_role("button", name="Simulate").click()
        expect(page.locator(".sentence")).to_contain_text("+1 mri_core_head, \N{MINUS SIGN}1 held")
        page.get_by_label("Reason").fill("heads are wanted too")
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_role("status").first).to_contain_text("Published")

        page = visit.open(f"/admin/series?uid={uid}")
        page.get_by_role("button", name="Reprocess").first.click()
        page.get_by_role("dialog").get_by_label("Reason").fill("there is a rule for it now")
        page.get_by_role("dialog").get_by_role("button").first.click()
        overlay = page.get_by_role("link", name="Overlay").first
        expect(overlay).to_be_visible()
        address = visit.base + str(overlay.get_attribute("href"))

        def drawn() -> bool:
            page.goto(address)  # anew: the link may be there before the segmentation is in the index
            pictures = page.locator("img[src*='overlay=']")
            # What the page shows can be drawn: it decodes, or this fails.
            return pictures.count() > 0 and bool(pictures.first.evaluate(_IS_DRAWN))

        until(drawn, "the overlay")
        # The overlay is there before the last result is where it goes; a file has another name until it is whole.
        share = tmp_path / "share"
        until(lambda: sorted(path.name[:3] for path in share.rglob("*")) == ["seg", "sr-"], "both results")
        assert visit.dialogs == []
