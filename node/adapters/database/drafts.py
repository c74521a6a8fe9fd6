"""Drafts of the rule set: one for each author, kept while it is worked on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.rule_tables import rule_draft
from node.errors import Overtaken


@dataclass(frozen=True)
class Draft:
    """A rule set that somebody is changing."""

    author: str
    base: int  # publication that it was made from
    revision: int  # grows with every change
    at: datetime
    files: Mapping[str, str]


def of_author(database: Database, author: str) -> Draft | None:
    """Whether there is one, and which."""
    with database.reading() as connection:
        row = connection.execute(select(rule_draft).where(rule_draft.c.author == author)).first()
    return Draft(row.author, row.base, row.revision, row.at, row.files) if row else None


def authors(database: Database) -> list[tuple[str, int, datetime]]:
    """Who works on one: author, publication it was made from, and when it was changed last."""
    wanted = select(rule_draft.c.author, rule_draft.c.base, rule_draft.c.at).order_by(rule_draft.c.author)
    with database.reading() as connection:
        return [(row.author, row.base, row.at) for row in connection.execute(wanted)]


def save(
    database: Database, author: str, files: Mapping[str, str], *, base: int, revision: int, now: datetime
) -> Draft:
    """Write a draft in place of its revision; 0: there is none yet. Raises Overtaken when it is another by now."""
    values = {"base": base, "revision": revision + 1, "at": now, "files": dict(files)}
    same = (rule_draft.c.author == author) & (rule_draft.c.revision == revision)
    try:
        with database.transaction() as connection:
            if revision == 0:
                connection.execute(insert(rule_draft).values(author=author, **values))
                audit.note(connection, now, "rules.draft", f"draft of {author}", actor=author, after={"base": base})
            elif not connection.execute(update(rule_draft).where(same).values(**values)).rowcount:
                raise Overtaken("your draft was changed elsewhere meanwhile: look at it again")
    except IntegrityError as there:
        raise Overtaken("your draft was begun elsewhere meanwhile: look at it again") from there
    if revision:
        audit.pass_over()  # it is saved with every few keystrokes
    return Draft(author, base, revision + 1, now, dict(files))


def discard(database: Database, author: str, revision: int) -> None:
    """Throw a draft away. Raises Overtaken when it is another revision by now."""
    same = (rule_draft.c.author == author) & (rule_draft.c.revision == revision)
    with database.transaction() as connection:
        if not connection.execute(delete(rule_draft).where(same)).rowcount:
            raise Overtaken("your draft was changed elsewhere meanwhile: look at it again")
