"""Sources and destinations on the board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from node.adapters.database import Database, deliveries, senders
from node.adapters.database.feeds import FeedState
from node.adapters.database.pauses import DESTINATION, Pause
from node.adapters.database.senders import KnownSender
from node.core.board import judge
from node.core.breaker import CLOSED, sentence
from node.core.windows import closed_until
from node.pipeline.board.arrivals import DAY, Arrived
from node.pipeline.board.items import DestinationItem, SourceItem
from node.pipeline.board.site import KnownSource, Site

_FOLLOWED = ("orthanc", "folder")
_UNKNOWN_AT_MOST = 20  # that are shown: anybody can make up AE titles


def source_items(
    database: Database,
    known: Sequence[KnownSource],
    arrived: Sequence[Arrived],
    fed: Sequence[FeedState],
    now: datetime,
) -> tuple[SourceItem, ...]:
    """Configured sources first, then others that sent, then those that were turned away. Raises StoreUnavailable."""
    asked = senders.known_senders(database)
    made: list[SourceItem] = []
    told: set[str] = set()
    for one in known:
        mine = [each for each in arrived if each.calling_ae == one.calling_ae]
        made.append(_known(one, mine, [each for each in asked if each.calling_ae == one.calling_ae], fed, now))
        told.add(one.calling_ae)
    for each in arrived:
        if each.calling_ae not in told:
            told.add(each.calling_ae)
            other = KnownSource(each.calling_ae, each.channel, each.calling_ae)
            mine = [another for another in arrived if another.calling_ae == each.calling_ae]
            made.append(_known(other, mine, [one for one in asked if one.calling_ae == each.calling_ae], fed, now))
    strangers = [one for one in asked if not one.accepted and not one.admitted and one.calling_ae not in told]
    lately = [one for one in strangers if now - one.last_at < DAY * 7]
    return (*made, *map(_stranger, lately[:_UNKNOWN_AT_MOST]))


def _known(
    one: KnownSource,
    arrived: Sequence[Arrived],
    asked: Sequence[KnownSender],
    fed: Iterable[FeedState],
    now: datetime,
) -> SourceItem:
    feed = next((each for each in fed if each.name == one.name), None)
    moments = [each.last_at for each in arrived]
    moments += [each.last_at for each in asked if each.associations]
    last_seen = max(moments, default=None)
    refused = sum(each.refused_last_day for each in arrived)
    said = judge.known_source(last_seen, refused, feed.fault if feed else "", now, is_followed=one.kind in _FOLLOWED)
    return SourceItem(
        name=one.name,
        standing=said.standing,
        sentence=said.sentence,
        cure=said.cure,
        kind=one.kind,
        calling_ae=one.calling_ae,
        hosts=tuple(sorted({each.host for each in asked if each.host})),
        known=True,
        last_seen=last_seen,
        per_minute=sum(each.per_minute for each in arrived),
        last_day=sum(each.last_day for each in arrived),
        refused_last_day=refused,
    )


def _stranger(one: KnownSender) -> SourceItem:
    said = judge.unknown_source(one.reason)
    return SourceItem(
        name=one.calling_ae,
        standing=said.standing,
        sentence=said.sentence,
        cure=said.cure,
        kind="dicom",
        calling_ae=one.calling_ae,
        hosts=(one.host,),
        known=False,
        last_seen=one.last_at,
        per_minute=0.0,
        last_day=0,
        refused_last_day=0,
    )


def destination_items(
    database: Database, site: Site, paused: Sequence[Pause], now: datetime
) -> tuple[DestinationItem, ...]:
    """Each destination, then each group, then names that results wait for and nobody knows."""
    queued = deliveries.all_queued(database)
    groups = site.groups()
    names = list(dict.fromkeys([*site.destinations(), *groups, *sorted(queued)]))
    breakers = deliveries.known_breakers(database)
    held_up = {one.name: one for one in paused if one.kind == DESTINATION}
    made = []
    for name in names:
        number, oldest = queued.get(name, (0, None))
        breaker, pause = breakers.get(name, CLOSED), held_up.get(name)
        until = closed_until(site.gate.policy(name).windows, now.astimezone())
        waits = sentence(name, breaker, number, now.astimezone()) if breaker.is_open else ""
        age = now - oldest if oldest else None
        said = judge.destination(name, waits, number, age, paused=pause is not None, shut=until is not None)
        made.append(
            DestinationItem(
                name=name,
                standing=said.standing,
                sentence=said.sentence,
                cure=said.cure,
                queued=number,
                oldest=oldest,
                breaker="open" if breaker.is_open else "closed",
                failures=breaker.failures,
                next_try_at=breaker.next_try_at,
                paused_at=pause.at if pause else None,
                paused_by=pause.actor if pause else "",
                window_until=until,
                members=groups.get(name, ()),
            )
        )
    return tuple(made)
