"""In a real browser the viewer shows what the SEG says, on the right pixels and with no click; and the SR's values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.adapters.database import jobs as rows
from node.adapters.database.index import Index
from node.adapters.decoding import Decoder
from node.adapters.imaging import Imaging
from node.adapters.objects import ResultFiles
from node.adapters.triton import StillWanted
from node.core.card import Card
from node.core.states import JobState
from node.pipeline.archive import Archive, Indexing
from node.pipeline.models import Judged
from node.pipeline.overlay import overlay
from node.web import Web, dicomweb_routes, viewer_routes
from tests.bench import Bench, decoder, on_bench
from tests.browser import Visitor, browser
from tests.fakes import FakeModels
from tests.ohif import installed
from tests.synthetic import Grid, mr_series

__all__ = ["browser", "decoder"]

_PATIENCE_S = 150.0
_COLOURED = 40  # difference between the channels of a pixel that an overlay lies on


class TwoBoxes(FakeModels):
    """A box of each of two segments, so that a frame that is read askew is seen."""

    def infer(
        self,
        card: Card,
        slices: NDArray[np.uint16],
        request_id: str,
        still_wanted: StillWanted,
        images: str = "",
        judged: Judged = lambda _: None,
        others: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    ) -> NDArray[Any]:
        labels = np.zeros(slices.shape, np.uint8)
        high, wide = slices.shape[1:]
        labels[:, high // 8 : high // 2, wide // 2 : wide * 5 // 6] = 1
        labels[:, high * 5 // 8 : high * 7 // 8, wide // 8 : wide * 3 // 8] = 2
        return labels


@dataclass(frozen=True)
class Shown:
    """A served job and what its files say."""

    base: str
    job_id: int
    seg: Dataset
    sr: Dataset


Serve = Callable[[int], Shown]


@pytest.fixture
def serve(tmp_path: Path, decoder: Decoder) -> Iterator[Serve]:
    viewer = installed()
    with ExitStack() as closing:

        def begin(size: int) -> Shown:
            bench = closing.enter_context(on_bench(tmp_path, decoder))
            bench.models = TwoBoxes()
            job = bench.complete(grey(size))
            assert bench.attempt() == "delivered to out"
            assert rows.finish(bench.store.database, job.id, JobState.COMPLETED, "delivered to out", bench.clock())
            base = served(closing, bench, viewer)
            made = {kind: dcmread(BytesIO(content)) for kind, content in bench.out.taken}
            return Shown(base, job.id, made["SEG"], made["SR"])

        yield begin


def grey(size: int) -> list[Dataset]:
    """Images without black, so that their border on the screen is seen."""
    # An odd number, so that the first frame of the second segment begins in the middle of a byte where 86 x 86 does.
    series = mr_series(Grid(slices=11, rows=size, columns=size, pixel_spacing=(1.0, 1.0)), name=f"grey {size}")
    for ds in series:
        ds.WindowCenter, ds.WindowWidth = 1000, 2000
        ramp = np.linspace(800, 1200, size * size, dtype="<u2").reshape(size, size)
        ds.PixelData = ramp.tobytes()
    return series


def served(closing: ExitStack, bench: Bench, viewer: Path) -> str:
    results = ResultFiles(bench.store.folder / "results")

    def path_of(store: str, name: str) -> Path:
        return bench.store.files.path(name) if store == "instances" else results.path(name)

    index = Index(f"sqlite:///{bench.store.folder / 'index.db'}")
    closing.callback(index.close)
    index.migrate()
    imaging = closing.enter_context(Imaging())
    indexing = Indexing(bench.store.database, index, imaging, path_of, bench.clock, "MRICORE")
    while indexing.step():
        pass
    archive = Archive(index, imaging, path_of)
    find = partial(overlay, bench.store.database, archive)
    web = Web([*dicomweb_routes(None, 1, archive), *viewer_routes(viewer, find)])
    closing.callback(web.stop)
    return f"http://127.0.0.1:{web.start('127.0.0.1', 0)}"


def until(page: Page, what: Callable[[], bool], words: str) -> None:
    give_up = monotonic() + _PATIENCE_S
    while not what():
        assert monotonic() < give_up, f"never came: {words}"
        page.wait_for_timeout(250)


def viewport(page: Page, kept: Path) -> NDArray[np.uint8]:
    """The first viewport as it is on the screen."""
    content = page.locator("canvas.cornerstone-canvas").first.screenshot(path=kept)
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"))


def coloured(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    channels = picture.astype(np.int16)
    return np.asarray(channels.max(axis=2) - channels.min(axis=2) > _COLOURED)


def mask_of(seg: Dataset, number: int) -> NDArray[np.bool_]:
    """Of a segment; it is the same on all slices."""
    frames = seg.pixel_array
    mine = [
        frame > 0
        for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True)
        if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number
    ]
    assert mine
    assert all((one == mine[0]).all() for one in mine)
    return np.asarray(mine[0])


def on_screen(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The colours at the middles of pixels of a square image, which fills the viewport's height.

    Without those near its upper and lower end, where the viewer's questions and notices lie.
    """
    high, wide = picture.shape[:2]
    side = min(high, wide)
    at = (np.argwhere(mask) + 0.5) * side / len(mask) + ((high - side) / 2, (wide - side) / 2)
    at = at[(at[:, 0] > 0.15 * high) & (at[:, 0] < 0.85 * high)].astype(int)
    assert len(at) > 20
    return np.asarray(picture[at[:, 0], at[:, 1]])


