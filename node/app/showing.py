"""Showing: the board, models and what jobs found, for API and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from fastapi import APIRouter

from node.adapters.database import Database, leases
from node.adapters.files import Files
from node.adapters.triton import read_repository
from node.app.clock import Clock
from node.app.places import Places
from node.app.roles import Role
from node.config import Settings
from node.core.card import Card
from node.errors import BadConfiguration
from node.pipeline.archive import Archive
from node.pipeline.board import Board
from node.pipeline.board.reporting import report_models, sample_disk
from node.pipeline.cards import Look
from node.pipeline.models import Models
from node.pipeline.rule_sets.in_use import InUse
from node.web.api.board import Watched, board_router
from node.web.api.models import models_router
from node.web.api.results import Findings, results_router
from node.web.pages import Pages
from node.web.pages.board import board_pages
from node.web.pages.job import job_pages
from node.web.pages.models import models_pages
from node.worker import BoardTeller


class Showing:
    """What a process shows of the whole node."""

    def __init__(
        self,
        places: Places,
        database: Database,
        archive: Archive,
        board: Board,
        clock: Clock,
        cards: Mapping[str, Card],
    ) -> None:
        self._board = board
        self._watched = Watched(self._board)
        self._look = Look(database, lambda: cards, InUse(database), clock)
        self._findings = Findings(database, archive, lambda: cards, lambda: places.settings().destination_names)

    def routers(self) -> list[APIRouter]:
        """Below /api/v1."""
        return [
            board_router(self._board, self._watched),
            models_router(self._look),
            results_router(self._findings),
        ]

    def beside(self, others: Callable[[Pages], Sequence[APIRouter]]) -> Callable[[Pages], Sequence[APIRouter]]:
        """Below /admin, with other pages."""

        def shown(pages: Pages) -> list[APIRouter]:
            return [
                *others(pages),
                board_pages(pages, self._board),
                models_pages(pages, self._look),
                job_pages(pages, self._findings),
            ]

        return shown

    def leave(self) -> None:
        """End the streams that go on as long as somebody listens."""
        self._watched.stop()


def build_teller(
    settings: Settings, database: Database, files: Files, models: Models | None, clock: Clock, role: Role
) -> BoardTeller | None:
    """What tells the board of this process; None where it has nothing to tell."""
    tell: list[Callable[[], object]] = []
    if models:
        tell.append(lambda: report_models(database, settings.process_id, models, clock()))
    if role.receives:
        alone = partial(leases.hold, database, "disk samples", settings.process_id)
        tell.append(lambda: alone() and sample_disk(database, files.room, clock()))
    return BoardTeller(tell, clock) if tell else None


def cards_of(settings: Settings, models: Models | None) -> Mapping[str, Card]:
    """Of a process that infers; others read those on their own disk, and may have none."""
    if models:
        return models.cards
    try:
        return {model.card.name: model.card for model in read_repository(settings.triton.models)}
    except BadConfiguration:
        return {}
