"""The receipt ledger's rows: a batch of arrivals becomes durable in one transaction, chained to the last."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import Row, select
from sqlalchemy.pool import PoolProxiedConnection

from node.adapters.database.engine import Database
from node.adapters.database.ledger_statements import (
    Known,
    Statements,
    anew_row,
    identified,
    instance_row,
    series_row,
)
from node.adapters.database.prepared import OwnConnection, TakenError
from node.adapters.database.tables import receipt
from node.core.arrival import Arrival
from node.core.dicom import Identity
from node.core.dicomweb.names import words
from node.core.ledger import GENESIS, Disposition, Receipt, broken_links, link
from node.core.status import SUCCESS
from node.errors import StoreUnavailable

_TRIES = 5  # two replicas may meet at one SOP Instance UID; the loser looks again
_CONFLICT = "the same SOP Instance UID came before with other bytes: the first stays in use"
_REMOVED = "the same SOP Instance UID came before with other bytes, which were used and are gone: kept beside them"
_ELSEWHERE = "the same SOP Instance UID was removed from another series or study: kept beside it"
_AGAIN = "the same bytes came before and were removed since: they are kept again"
_CORRECTED = "the bytes that came before under this SOP Instance UID were removed by a person: these take their place"


class _Act(Enum):
    """What is to be done with an instance's row."""

    NOTHING = auto()
    ADD = auto()
    KEEP_AGAIN = auto()  # its results were delivered long ago, and the bytes are the same
    PUT_ANEW = auto()  # a person had it removed: it is as new as one that never came


