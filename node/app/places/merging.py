"""node.toml and the rows of the database as one: node.toml wins, and a row that is no good leaves the others in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from node.adapters.database import Database, places
from node.adapters.database.places import Row
from node.app.places.keys import MODELS, kind_key
from node.config import Settings
from node.config.mistakes import check
from node.config.sections import DestinationGroupSettings, DestinationSettings, SourceSettings
from node.core.places import Family
from node.errors import BadConfiguration

_FIRST = (Family.SOURCE, Family.DESTINATION, Family.GROUP)  # a destination may need a source, a group its members


@dataclass(frozen=True)
class Merged:
    """Settings with the rows that are good, and why the others are not in use."""

    settings: Settings
    faults: Mapping[tuple[str, str], str] = field(default_factory=dict)  # family, name → sentence

    def unused(self) -> dict[str, str]:
        """Names that rules may still deliver to though nothing of the name is in use, and why."""
        in_use = {*self.settings.destination_names}
        return {
            name: fault
            for (family, name), fault in self.faults.items()
            if family != Family.SOURCE and name not in in_use
        }


def with_places(settings: Settings, database: Database) -> Settings:
    """The settings of this moment. Raises StoreUnavailable."""
    return merged(settings, places.listed(database)[1]).settings


def merged(settings: Settings, rows: Sequence[Row]) -> Merged:
    """Those first that others need."""
    faults: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda one: (_FIRST.index(Family(one.family)), one.name)):
        try:
            settings = _with(settings, row)
        except BadConfiguration as wrong:
            faults[row.family, row.name] = _short(wrong, row)
    return Merged(settings, faults)


def _with(settings: Settings, row: Row) -> Settings:
    """Raises BadConfiguration."""
    section = Family(row.family).section
    there = getattr(settings, section)
    if any(one.name == row.name for one in there):
        raise BadConfiguration(f"{row.family} {row.name}", "node.toml has one of this name, which counts", "Rename one")
    more = settings.model_copy(update={section: (*there, model_of(row))})
    check("", more)
    return more


def model_of(row: Row) -> DestinationSettings | DestinationGroupSettings | SourceSettings:
    """Raises BadConfiguration that names the key."""
    family = Family(row.family)
    keys = {kind_key(family) if key == "kind" else key: value for key, value in row.keys.items()}
    try:
        return MODELS[family].model_validate({**keys, **row.secrets, "name": row.name})
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise BadConfiguration(key, f"a {row.family} has no such key", "Leave it out") from wrong
        raise BadConfiguration(key, first["msg"][0].lower() + first["msg"][1:]) from wrong


def _short(wrong: BadConfiguration, row: Row) -> str:
    """Where the reader knows already which place it is about."""
    mine = f"{Family(row.family).section} {row.name}"
    where = wrong.where.removeprefix(": ").removeprefix(mine).lstrip(".: ")
    told = f"{where}: {wrong.what}" if where else wrong.what
    return f"{told}. {wrong.cure}" if wrong.cure else told
