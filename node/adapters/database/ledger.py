"""The receipt ledger's rows: a batch of arrivals becomes durable in one transaction, chained to the last."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters.database.engine import Database
from node.adapters.database.tables import change, instance, receipt, series
from node.core.arrival import Arrival
from node.core.ledger import GENESIS, Disposition, Receipt, broken_links, link
from node.core.states import SeriesState
from node.core.status import SUCCESS
from node.errors import StoreUnavailable

_TRIES = 5  # two replicas may meet at one SOP Instance UID; the loser looks again
_CONFLICT = "the same SOP Instance UID came before with other bytes: the first stays in use"
_REOPENED = "an instance came after the series was complete"

_ADD_TO_SERIES = (
    update(series)
    .where(series.c.series_instance_uid == bindparam("uid"))
    .values(last_at=bindparam("at"), look_at=bindparam("look"))
)


class Ledger:
    """One chain of the ledger. Used by one thread at a time."""

    def __init__(self, database: Database, chain: str, settle: timedelta) -> None:
        """`settle`: how long after an arrival a series is looked at first."""
        self._database, self._chain, self._settle = database, chain, settle
        self._number, self._digest = self._last()

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
                with self._database.transaction() as connection:
                    lines = _disposed(connection, arrivals)
                    number, digest = self._append(connection, lines)
                    _store(connection, arrivals, lines, self._settle)
            except IntegrityError:
                self._number, self._digest = self._last()
                continue
            self._number, self._digest = number, digest
            return lines
        raise StoreUnavailable("the ledger could not be written: another writer uses this chain")

    def _append(self, connection: Connection, lines: Sequence[Receipt]) -> tuple[int, str]:
        number, digest, rows = self._number, self._digest, []
        for line in lines:
            number, previous = number + 1, digest
            digest = link(previous, line)
            rows.append(
                {**asdict(line), "chain": self._chain, "number": number, "previous": previous, "digest": digest}
            )
        connection.execute(insert(receipt), rows)
        return number, digest


def _disposed(connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
    """Decide for each arrival whether it is new, a duplicate, or a conflict with what is stored or in the batch."""
    uids = {one.receipt.sop_instance_uid for one in arrivals if one.receipt.status == SUCCESS}
    known: dict[str, str] = {}
    if uids:
        stored = select(instance.c.sop_instance_uid, instance.c.sha256).where(instance.c.sop_instance_uid.in_(uids))
        known = {row.sop_instance_uid: row.sha256 for row in connection.execute(stored)}
    lines = []
    for one in arrivals:
        line = one.receipt
        if line.status == SUCCESS:
            first = known.setdefault(line.sop_instance_uid, line.path + line.sha256)
            if not first.endswith(line.sha256):
                line = replace(line, disposition=Disposition.CONFLICT, reason=_CONFLICT)
            elif first != line.path + line.sha256:
                line = replace(line, disposition=Disposition.DUPLICATE, path="")
        lines.append(line)
    return lines


def _store(connection: Connection, arrivals: Sequence[Arrival], lines: Sequence[Receipt], settle: timedelta) -> None:
    new = [(one, line) for one, line in zip(arrivals, lines, strict=True) if line.disposition is Disposition.STORED]
    if not new:
        return
    connection.execute(insert(instance), [_instance(line) for _, line in new])
    uids = {line.series_instance_uid for _, line in new}
    there = connection.execute(
        select(series.c.series_instance_uid, series.c.state, series.c.version).where(
            series.c.series_instance_uid.in_(uids)
        )
    )
    states = {row.series_instance_uid: row for row in there}
    latest: dict[str, datetime] = {}
    for one, line in new:
        uid = line.series_instance_uid
        if uid not in states and uid not in latest:
            connection.execute(insert(series), _series(one, line, settle))
        latest[uid] = max(line.at, latest.get(uid, line.at))
    for uid, row in states.items():
        if row.state != SeriesState.WAITING:
            _reopen(connection, uid, row.version, latest[uid])
    moves = [{"uid": uid, "at": at, "look": at + settle} for uid, at in latest.items()]
    connection.execute(_ADD_TO_SERIES, moves)


def _instance(line: Receipt) -> dict[str, object]:
    return {
        "sop_instance_uid": line.sop_instance_uid,
        "sop_class_uid": line.sop_class_uid,
        "series_instance_uid": line.series_instance_uid,
        "study_instance_uid": line.study_instance_uid,
        "transfer_syntax_uid": line.transfer_syntax_uid,
        "sha256": line.sha256,
        "size": line.size,
        "path": line.path,
        "received_at": line.at,
    }


def _series(one: Arrival, line: Receipt, settle: timedelta) -> dict[str, object]:
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
        "last_at": line.at,
        "look_at": line.at + settle,
        "evidence": "",
        "modality": who.modality if who else "",
        "series_description": who.series_description if who else "",
        "patient_id": who.patient_id if who else "",
        "patient_name": who.patient_name if who else "",
        "search_name": folded(who.patient_name) if who else "",
        "accession_number": who.accession_number if who else "",
        "study_date": who.study_date if who else "",
        "study_description": who.study_description if who else "",
    }


def _reopen(connection: Connection, uid: str, version: int, at: datetime) -> None:
    """A late instance: the series waits again, as a new version whose result will supersede the old one."""
    connection.execute(
        update(series)
        .where(series.c.series_instance_uid == uid)
        .values(state=SeriesState.WAITING, reason=_REOPENED, version=version + 1, completed_at=None, evidence="")
    )
    connection.execute(
        insert(change),
        {
            "at": at,
            "actor": "reception",
            "series_instance_uid": uid,
            "state": SeriesState.WAITING,
            "reason": _REOPENED,
        },
    )


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


def receipts_in_total(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(receipt)) or 0
