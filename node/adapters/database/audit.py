"""The audit trail's rows: appended in the transaction of the change they tell of, never changed.

    with database.transaction() as connection:
        connection.execute(update(…))
        audit.note(connection, now, "job.cancel", f"job {job_id}", actor=actor, before=…, after=…, reason=reason)

Who asks and from where is known for the length of a request (`asking`); a line says so without being told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from node.adapters.database.access.tables import audit as rows
from node.adapters.database.engine import Database
from node.adapters.database.turns import Turn, take_turn
from node.core.audit import GENESIS, Line, broken_links, link, told

_LONGEST = 20_000  # characters of a state before or after


@dataclass
class Asking:
    """Who asks in this request, and how many lines were written for him."""

    actor: str
    address: str
    noted: int = 0


_ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)


@contextmanager
def asking(actor: str, address: str) -> Iterator[Asking]:
    """Until the end of the block lines are by this actor, from this address; in threads it is handed to as well."""
    found = Asking(actor, address)
    before = _ASKING.set(found)
    try:
        yield found
    finally:
        _ASKING.reset(before)


def note(
    connection: Connection,
    at: datetime,
    what: str,
    on: str,
    *,
    actor: str = "",
    before: object = None,
    after: object = None,
    reason: str = "",
    ok: bool = True,
) -> None:
    """Append a line, as the last thing of a transaction. `actor`: where nobody asks over HTTP, or it is another one."""
    who = _ASKING.get()
    line = Line(
        at,
        _kept(actor or (who.actor if who else "node"), 128),
        _kept(who.address if who else "", 64),
        what[:64],
        _kept(on, 1000),
        _kept(told(before), _LONGEST),
        _kept(told(after), _LONGEST),
        _kept(reason, 2000),
        ok,
    )
    append(connection, line)
    if who:
        who.noted += 1


def pass_over() -> None:
    """This request needs no line: what it changed nobody relies on, and another line told that it began."""
    if who := _ASKING.get():
        who.noted += 1


def append(connection: Connection, line: Line) -> int:
    """Chain a line to the last one; its number."""
    take_turn(connection, Turn.AUDIT)
    last = connection.execute(select(rows.c.number, rows.c.digest).order_by(rows.c.number.desc()).limit(1)).first()
    number, previous = (last.number + 1, last.digest) if last else (1, GENESIS)
    row = {**vars(line), "ok": int(line.ok), "number": number, "previous": previous, "digest": link(previous, line)}
    connection.execute(insert(rows), row)
    return number


@dataclass(frozen=True)
class Numbered:
    """A line and its place in the chain."""

    number: int
    line: Line
    digest: str


@dataclass(frozen=True)
class Wanted:
    """Which lines; None: whatever they are."""

    actor: str | None = None
    what: str | None = None
    object: str | None = None


def page(database: Database, wanted: Wanted, before: int | None, most: int) -> list[Numbered]:
    """The newest of these lines that are older than line `before`."""
    chosen = select(rows).order_by(rows.c.number.desc()).limit(most)
    for name in ("actor", "what", "object"):
        if (value := getattr(wanted, name)) is not None:
            column = rows.c[name]
            # Few lines are about one thing: an index of the others would lead through all that somebody did.
            passed_by = wanted.object is not None and name != "object"
            chosen = chosen.where((column.concat("") if passed_by else column) == value)
    if before is not None:
        chosen = chosen.where(rows.c.number < before)
    with database.reading() as connection:
        return [_numbered(row) for row in connection.execute(chosen)]


def after(database: Database, number: int, most: int) -> list[Numbered]:
    """The lines that follow line `number`, in their order."""
    chosen = select(rows).where(rows.c.number > number).order_by(rows.c.number).limit(most)
    with database.reading() as connection:
        return [_numbered(row) for row in connection.execute(chosen)]


def broken(database: Database) -> tuple[int, ...]:
    """Numbers of the lines that do not follow from the line before; empty: the trail is whole."""
    with database.reading() as connection:
        found = connection.execution_options(yield_per=1000).execute(select(rows).order_by(rows.c.number))
        return broken_links((row.number, row.previous, row.digest, _line(row)) for row in found)


def _numbered(row: Row[Any]) -> Numbered:
    return Numbered(row.number, _line(row), row.digest)


def _line(row: Row[Any]) -> Line:
    return Line(row.at, row.actor, row.address, row.what, row.object, row.before, row.after, row.reason, bool(row.ok))


def _kept(text: str, longest: int) -> str:
    """As every database takes it, and not without end."""
    clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
