"""The snapshot: everything the board shows, at one moment, for all who watch."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from node.adapters.certificates import Certificate, read_certificates
from node.adapters.database import Database, disk_samples, feeds, job_counts, leases, model_reports, pauses, processes
from node.core.board import Standing, Trend, judge, trend
from node.core.ledger import Balance
from node.pipeline.board.arrivals import Arrivals
from node.pipeline.board.counting import Rarely
from node.pipeline.board.items import (
    BalanceItem,
    CertificateItem,
    DiskItem,
    Item,
    JobsItem,
    ProcessItem,
    Snapshot,
)
from node.pipeline.board.places import destination_items, source_items
from node.pipeline.board.served import model_items, triton_items
from node.pipeline.board.site import Site
from node.pipeline.board.totals import Counted, Totals

EVERY_S = 2.0
_TOO_OLD_S = 10.0
_TREND_OVER = timedelta(days=14)
_RARELY_S = 60.0  # files are looked at


class Board:
    """Safe to ask from several threads."""

    def __init__(
        self, database: Database, site: Site, clock: Callable[[], datetime], counted: Counted | None = None
    ) -> None:
        """`counted`: where somebody else asks it too."""
        self._database, self._site, self._clock = database, site, clock
        self._arrivals = Arrivals(database)
        self._counted = counted or Counted(database, clock)
        self._trend: Rarely[Trend] = Rarely(_RARELY_S)
        self._files: Rarely[Sequence[Certificate] | str] = Rarely(_RARELY_S)
        self._computing = threading.Lock()
        self._last: tuple[Snapshot, float] | None = None

    def snapshot(self) -> Snapshot:
        """At most two seconds old, or as old as the one that is being made. Raises StoreUnavailable."""
        if (last := self._last) and time.monotonic() - last[1] < EVERY_S:
            return last[0]
        # Whoever comes while one is made is given the one before, unless that is too old to be shown.
        if not self._computing.acquire(blocking=last is None or time.monotonic() - last[1] > _TOO_OLD_S) and last:
            return last[0]
        try:
            if self._last and time.monotonic() - self._last[1] < EVERY_S:
                return self._last[0]
            made = self._made(self._last[0].number + 1 if self._last else 1)
            self._last = (made, time.monotonic())
            return made
        finally:
            self._computing.release()

    def _made(self, number: int) -> Snapshot:
        now, database, site = self._clock(), self._database, self._site
        counted = self._counted()
        held_up = pauses.listed(database)
        reports = model_reports.of_the_living(database)
        sources = source_items(database, site.sources(), self._arrivals.look(now), feeds.states(database), now)
        snapshot = Snapshot(
            number=number,
            at=now,
            standing=Standing.OK,
            balance=_balance(*(counted[0].balance, counted[1]) if counted else (None, None)),
            sources=sources,
            destinations=destination_items(database, site, held_up, now),
            triton=triton_items(reports),
            models=model_items(site.models(), reports, held_up),
            jobs=self._jobs(counted[0] if counted else None, now),
            disk=self._disk(now),
            certificates=self._certificates(now),
            processes=self._processes(),
            clock=self._own_clock(),
        )
        return _standing(snapshot)

    def _jobs(self, counted: Totals | None, now: datetime) -> JobsItem:
        found = job_counts.unsettled(self._database)
        counts = Counter({str(state): 0 for state in job_counts.UNSETTLED})
        if counted is not None:
            counts.update({str(state): 0 for state in job_counts.SETTLED})
        for (state, _), number in [*found.jobs.items(), *(counted.settled.items() if counted else ())]:
            counts[state] += number
        bad = counts["failed"] + counts["not_processable"]
        said = judge.jobs(bad, found.overdue, now - found.oldest if found.oldest else None)
        return JobsItem("jobs", said.standing, said.sentence, said.cure, counts, found.overdue, found.oldest)

    def _disk(self, now: datetime) -> DiskItem:
        room = self._site.room()
        found = self._trend.get("", lambda: trend(disk_samples.since(self._database, now - _TREND_OVER), room))
        said = judge.disk(room, found)
        return DiskItem("disk", said.standing, said.sentence, said.cure, room, found.bytes_per_day, found.days_left)

    def _certificates(self, now: datetime) -> tuple[CertificateItem, ...]:
        items: list[CertificateItem] = []
        for file in self._site.certificates():
            found = self._files.get(str(file.path), partial(read_certificates, file.path))
            if isinstance(found, str):
                said = judge.certificate(None, found, now)
                items.append(CertificateItem(file.name, said.standing, said.sentence, said.cure, "", None, None))
                continue
            for one in found:
                said = judge.certificate(one.expires_at, "", now)
                left = (one.expires_at - now).days
                about = (file.name, said.standing, said.sentence, said.cure, one.subject, one.expires_at, left)
                items.append(CertificateItem(*about))
        return tuple(items)

    def _processes(self) -> tuple[ProcessItem, ...]:
        alone: dict[str, list[str]] = {}
        for what, holder in leases.holders(self._database).items():
            alone.setdefault(holder, []).append(what)
        items = []
        for one in processes.roster(self._database):
            said = judge.process(one.silent_seconds)
            does = tuple(alone.get(one.id, ()))
            told = (one.id, said.standing, said.sentence, said.cure)
            items.append(ProcessItem(*told, one.role, round(one.silent_seconds, 1), does))
        return tuple(items)

    def _own_clock(self) -> Item:
        ahead = self._site.clock_ahead()
        said = judge.clock(ahead.total_seconds() if ahead is not None else None)
        return Item("clock", said.standing, said.sentence, said.cure)


def _balance(found: Balance | None, at: datetime | None) -> BalanceItem:
    said = judge.balance(found)
    about = ("balance", said.standing, said.sentence, said.cure)
    if found is None:
        return BalanceItem(*about, None, None, None, None, None, None, None, None)
    counts = (found.received, found.delivered, found.filtered, found.waiting, found.held, found.failed)
    return BalanceItem(*about, *counts, found.residue, at)


def _standing(snapshot: Snapshot) -> Snapshot:
    order = [*Standing]
    return replace(snapshot, standing=max((one.standing for one in every(snapshot)), key=order.index))


def every(snapshot: Snapshot) -> list[Item]:
    """All items of a snapshot."""
    alone = (snapshot.balance, snapshot.jobs, snapshot.disk, snapshot.clock)
    several = (
        snapshot.sources, snapshot.destinations, snapshot.triton, snapshot.models, snapshot.certificates,
        snapshot.processes,
    )  # fmt: skip
    return [*alone, *(one for each in several for one in each)]
