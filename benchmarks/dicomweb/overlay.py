"""From a link to the first overlay on the screen: OHIF served by this node and by Orthanc, in headless Chromium.

Both hold the same 35 images of 256 x 256 and the same SEG; the browser begins with an empty profile each time, the
servers are warm. Orthanc serves OHIF's files by its ServeFolders plugin; since that knows no addresses but those of
files, the viewer's first page is put under its link in the browser. Needs Debian's chromium, orthanc, orthanc-dicomweb.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Route, sync_playwright
from pydicom.dataset import Dataset

from benchmarks.dicomweb.servers import Server, node, orthanc
from node.core.results import encode
from node.core.results import to_bytes as as_file
from node.web.viewer import _CONFIGURATION
from tests.browser import _FLAGS, CHROMIUM
from tests.ohif import installed
from tests.results import origin, values_of, volume_of
from tests.synthetic import Grid, mr_series, to_bytes

_SEEN = """
(() => {
  const look = () => {
    for (const canvas of document.querySelectorAll("canvas.cornerstone-canvas")) {
      if (!canvas.width) continue;
      const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      let grey = 0, coloured = 0;
      for (let at = 0; at < all.length; at += 64) {
        const most = Math.max(all[at], all[at + 1], all[at + 2]), least = Math.min(all[at], all[at + 1], all[at + 2]);
        if (most - least > 40) coloured += 1; else if (most > 60) grey += 1;
      }
      const now = performance.now();
      if (grey > 500 && !window.imageAt) window.imageAt = now;
      if (grey > 500 && coloured > 300) { window.overlayAt = now; return; }
    }
    setTimeout(look, 30);
  };
  look();
})();
"""


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--quick", action="store_true")
    asked = reading.parse_args()
    viewer = installed()
    images = mr_series(Grid(slices=35, rows=256, columns=256), name="overlay")
    for ds in images:
        ds.WindowCenter, ds.WindowWidth = 1000, 2000
        ds.PixelData = np.linspace(800, 1200, 65536, dtype="<u2").tobytes()
    segmentation = _segmentation(images)
    files = [*map(to_bytes, images), as_file(segmentation)]
    link = f"/ohif/viewer?StudyInstanceUIDs={images[0].StudyInstanceUID}"
    link += f"&initialSeriesInstanceUID={segmentation.SeriesInstanceUID}"
    with tempfile.TemporaryDirectory(prefix="dicomweb-overlay-") as named:
        folder = Path(named)
        (folder / "node").mkdir()
        shutil.copytree(viewer, folder / "node" / "viewer")
        shutil.copytree(viewer, folder / "ohif")
        (folder / "ohif" / "app-config.js").write_text(f"window.config = {json.dumps(_CONFIGURATION)};\n")
        served = {"ServeFolders": {"/ohif": str(folder / "ohif")}}
        with orthanc(folder, served) as peer, node(folder) as ours, sync_playwright() as playwright:
            for server in (peer, ours):
                server.store(files)
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(_FLAGS))
            took: dict[str, list[tuple[float, float]]] = {peer.name: [], ours.name: []}
            for turn in range((2 if asked.quick else 7) + 1):
                for server in (peer, ours) if turn % 2 else (ours, peer):
                    seen = _seen(browser, server, link)
                    if turn:  # the first warms the servers
                        took[server.name].append(seen)
            browser.close()
    print(f"{'seconds, median (least to most)':34}{'first image':>24}{'overlay':>24}")
    for name, each in took.items():
        cells = []
        for column in (0, 1):
            some = sorted(one[column] for one in each)
            cells.append(f"{statistics.median(some):.2f} ({some[0]:.2f} to {some[-1]:.2f})")
        print(f"{name:34}{cells[0]:>24}{cells[1]:>24}")


def _segmentation(images: Sequence[Dataset]) -> Dataset:
    """A BINARY SEG of a box of each of two segments on every image, as the node makes it."""
    volume = volume_of(images)
    labels = np.zeros((len(images), 256, 256), np.uint8)
    labels[:, 32:128, 128:213], labels[:, 160:224, 32:96] = 1, 2
    found = encode(volume, images, labels, values_of(volume, images), origin(sources=images)).seg
    if found is None:
        raise SystemExit("no segmentation was made")
    return found


def _seen(browser: Browser, server: Server, link: str) -> tuple[float, float]:
    """Seconds from the begin of the navigation to the first image and to the overlay."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(_SEEN)
    base = f"http://127.0.0.1:{server.port}"
    if server.name == "Orthanc":

        def first_page(route: Route) -> None:
            route.fulfill(response=route.fetch(url=f"{base}/ohif/index.html"))

        page.route("**/ohif/viewer?*", first_page)
    page.goto(base + link, wait_until="commit")
    page.wait_for_function("window.overlayAt", timeout=120_000)
    found = page.evaluate("[window.imageAt, window.overlayAt]")
    context.close()
    return found[0] / 1000, found[1] / 1000
