"""A node for tests of pages: jobs of one patient over three years, an archive behind them, and some trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select

from node.adapters.database import model_reports, processes, senders
from node.adapters.database.conclusion_tables import likeness
from node.adapters.database.deliveries import step
from node.adapters.database.tables import job
from node.adapters.decoding import Decoder
from node.core import phantom
from node.core.access import LOCAL, Actor
from node.core.breaker import Breaker
from node.core.ood import Oddity
from node.core.phantom import Phantom
from node.pipeline.archive import Archive
from node.pipeline.board import Board, KnownSource, Site
from node.pipeline.board.reporting import sample_disk
from node.pipeline.cards import Look
from node.pipeline.forms import Choice
from node.pipeline.gate import Gate, Slots
from node.pipeline.rerouting import Rerouting
from node.web import Web, api_routes
from node.web.api.board import Watched, board_router
from node.web.api.job_actions import job_actions_router
from node.web.api.jobs import jobs_router
from node.web.api.models import models_router
from node.web.api.results import Findings, results_router
from node.web.pages import Pages, page_routes
from node.web.pages.board import board_pages
from node.web.pages.job import job_pages
from node.web.pages.models import models_pages
from tests.bench import Bench, on_bench
from tests.edges.test_board import REPORT
from tests.edges.test_findings import archive_of, asking, finished
from tests.fakes import CARD, FakeModels

HOSTILE = "\"><script>alert(1)</script>{{ 7 * 7 }}'--"
_GRID = phantom.Grid(slices=16, rows=128, columns=128, pixel_spacing=(1.875, 1.875), slice_spacing=9.0)


class TrueModels(FakeModels):
    """Knows the truth of a phantom, and gives up a little of the brain when told."""

    def __init__(self, of: Phantom) -> None:
        super().__init__()
        self._of, self.less = of, 0

    def infer(self, *given: Any, **named: Any) -> NDArray[np.uint8]:
        super().infer(*given, **named)
        brain = self._of.brain & (np.arange(self._of.grid.rows)[None, :, None] > 30 + self.less)
        return np.asarray(self._of.head * 1 + brain * 2, np.uint8)


@dataclass(frozen=True)
class Shown:
    """What was made."""

    bench: Bench
    archive: Archive
    jobs: tuple[int, ...]  # the oldest first

    @contextmanager
    def served(self, actor: Actor = LOCAL) -> Iterator[str]:
        """The pages and the API for one actor: the address to begin with."""
        bench, clock = self.bench, self.bench.clock
        database = bench.store.database
        gate = Gate(database, clock, {}, {}, Slots())
        site = Site(
            gate,
            destinations=lambda: ["out", "archive"],
            sources=lambda: [KnownSource("MR 1", "dicom", "SCANNER"), KnownSource("old archive", "orthanc", "old")],
            models=lambda: [CARD.name],
            room=lambda: 120 * 10**9,
        )
        board = Board(database, site, clock)
        look = Look(database, lambda: {CARD.name: CARD}, lambda: bench.rule_set, clock)
        about = Findings(database, self.archive, lambda: {CARD.name: CARD}, lambda: ["out", "archive"])
        rerouting = Rerouting(database, lambda: ["out", "archive"], Choice(database, {}), clock)
        pages, watched = Pages(clock, "MRICORE"), Watched(board)
        api = [
            board_router(board, watched), models_router(look), results_router(about), jobs_router(database, clock, {}),
            job_actions_router(database, rerouting, clock),
        ]  # fmt: skip
        below = [board_pages(pages, board), models_pages(pages, look), job_pages(pages, about)]

        def leave() -> None:
            pages.live.stop()
            watched.stop()

        web = Web([*api_routes(api), *page_routes(pages, below)], access=asking(actor), leaving=leave)
        try:
            yield f"http://127.0.0.1:{web.start('127.0.0.1', 0)}"
        finally:
            web.stop()


@contextmanager
def shown(folder: Path, decoder: Decoder) -> Iterator[Shown]:
    """Three jobs of one patient, one a year, and a node that has seen some trouble."""
    truth = phantom.voxels(_GRID)
    with ExitStack() as stack:
        bench = stack.enter_context(on_bench(folder, decoder))
        archive, indexing = stack.enter_context(archive_of(bench))
        models = TrueModels(truth)
        bench.models = models
        made = []
        for year, percentile in enumerate((35.0, 62.0, 97.0)):
            models.less, models.oddity = 4 * year, Oddity(0.4, percentile, "abc")
            series = phantom.instances(
                truth,
                when=bench.clock(),
                seed=f"year {year}",
                patient_name="Yamada^Tarou=山田^太郎",
                patient_id="P7",
                accession_number=f"A{4711 + year}",
                series_description=HOSTILE if year == 0 else "T1 PHANTOM",
            )
            made.append(finished(bench, series))
            bench.clock.advance(365 * 86_400)
        bench.clock.at = bench.clock.at - timedelta(days=364)
        while indexing.step():
            pass
        _trouble(bench, made[-1])
        yield Shown(bench, archive, tuple(made))


def _usual_jobs(bench: Bench, like: int) -> None:
    """As rows only: what else the model did in the last weeks."""
    generator = np.random.default_rng(7)
    with bench.store.database.transaction() as connection:
        row = dict(connection.execute(select(job).where(job.c.id == like)).one()._mapping)
        for number in range(60):
            at = bench.clock() - timedelta(days=28 - number * 28 / 60)
            new = {**row, "id": 1000 + number, "volume": f"EchoTime={number}", "created_at": at}
            connection.execute(insert(job).values(**new))
            percentile = min(100.0, float(generator.uniform(0, 100)) + (number > 45) * 25)
            told = {"job_id": 1000 + number, "score": 0.4, "percentile": percentile, "calibration": "abc", "at": at}
            connection.execute(insert(likeness).values(**told))


def _trouble(bench: Bench, made: int) -> None:
    database, now = bench.store.database, bench.clock()
    processes.arrive(database, "node", now, "all")
    seen = replace(REPORT, model=CARD.name, at=now, canary_at=now - timedelta(seconds=20), requests=48)
    model_reports.keep(database, "node", [seen])
    failing = Breaker(4, now - timedelta(minutes=7), now + timedelta(minutes=5), "it does not answer")
    step(database, "archive", lambda _: failing)
    why = "SCANNER9 is not listed at 192.0.2.9"
    senders.note_sender(database, calling_ae="SCANNER", host="192.0.2.1", at=now, admitted=True, reason="")
    senders.note_sender(database, calling_ae="SCANNER9", host="192.0.2.9", at=now, admitted=False, reason=why)
    _usual_jobs(bench, made)
    for hour in range(48):
        moment = now - timedelta(hours=48 - hour)
        room = 120 * 10**9 + (48 - hour) * 300 * 10**6
        sample_disk(database, lambda room=room: room, moment)  # type: ignore[misc] # bound at once
