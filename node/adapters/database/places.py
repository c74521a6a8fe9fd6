"""Destinations, groups of them and sources that people keep while the node runs. One transaction each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Text, cast, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters.database import audit, pauses
from node.adapters.database.engine import Database
from node.adapters.database.place_tables import place, place_change
from node.adapters.database.tables import job
from node.core.states import OPEN_JOBS
from node.errors import NoSuch, Overtaken, Usage

ADDED, EDITED, REMOVED = "added", "edited", "removed"

_TAKEN_UP = timedelta(seconds=2)  # until every process has looked again


@dataclass(frozen=True)
class Row:
    """One of them, with its secrets: for who builds it, and nobody else."""

    family: str
    name: str
    keys: Mapping[str, object]
    secrets: Mapping[str, str]
    revision: int


@dataclass(frozen=True)
class Changed:
    """A line of the history."""

    number: int
    action: str
    at: datetime
    actor: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


def number(database: Database) -> int:
    """Of the last change; 0: none ever. What is cheap to ask again and again."""
    with database.reading() as connection:
        return connection.scalar(select(func.max(place_change.c.id))) or 0


def listed(database: Database) -> tuple[int, list[Row]]:
    """The number of the last change, and what was there then, by family and name."""
    with database.reading() as connection:
        newest = connection.scalar(select(func.max(place_change.c.id))) or 0
        rows = connection.execute(select(place).order_by(place.c.family, place.c.name)).all()
    return newest, [Row(row.family, row.name, row.written, row.secrets, row.revision) for row in rows]


def add(database: Database, new: Row, actor: str, now: datetime) -> None:
    """Raises Usage when there is one of this name."""
    values = {"written": dict(new.keys), "secrets": dict(new.secrets), "revision": 1}
    try:
        with database.transaction() as connection:
            connection.execute(insert(place).values(family=new.family, name=new.name, **values))
            _note(connection, new, ADDED, None, new.keys, actor, now)
    except IntegrityError as there:
        cure = "choose another name, or edit that one"
        raise Usage(f"there is a {new.family} {new.name} already: {cure}") from there


def edit(database: Database, new: Row, actor: str, now: datetime) -> int:
    """Put `new` in the place of its revision; the one that it has now.

    Raises NoSuch; Overtaken when the row is of another revision than `new.revision` by now.
    """
    with database.transaction() as connection:
        before = _demanded(connection, new.family, new.name, new.revision)
        values = {"written": dict(new.keys), "secrets": dict(new.secrets), "revision": new.revision + 1}
        mine = (place.c.family == new.family) & (place.c.name == new.name)
        connection.execute(update(place).where(mine).values(**values))
        if new.family == "group":  # what waits for its members of before need not wait for their time
            pauses.due_now(connection, new.name, now + _TAKEN_UP)
        _note(connection, new, EDITED, before, new.keys, actor, now)
    return new.revision + 1


def remove(database: Database, family: str, name: str, revision: int, actor: str, now: datetime) -> None:
    """Raises NoSuch; Overtaken; Usage while something waits for a destination or a group."""
    with database.transaction() as connection:
        before = _demanded(connection, family, name, revision)
        if family != "source" and (waiting := _waiting(connection, name)):
            raise Usage(
                f"{waiting} jobs wait for {name}. Let them be delivered, or cancel them"
                f" (`mricore-node jobs list --destination {name}`), and remove it then"
            )
        connection.execute(delete(place).where(place.c.family == family, place.c.name == name))
        _note(connection, Row(family, name, {}, {}, revision), REMOVED, before, None, actor, now)


def history(database: Database, family: str, name: str, most: int = 50) -> list[Changed]:
    """What was done to one, newest first."""
    mine = select(place_change).where(place_change.c.family == family, place_change.c.name == name)
    with database.reading() as connection:
        rows = connection.execute(mine.order_by(place_change.c.id.desc()).limit(most)).all()
    return [Changed(row.id, row.action, row.at, row.actor, row.before, row.after) for row in rows]


def _waiting(connection: Connection, name: str) -> int:
    """Open jobs that have something for it."""
    named = cast(job.c.destinations, Text).contains(json.dumps(name), autoescape=True)
    wanted = select(func.count()).select_from(job).where(job.c.state.in_(OPEN_JOBS), named)
    return connection.scalar(wanted) or 0


def _demanded(connection: Connection, family: str, name: str, revision: int) -> Mapping[str, object]:
    mine = select(place.c.revision, place.c.written).where(place.c.family == family, place.c.name == name)
    row = connection.execute(mine.with_for_update()).first()
    if row is None:
        raise NoSuch(f"there is no {family} {name} that can be changed here")
    if row.revision != revision:
        raise Overtaken(f"{family} {name} was changed meanwhile (revision {row.revision}): look at it again")
    found: Mapping[str, object] = row.written
    return found


def _note(
    connection: Connection,
    about: Row,
    action: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    actor: str,
    now: datetime,
) -> None:
    row = {"family": about.family, "name": about.name, "action": action, "at": now, "actor": actor}
    told = {"before": dict(before) if before is not None else None, "after": dict(after) if after is not None else None}
    connection.execute(insert(place_change).values(**row, **told))
    word = {ADDED: "add", EDITED: "edit", REMOVED: "remove"}[action]
    audit.note(
        connection,
        now,
        f"{about.family}.{word}",
        f"{about.family} {about.name}",
        actor=actor,
        before=before,
        after=after,
    )
