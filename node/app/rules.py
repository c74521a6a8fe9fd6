"""Rules: versions, what is in use, and what is kept to try others on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import structlog
from fastapi import APIRouter

from node.adapters.database import Database
from node.adapters.database import rules as rows
from node.adapters.database.series import WaitingSeries
from node.adapters.rule_files import read_rule_files
from node.adapters.triton import Model, read_repository
from node.app.clock import Clock
from node.app.places import Places
from node.core.rules import Decision, Mistake, Subject, check_rule_set
from node.errors import BadConfiguration
from node.pipeline.rule_sets.background import Background
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.kept import Headers
from node.pipeline.rule_sets.lately import Lately
from node.pipeline.rule_sets.shadow import Shadow
from node.pipeline.rule_sets.start import take_directory
from node.pipeline.rule_sets.suggesting import Known, Suggesting
from node.pipeline.rule_sets.versions import Versions
from node.web.api.rules import rules_router
from node.web.pages.rules import Room
from node.worker import HeaderKeeper

_log = structlog.get_logger(__name__)


def build_versions(places: Places, database: Database, clock: Clock, models: Sequence[Model] | None = None) -> Versions:
    """Versions that are checked with this node's models and destinations. Without `models` they are read when asked."""
    settings = places.file

    def mistakes(files: Mapping[str, str]) -> tuple[Mistake, ...]:
        known = read_repository(settings.triton.models) if models is None else models
        cards = {model.card.name: model.card for model in known}
        told = [one.name for one in places.file.notify]
        return check_rule_set(files, models=cards, destinations=places.settings().destination_names, told=told)

    return Versions(database, clock, mistakes, settings.rules.approval)


def build_rules_router(places: Places, room: Room) -> APIRouter:
    """/api/v1/rules of this process."""
    return rules_router(room.versions, Background(room.versions, places.file.process_id), room.suggesting)


def build_rules_room(places: Places, database: Database, clock: Clock) -> Room:
    """What API and pages of the rules read."""
    suggesting = Suggesting(database, Lately(database, clock), partial(known_to_rules, places))
    return Room(build_versions(places, database, clock), suggesting)


def known_to_rules(places: Places) -> Known:
    """What rules may name of this node."""
    try:
        models = sorted(model.card.name for model in read_repository(places.file.triton.models))
    except BadConfiguration:  # said where models are shown
        models = []
    return Known(models, sorted(places.settings().destination_names))


class Rules:
    """The rules of a process that works."""

    def __init__(self, places: Places, database: Database, clock: Clock, models: Sequence[Model]) -> None:
        settings = places.file
        self._settings, self._database = settings, database
        self.versions = build_versions(places, database, clock, models)
        self.in_use = InUse(database)
        self.headers = Headers(database, clock, settings.rules.keep_headers_days)
        self.shadow = Shadow(database, clock)
        self.keeper = HeaderKeeper(self.headers, clock)

    def arrive(self) -> None:
        """Publish rules.directory where that overrules nobody.

        Raises BadConfiguration when it cannot be used and nothing else is published.
        """
        try:
            files = read_rule_files(self._settings.rules.directory)
        except BadConfiguration as wrong:
            if rows.newest(self._database) is None:
                raise
            _log.warning("rules", reason=f"{wrong}. What was published stays in use")
            return
        found = take_directory(self.versions, files)
        (_log.warning if found.conflict else _log.info)("rules", reason=found.sentence)
        for mistake in self.versions.check(self.versions.files()[1]):
            _log.warning("rules", reason=str(mistake))

    def keep(self, seen: WaitingSeries, subject: Subject, decision: Decision) -> None:
        """A series was decided on: keep its headers, and put it to a draft in the shadow."""
        self.headers.keep(seen, subject, decision)
        self.shadow.note(seen, subject, decision)
