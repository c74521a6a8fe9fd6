"""The receipt ledger's rows: a batch of arrivals becomes durable in one transaction, chained to the last."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Dialect, Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import PoolProxiedConnection

from node.adapters.database.engine import Database
from node.adapters.database.prepared import OwnConnection, Prepared, TakenError
from node.adapters.database.tables import change, instance, name_word, receipt, series
from node.core.arrival import Arrival
from node.core.dicomweb.names import words
from node.core.ledger import GENESIS, Disposition, Receipt, broken_links, link
from node.core.states import SeriesState
from node.core.status import SUCCESS
from node.errors import StoreUnavailable

_TRIES = 5  # two replicas may meet at one SOP Instance UID; the loser looks again
_CONFLICT = "the same SOP Instance UID came before with other bytes: the first stays in use"
_AGAIN = "the same bytes came before and were removed since: they are kept again"
_REOPENED = "an instance came after the series was complete"


class Ledger:
    """One chain of the ledger. Used by one thread at a time."""

    def __init__(self, database: Database, chain: str, settle: timedelta) -> None:
        """`settle`: how long after an arrival a series is looked at first."""
        self._database, self._chain, self._settle = database, chain, settle
        self._statements = _Statements(database.engine.dialect)
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
                    lines = self._disposed(connection, arrivals)
                    number, digest = self._append(connection, lines)
                    self._store(connection, arrivals, lines)
            except TakenError:
                self._number, self._digest = self._last()
                continue
            self._number, self._digest = number, digest
            return lines
        raise StoreUnavailable("the ledger could not be written: another writer uses this chain")

    def named(self, paths: Collection[str]) -> frozenset[str]:
        """Those of the paths that a line of the ledger names. Raises StoreUnavailable when nobody knows."""
        wanted = select(receipt.c.path).where(receipt.c.path.in_(paths))
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

    def _disposed(self, connection: PoolProxiedConnection, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Decide for each arrival whether it is new, a duplicate, or a conflict with what is stored or in the batch."""
        uids = {one.receipt.sop_instance_uid for one in arrivals if one.receipt.status == SUCCESS}
        known = self._statements.stored(connection, sorted(uids))
        lines = []
        for one in arrivals:
            line = one.receipt
            if line.status == SUCCESS:
                first = known.get(line.sop_instance_uid)
                if first is None:
                    known[line.sop_instance_uid] = _Known(line.sha256)
                elif first == _Known(line.sha256, removed=True):
                    known[line.sop_instance_uid] = _Known(line.sha256)
                    line = replace(line, disposition=Disposition.DUPLICATE, reason=_AGAIN)
                elif first.sha256 == line.sha256:
                    line = replace(line, disposition=Disposition.DUPLICATE, path="")
                else:
                    line = replace(line, disposition=Disposition.CONFLICT, reason=_CONFLICT)
            lines.append(line)
        return lines

    def _store(self, connection: PoolProxiedConnection, arrivals: Sequence[Arrival], lines: Sequence[Receipt]) -> None:
        for line in lines:
            if line.disposition is Disposition.DUPLICATE and line.path:
                self._store_again(connection, line)
        new = [(one, line) for one, line in zip(arrivals, lines, strict=True) if line.disposition is Disposition.STORED]
        new.sort(key=lambda pair: pair[1].sop_instance_uid)  # replicas that meet take their locks in one order
        if not new:
            return
        self._statements.store.run(connection, [_instance(line) for _, line in new])
        by_series: dict[str, list[tuple[Arrival, Receipt]]] = {}
        for one, line in new:
            by_series.setdefault(line.series_instance_uid, []).append((one, line))
        for uid, members in sorted(by_series.items()):
            at = max(line.at for _, line in members)
            more = {"uid": uid, "at": at, "look": at + self._settle}
            if not self._statements.add_to_waiting.run(connection, [more]).rowcount:
                self._open_series(connection, uid, *members[0], at)

    def _store_again(self, connection: PoolProxiedConnection, line: Receipt) -> None:
        """Its results were delivered long ago, and the bytes are the same: kept anew, and nothing to be done."""
        self._statements.store_again.run(connection, [{"sop": line.sop_instance_uid, "file": line.path}])
        self._statements.keep_again.run(connection, [{"uid": line.series_instance_uid, "at": line.at}])

    def _open_series(
        self, connection: PoolProxiedConnection, uid: str, one: Arrival, line: Receipt, at: datetime
    ) -> None:
        """The first instance of a series, or a late one: it waits again, as a new version that supersedes the old."""
        statements = self._statements
        there = statements.version.run(connection, [{"uid": uid}]).fetchone()
        if there is None:
            statements.open_series.run(connection, [_series(one, line, at, self._settle)])
            self._note_name(connection, one, line)
            return
        more = {"uid": uid, "at": at, "look": at + self._settle}
        statements.reopen.run(connection, [more])
        statements.note_change.run(connection, [{"at": at, "series_instance_uid": uid}])

    def _note_name(self, connection: PoolProxiedConnection, one: Arrival, line: Receipt) -> None:
        """What the patient is called, for the search: once for a study, as long as its series agree."""
        spelled = sorted(words(one.identity.patient_name)) if one.identity else []
        if spelled:
            rows = [{"word": word, "study_instance_uid": line.study_instance_uid} for word in spelled]
            self._statements.note_word.run(connection, rows)


