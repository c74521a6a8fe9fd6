"""What a database does for the queries it is asked: every statement is noted, and how SQLite would go about it."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

# What grows for as long as a node lives
GROWS = frozenset({
    "receipt", "instance", "series", "decision", "job", "change", "result", "delivery", "name_word", "audit", "notice",
    "series_tag", "job_series", "header", "header_column", "rule_hit", "shadow_decision", "missed", "message",
    "conclusion", "likeness", "shown", "mpps", "performed_series", "protocol_count", "commitment", "promise",
    "index_study", "index_series", "index_instance", "index_attributes", "index_file", "index_request",
    "index_prepared",
})  # fmt: skip
_EXPLAINED = re.compile(r"\s*(SELECT|WITH|UPDATE|DELETE)\b")
_LOOKS_THROUGH = re.compile(r"SCAN (\w+)( USING (?:COVERING )?INDEX (\w+))?")
_OF_FEW = frozenset({"ix_delivery_waiting", "ix_notice_untold", "ix_series_removable"})  # indexes of what waits
_FINDS_MANY = re.compile(  # by what any number of rows share
    r"SEARCH (\w+) USING .*\((state|model|destination|cause|rank|lane|shadow|removed_at|actor|what|chain|level)=\?"
)
_SORTS = "USE TEMP B-TREE FOR ORDER BY"


@dataclass(frozen=True)
class Asked:
    """A statement that a thread had a database do, with the values of one time."""

    thread: str
    database: str  # the name of its file
    statement: str
    values: Any


class Noted(list[Asked]):
    """Each statement of each thread once."""

    def plans(self, folder: Path) -> Iterator[tuple[Asked, Sequence[str]]]:
        """How each is done by the databases in the folder, line by line; not what a thread of another test asked."""
        for one in self:
            if _EXPLAINED.match(one.statement) and (folder / one.database).exists():
                with closing(sqlite3.connect(folder / one.database)) as connection:
                    rows = connection.execute(f"EXPLAIN QUERY PLAN {one.statement}", one.values).fetchall()
                yield one, [row[3] for row in rows]


@contextmanager
def statements() -> Iterator[Noted]:
    """Those of all databases and threads, until the end of the block."""
    noted, seen, lock = Noted(), set[tuple[str, str]](), threading.Lock()

    def note(connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        thread = threading.current_thread().name
        with lock:
            if (thread, statement) not in seen:
                seen.add((thread, statement))
                name = Path(connection.engine.url.database or "").name
                noted.append(Asked(thread, name, statement, values[0] if many else values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def fault(asked: Asked, plan: Sequence[str]) -> str | None:
    """Why the plan takes the longer the more there is; None: it does not.

    A page of the newest along an index looks at no more than it shows; one that is sorted first looks at everything.
    """
    a_page = "LIMIT" in asked.statement and _SORTS not in plan
    for line in plan:
        found, many = _LOOKS_THROUGH.match(line), _FINDS_MANY.match(line)
        if found and found[3] in _OF_FEW:
            continue
        if found and found[1] in GROWS and not (a_page and (found[2] or "WHERE" not in asked.statement)):
            return f"looks through the whole table: {line}"
        if many and many[1] in GROWS and _SORTS in plan:
            return f"sorts all there is: {line}"
    return None