def inner(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without its rim: where a pixel ends on the screen is a matter of rounding."""
    found = mask.copy()
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            found &= np.roll(mask, step, axis)
    return found


def shows_overlay(picture: NDArray[np.uint8], seg: Dataset) -> bool:
    """Each segment on its pixels and on no others, in a colour of its own."""
    masks = [mask_of(seg, number) for number in (1, 2)]
    seen = [on_screen(picture, inner(mask)) for mask in masks]
    beside = on_screen(picture, inner(~np.logical_or(*masks)))
    hues = [colours.astype(float).mean(axis=0) - colours.mean() for colours in seen]
    return bool(
        all(coloured(colours[None]).all() for colours in seen)
        and coloured(beside[None]).mean() < 0.01
        and np.abs(hues[0] - hues[1]).max() > _COLOURED / 2
    )


@pytest.mark.parametrize("size", [86, 256])
def test_a_link_to_a_job_shows_its_segments_on_the_right_pixels(
    browser: Browser, serve: Serve, size: int, tmp_path: Path
) -> None:
    shown = serve(size)
    assert shown.seg.SegmentationType == "BINARY"
    with Visitor(browser, shown.base).window() as visit:
        page = visit.open(f"/view/jobs/{shown.job_id}")
        page.locator("canvas.cornerstone-canvas").first.wait_for()
        seen = tmp_path / "seen.png"  # for who looks into a failure
        until(page, lambda: shows_overlay(viewport(page, seen), shown.seg), f"the overlay: {seen}")
        assert visit.outside == []


def numbers(item: Dataset) -> Iterator[float]:
    """Every measured value of a structured report."""
    for measured in item.get("MeasuredValueSequence", ()):
        yield float(measured.NumericValue)
    for below in item.get("ContentSequence", ()):
        yield from numbers(below)


def test_the_values_of_the_sr_stand_beside_its_outlines(browser: Browser, serve: Serve) -> None:
    shown = serve(64)
    asked = f"StudyInstanceUIDs={shown.sr.StudyInstanceUID}&initialSeriesInstanceUID={shown.sr.SeriesInstanceUID}"
    values = [f"{value:.2f}" for value in numbers(shown.sr)]
    assert len(values) >= 8
    with Visitor(browser, shown.base).window() as visit:
        page = visit.open(f"/ohif/viewer?{asked}")
        until(page, lambda: all(value in page.locator("body").inner_text() for value in values), f"{values}")
        assert visit.outside == []
