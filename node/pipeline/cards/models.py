"""All models, and one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from node.adapters.database import Database, model_reports, pauses
from node.adapters.database.model_reports import ModelReport
from node.core.card import Card
from node.core.rules import RuleSet
from node.errors import NoSuch, StoreUnavailable
from node.pipeline.board.counting import Rarely
from node.pipeline.board.items import ModelItem
from node.pipeline.board.served import model_items
from node.pipeline.cards.activity import Activity, activity

_RARELY_S = 10.0  # a thousand jobs are looked at


@dataclass(frozen=True)
class UsedBy:
    """A rule in use that asks for the model."""

    rule: str
    description: str
    version: str  # that it asks for; "": the one that is installed
    active: bool


@dataclass(frozen=True)
class Summary:
    """One model of a list."""

    item: ModelItem  # how it stands
    title: str  # "" where it is not installed here
    kind: str
    intended_use: str
    installed_version: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class ModelPage:
    """All of one model."""

    item: ModelItem
    card: Card | None  # None: it is not installed on this machine
    rules: tuple[UsedBy, ...]
    reports: tuple[ModelReport, ...]  # of each process that infers
    paused_by: str
    activity: Activity


@dataclass(frozen=True)
class Look:
    """Where models are read from."""

    database: Database
    cards: Callable[[], Mapping[str, Card]]  # that are installed
    rule_set: Callable[[], RuleSet]  # in use; raises StoreUnavailable while nothing is published
    clock: Callable[[], datetime]
    _activities: Rarely[Activity] = field(default_factory=lambda: Rarely(_RARELY_S))

    def every(self) -> Sequence[Summary]:
        """Raises StoreUnavailable."""
        cards, reports = self.cards(), model_reports.of_the_living(self.database)
        items = model_items([*cards], reports, pauses.listed(self.database))
        return [self._summary(item, cards.get(item.name)) for item in items]

    def one(self, name: str) -> ModelPage:
        """Raises NoSuch, StoreUnavailable."""
        cards = self.cards()
        reports = [one for one in model_reports.of_the_living(self.database) if one.model == name]
        if name not in cards and not reports:
            raise NoSuch(f"no model is called {name[:128]}: see `mricore-node models list`")
        paused = pauses.listed(self.database)
        (item,) = model_items([name], reports, paused)
        return ModelPage(
            item=item,
            card=cards.get(name),
            rules=tuple(self._rules(name)),
            reports=tuple(reports),
            paused_by=next((one.actor for one in paused if (one.kind, one.name) == (pauses.MODEL, name)), ""),
            activity=self._activities.get(name, lambda: activity(self.database, name, self.clock())),
        )

    def _summary(self, item: ModelItem, card: Card | None) -> Summary:
        return Summary(
            item=item,
            title=card.title if card else "",
            kind=card.kind.value if card else "",
            intended_use=card.intended_use if card else "",
            installed_version=card.version if card else "",
            rules=tuple(one.rule for one in self._rules(item.name)),
        )

    def _rules(self, model: str) -> list[UsedBy]:
        try:
            rules = self.rule_set().rules
        except StoreUnavailable:
            return []
        return [
            UsedBy(rule.name, rule.description, inference.version or "", rule.active)
            for rule in rules
            for inference in rule.then.infer
            if inference.model == model
        ]
