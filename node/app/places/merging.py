"""node.toml and the rows of the database as one: node.toml wins, and a row that is no good leaves the others in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from node.adapters.database import Database, places
from node.adapters.database.places import Row
from node.config import DestinationSettings, Settings, SourceSettings
from node.config.mistakes import check
from node.core.places import Family
from node.errors import BadConfiguration

_MODELS: dict[Family, type[DestinationSettings] | type[SourceSettings]] = {
    Family.DESTINATION: DestinationSettings,
    Family.SOURCE: SourceSettings,
}


@dataclass(frozen=True)
class Merged:
    """Settings with the rows that are good, and why the others are not in use."""

    settings: Settings
    faults: Mapping[tuple[str, str], str] = field(default_factory=dict)  # family, name → sentence


def with_places(settings: Settings, database: Database) -> Settings:
    """The settings of this moment. Raises StoreUnavailable."""
    return merged(settings, places.listed(database)[1]).settings


def merged(settings: Settings, rows: Sequence[Row]) -> Merged:
    """Sources first: a destination may need one."""
    faults: dict[tuple[str, str], str] = {}
    for row in sorted(rows, key=lambda one: (one.family != Family.SOURCE, one.name)):
        try:
            settings = _with(settings, row)
        except BadConfiguration as wrong:
            faults[row.family, row.name] = _short(wrong, row)
    return Merged(settings, faults)


def _with(settings: Settings, row: Row) -> Settings:
    """Raises BadConfiguration."""
    family = Family(row.family)
    there = settings.destination if family is Family.DESTINATION else settings.source
    if any(one.name == row.name for one in there):
        raise BadConfiguration(f"{family} {row.name}", "node.toml has one of this name, which counts", "Rename one")
    more = settings.model_copy(update={family.value: (*there, model_of(row))})
    check("", more)
    return more


def model_of(row: Row) -> DestinationSettings | SourceSettings:
    """Raises BadConfiguration that names the key."""
    try:
        return _MODELS[Family(row.family)].model_validate({**row.keys, **row.secrets, "name": row.name})
    except ValidationError as wrong:
        first = wrong.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise BadConfiguration(key, f"a {row.family} has no such key", "Leave it out") from wrong
        raise BadConfiguration(key, first["msg"][0].lower() + first["msg"][1:]) from wrong


def _short(wrong: BadConfiguration, row: Row) -> str:
    """Where the reader knows already which place it is about."""
    where = wrong.where.removeprefix(": ").removeprefix(f"{row.family} {row.name}").lstrip(".: ")
    told = f"{where}: {wrong.what}" if where else wrong.what
    return f"{told}. {wrong.cure}" if wrong.cure else told
