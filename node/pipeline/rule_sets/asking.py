"""All rules, asked of all series that somebody means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.adapters.database import Database, rule_series
from node.adapters.database.rule_series import Named
from node.errors import NoSuch
from node.pipeline.rule_sets.why import Why, why


@dataclass(frozen=True)
class Asked:
    """A series and what the rules say of it; None: its headers are not kept."""

    series: Named
    why: Why | None


def ask_all(database: Database, text: str, files: Mapping[str, str]) -> list[Asked]:
    """Series of an accession number, a study or a series UID. Raises NoSuch, BadConfiguration."""
    found = rule_series.named(database, text)
    if not found:
        raise NoSuch("no series has this accession number, StudyInstanceUID or SeriesInstanceUID")
    return [Asked(one, _why(database, one.series_instance_uid, files)) for one in found]


def _why(database: Database, uid: str, files: Mapping[str, str]) -> Why | None:
    try:
        return why(database, uid, files)
    except NoSuch:
        return None