class _Known(NamedTuple):
    """An instance that came before."""

    sha256: str
    removed: bool = False  # its bytes are gone


class _Statements:
    """What every batch runs."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._stored: dict[int, Prepared] = {}
        self.append = Prepared(dialect, insert(receipt))
        self.store = Prepared(dialect, insert(instance).values({name: bindparam(name) for name in _INSTANCE}))
        self.add_to_waiting = Prepared(
            dialect,
            update(series)
            .where(series.c.series_instance_uid == bindparam("uid"), series.c.state == SeriesState.WAITING.value)
            .values(last_at=bindparam("at"), look_at=bindparam("look")),
        )

        self.store_again = Prepared(
            dialect,
            update(instance)
            .where(instance.c.sop_instance_uid == bindparam("sop"))
            .values(path=bindparam("file"), removed_at=None),
        )
        self.keep_again = Prepared(
            dialect,
            update(series)
            .where(series.c.series_instance_uid == bindparam("uid"))
            .values(last_at=bindparam("at"), removed_at=None),
        )
        self.version = Prepared(
            dialect, select(series.c.version).where(series.c.series_instance_uid == bindparam("uid"))
        )
        self.open_series = Prepared(dialect, insert(series))
        kind = sqlite if dialect.name == "sqlite" else postgresql
        self.note_word = Prepared(dialect, kind.insert(name_word).on_conflict_do_nothing())
        self.reopen = Prepared(
            dialect,
            update(series)
            .where(series.c.series_instance_uid == bindparam("uid"))
            .values(
                state=SeriesState.WAITING.value,
                reason=_REOPENED,
                version=series.c.version + 1,  # of this moment: a person may have had it decided anew meanwhile
                completed_at=None,
                removed_at=None,
                evidence="",
                cause=None,
                last_at=bindparam("at"),
                look_at=bindparam("look"),
            ),
        )
        self.note_change = Prepared(
            dialect,
            insert(change).values(
                at=bindparam("at"),
                actor="reception",
                series_instance_uid=bindparam("series_instance_uid"),
                state=SeriesState.WAITING.value,
                reason=_REOPENED,
            ),
        )

    def stored(self, connection: PoolProxiedConnection, uids: Sequence[str]) -> dict[str, _Known]:
        """SOP Instance UID → what is known of those that came before."""
        if not uids:
            return {}
        places = 1 << (len(uids) - 1).bit_length()  # few different statements, whatever the batch
        if places not in self._stored:
            asked = instance.c.sop_instance_uid.in_([bindparam(f"uid{place}") for place in range(places)])
            columns = instance.c.sop_instance_uid, instance.c.sha256, instance.c.removed_at
            wanted = select(*columns).where(asked)
            self._stored[places] = Prepared(self._dialect, wanted)
        row = {f"uid{place}": uids[min(place, len(uids) - 1)] for place in range(places)}
        found = self._stored[places].run(connection, [row])
        return {uid: _Known(sha256, removed_at is not None) for uid, sha256, removed_at in found.fetchall()}


_INSTANCE = (
    "sop_instance_uid",
    "sop_class_uid",
    "series_instance_uid",
    "study_instance_uid",
    "transfer_syntax_uid",
    "sha256",
    "size",
    "path",
    "received_at",
)


def _instance(line: Receipt) -> dict[str, object]:
    return {**vars(line), "received_at": line.at}


def _series(one: Arrival, line: Receipt, at: datetime, settle: timedelta) -> dict[str, object]:
    who = one.identity
    return {
        "series_instance_uid": line.series_instance_uid,
        "study_instance_uid": line.study_instance_uid,
        "state": SeriesState.WAITING,
        "reason": "",
        "version": 1,
        "channel": line.channel,
        "calling_ae": line.calling_ae,
        "called_ae": line.called_ae,
        "host": line.host,
        "first_at": line.at,
        "last_at": at,
        "look_at": at + settle,
        "evidence": "",
        "promised": 0,
        "modality": who.modality if who else "",
        "series_description": who.series_description if who else "",
        "patient_id": who.patient_id if who else "",
        "issuer_of_patient_id": who.issuer_of_patient_id if who else "",
        "patient_name": who.patient_name if who else "",
        "search_name": folded(who.patient_name) if who else "",
        "accession_number": who.accession_number if who else "",
        "study_date": who.study_date if who else "",
        "study_description": who.study_description if who else "",
    }


def folded(text: str) -> str:
    """Text for the search: without case, accents and width."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


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
