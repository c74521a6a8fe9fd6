"""What Query/Retrieve over DIMSE needs of the archive: all of the matches, not a page of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from node.adapters.database.index.documents import Held
from node.core.dicomweb.identifier import Retrieve, queries
from node.core.dicomweb.model import Json
from node.core.dicomweb.query import Query
from node.pipeline.archive.archive import Archive, Place

_UIDS = "0020000D", "0020000E", "00080018"


def every(archive: Archive, query: Query) -> Iterator[Json]:
    """All matches, read page by page. Raises StoreUnavailable."""
    offset = 0
    while True:
        page = archive.search(replace(query, offset=offset), "")
        yield from page.results
        if not page.more:
            return
        offset += len(page.results)


def to_send(archive: Archive, asked: Retrieve) -> list[Held]:
    """The instances that a retrieval names, in order. Raises Usage, StoreUnavailable."""
    places: dict[Place, list[str]] = {}
    for found in every(archive, queries(asked)):
        study, series, instance = (str(found[tag]["Value"][0]) for tag in _UIDS)
        places.setdefault(Place(study, series), []).append(instance)
    held: list[Held] = []
    for place, instances in places.items():
        wanted = set(instances)
        held += [one for one in archive.held(place) if one.sop_instance_uid in wanted]
    return held
