"""What people do with series: find them, look at one, have the rules decide anew, dismiss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from node.adapters.database import Database, finding, trace
from node.adapters.database import reopening as rows
from node.adapters.database.balance import balance
from node.adapters.database.finding import After, Found
from node.adapters.database.trace import SeriesLine
from node.core.ledger import Balance
from node.errors import NoSuch, NotProcessable, Usage

MOST = 200  # series on a page
LONGEST = 256  # characters of what is looked for


@dataclass(frozen=True)
class Page:
    """Series, the newest first."""

    series: Sequence[Found]
    after: str | None  # where the next page begins; None: this was the last


def find(
    database: Database, text: str = "", after: str | None = None, most: int = 50, *, patients: bool = True
) -> Page:
    """A page of the series that `text` asks for (adapters.database.finding); `after` is what the page before told.

    Raises Usage.
    """
    if not 1 <= most <= MOST:
        raise Usage(f"limit: a page has 1 to {MOST} series")
    if len(text) > LONGEST:
        raise Usage(f"text: {LONGEST} characters at most")
    found = finding.page(database, text, _read(after) if after else None, most + 1, patients=patients)
    last = found[most - 1] if len(found) > most else None
    return Page(found[:most], _cursor(last) if last else None)


def show(database: Database, uid: str) -> SeriesLine:
    """All that is known of a series. Raises NoSuch."""
    line = trace.line(database, uid)
    if line is None:
        raise NoSuch("there is no such series: none was received under this UID")
    return line


def balance_of(database: Database, study_instance_uid: str) -> Balance:
    """Where the instances of a study are."""
    return balance(database, study_instance_uid)


def reprocess(database: Database, uid: str, reason: str, actor: str, now: datetime) -> None:
    """Give a stored series to the rules of this moment once more, as a new version whose results take the place of
    those there are. Raises NoSuch, NotProcessable."""
    if refused := rows.reopen(database, uid, reason, actor, now):
        raise _refusal(database, uid, "reprocessed", refused)


def dismiss(database: Database, uid: str, reason: str, actor: str, now: datetime) -> None:
    """Nothing is to be done with a held series: it counts as filtered on purpose. Raises NoSuch, NotProcessable."""
    if refused := rows.dismiss(database, uid, reason, actor, now):
        raise _refusal(database, uid, "dismissed", refused)


def _refusal(database: Database, uid: str, what: str, why: str) -> NoSuch | NotProcessable:
    if trace.line(database, uid) is None:
        return NoSuch("there is no such series: none was received under this UID")
    return NotProcessable(f"this series cannot be {what}: {why}")


def _cursor(last: Found) -> str:
    return f"{last.first_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}~{last.series_instance_uid}"


def _read(cursor: str) -> After:
    moment, _, uid = cursor.partition("~")
    try:
        return After(datetime.strptime(moment, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), uid)
    except ValueError:
        raise Usage("after: this is not what a page before told") from None