class Ledger:
    """One chain of the ledger. Used by one thread at a time."""

    def __init__(self, database: Database, chain: str, settle: timedelta) -> None:
        """`settle`: how long after an arrival a series is looked at first."""
        self._database, self._chain, self._settle = database, chain, settle
        self._statements = Statements(database.engine.dialect)
        self._own = OwnConnection(database)
        self._number, self._digest = self._last()

    def close(self) -> None:
        """Give the connection back."""
        self._own.close()

    def _last(self) -> tuple[int, str]:
        newest = (
            select(receipt.c.number, receipt.c.digest)
            .where(receipt.c.chain == self._chain)
            .order_by(receipt.c.number.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(newest).first()
        return (row.number, row.digest) if row else (0, GENESIS)

    def record(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Commit a batch: receipts, instances and their series together. Returns the receipts as they were written.

        Raises StoreUnavailable when nothing was written.
        """
        for _ in range(_TRIES):
            try:
                with self._own.transaction() as connection:
                    decided = self._disposed(connection, arrivals)
                    lines = [line for line, _ in decided]
                    number, digest = self._append(connection, lines)
                    self._store(connection, arrivals, decided)
            except TakenError:
                self._number, self._digest = self._last()
                continue
            self._number, self._digest = number, digest
            return lines
        raise StoreUnavailable("the ledger could not be written: another writer uses this chain")

    def named(self, paths: Collection[str]) -> frozenset[str]:
        """Those of the paths that lines name which may have been written since the last that is known to have been.

        Raises StoreUnavailable when nobody knows.
        """
        since = receipt.c.chain == self._chain, receipt.c.number > self._number  # the key finds them, however many
        wanted = select(receipt.c.path).where(*since, receipt.c.path.in_(paths))
        with self._database.reading() as connection:
            return frozenset(connection.scalars(wanted))

    def _append(self, connection: PoolProxiedConnection, lines: Sequence[Receipt]) -> tuple[int, str]:
        number, digest, rows = self._number, self._digest, []
        for line in lines:
            number, previous = number + 1, digest
            digest = link(previous, line)
            rows.append({**vars(line), "chain": self._chain, "number": number, "previous": previous, "digest": digest})
        self._statements.append.run(connection, rows)
        return number, digest

    def _disposed(self, connection: PoolProxiedConnection, arrivals: Sequence[Arrival]) -> list[tuple[Receipt, _Act]]:
        """Decide for each arrival what it is beside what is stored, or comes before it in the batch."""
        uids = {one.receipt.sop_instance_uid for one in arrivals if one.receipt.status == SUCCESS}
        known = self._statements.stored(connection, sorted(uids))
        decided = []
        for one in arrivals:
            line, act = one.receipt, _Act.NOTHING
            if line.status == SUCCESS:
                line, act = _decided(line, known.get(line.sop_instance_uid))
                if act is not _Act.NOTHING:
                    known[line.sop_instance_uid] = Known(line.sha256)
            decided.append((line, act))
        return decided

    def _store(
        self, connection: PoolProxiedConnection, arrivals: Sequence[Arrival], decided: Sequence[tuple[Receipt, _Act]]
    ) -> None:
        new: list[tuple[Arrival, Receipt, _Act]] = []
        for one, (line, act) in zip(arrivals, decided, strict=True):
            if act is _Act.KEEP_AGAIN:
                self._keep_again(connection, line)
            elif act is not _Act.NOTHING:
                new.append((one, line, act))
        new.sort(key=lambda one: one[1].sop_instance_uid)  # replicas that meet take their locks in one order
        if added := [instance_row(line) for _, line, act in new if act is _Act.ADD]:
            self._statements.store.run(connection, added)
        by_series: dict[str, list[tuple[Arrival, Receipt]]] = {}
        for one, line, act in new:
            if act is _Act.PUT_ANEW:
                self._put_anew(connection, one, line)
            by_series.setdefault(line.series_instance_uid, []).append((one, line))
        for uid, members in sorted(by_series.items()):
            at = max(line.at for _, line in members)
            more = {"uid": uid, "at": at, "look": at + self._settle}
            if not self._statements.add_to_waiting.run(connection, [more]).rowcount:
                self._open_series(connection, uid, *members[0], at)

    def _keep_again(self, connection: PoolProxiedConnection, line: Receipt) -> None:
        again = {"sop": line.sop_instance_uid, "file": line.path}
        if not self._statements.store_again.run(connection, [again]).rowcount:
            raise TakenError
        self._statements.keep_again.run(connection, [{"uid": line.series_instance_uid, "at": line.at}])

    def _put_anew(self, connection: PoolProxiedConnection, one: Arrival, line: Receipt) -> None:
        """In place of what was removed; the first of a series that was removed whole says whose it is."""
        if not self._statements.store_anew.run(connection, [anew_row(line)]).rowcount:
            raise TakenError
        who = one.identity or one.identify()
        told = {"uid": line.series_instance_uid, **{f"new_{name}": text for name, text in identified(who).items()}}
        if who and self._statements.identify.run(connection, [told]).rowcount:
            self._note_name(connection, who, line)

    def _open_series(
        self, connection: PoolProxiedConnection, uid: str, one: Arrival, line: Receipt, at: datetime
    ) -> None:
        """The first instance of a series, or a late one: it waits again, as a new version that supersedes the old."""
        statements = self._statements
        there = statements.version.run(connection, [{"uid": uid}]).fetchone()
        if there is None:
            statements.open_series.run(connection, [series_row(one, line, at, self._settle)])
            self._note_name(connection, one.identity, line)
            return
        more = {"uid": uid, "at": at, "look": at + self._settle}
        statements.reopen.run(connection, [more])
        statements.note_change.run(connection, [{"at": at, "series_instance_uid": uid}])

    def _note_name(self, connection: PoolProxiedConnection, who: Identity | None, line: Receipt) -> None:
        """What the patient is called, for the search: once for a study, as long as its series agree."""
        spelled = sorted(words(who.patient_name)) if who else []
        if spelled:
            rows = [{"word": word, "study_instance_uid": line.study_instance_uid} for word in spelled]
            self._statements.note_word.run(connection, rows)


def _decided(line: Receipt, before: Known | None) -> tuple[Receipt, _Act]:
    """What becomes of an instance, beside what came before under its UID."""
    if before is None:
        return line, _Act.ADD
    same = before.sha256 == line.sha256
    if same and before.removed:
        again = replace(line, disposition=Disposition.DUPLICATE, reason=_AGAIN)
        return again, _Act.PUT_ANEW if before.erased else _Act.KEEP_AGAIN
    if same:
        return replace(line, disposition=Disposition.DUPLICATE, path=""), _Act.NOTHING
    if before.erased and (before.series, before.study) == (line.series_instance_uid, line.study_instance_uid):
        return replace(line, disposition=Disposition.CORRECTED, reason=_CORRECTED), _Act.PUT_ANEW
    reason = _ELSEWHERE if before.erased else _REMOVED if before.removed else _CONFLICT
    return replace(line, disposition=Disposition.CONFLICT, reason=reason), _Act.NOTHING


def broken_chains(database: Database) -> dict[str, tuple[int, ...]]:
    """Chain → numbers of the lines that do not follow from the line before. Empty: the ledger is whole."""
    broken: dict[str, tuple[int, ...]] = {}
    with database.reading() as connection:
        chains = connection.scalars(select(receipt.c.chain).distinct()).all()
        for chain in chains:
            rows = connection.execution_options(yield_per=1000).execute(
                select(receipt).where(receipt.c.chain == chain).order_by(receipt.c.number)
            )
            wrong = broken_links((row.number, row.previous, row.digest, _receipt(row)) for row in rows)
            if wrong:
                broken[chain] = wrong
    return broken


def _receipt(row: Row[tuple[object, ...]]) -> Receipt:
    values = {name: value for name, value in row._mapping.items() if name in Receipt.__dataclass_fields__}
    values["disposition"] = Disposition(values["disposition"])
    return Receipt(**values)
