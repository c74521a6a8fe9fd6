"""What each sender asked for last: who is to be admitted is known by it. One transaction each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from node.adapters.database.engine import Database
from node.adapters.database.place_tables import sender_request as rows
from node.adapters.database.tables import sender

_CLASSES_AT_MOST = 128  # PS3.8 9.3.2.2: as many contexts as a request can have


@dataclass(frozen=True)
class Request:
    """An association request."""

    called_ae: str
    certificate_name: str  # "": it showed none
    proposed: tuple[str, ...]  # SOP Class UIDs


def note(database: Database, calling_ae: str, host: str, request: Request) -> None:
    """Keep it in the place of the last one. Requests of senders that the list has dropped go with them."""
    values = {
        "called_ae": request.called_ae,
        "certificate_name": request.certificate_name,
        "proposed": [uid[:64] for uid in request.proposed[:_CLASSES_AT_MOST]],
    }
    mine = (rows.c.calling_ae == calling_ae) & (rows.c.host == host)
    with database.transaction() as connection:
        there = connection.execute(select(rows).where(mine)).first()
        if there is None:
            known = select(sender.c.host).where(sender.c.calling_ae == rows.c.calling_ae, sender.c.host == rows.c.host)
            connection.execute(delete(rows).where(~known.exists()))
            connection.execute(insert(rows).values(calling_ae=calling_ae, host=host, **values))
        elif any(getattr(there, name) != value for name, value in values.items()):
            connection.execute(update(rows).where(mine).values(**values))


def known(database: Database) -> dict[tuple[str, str], Request]:
    """Calling AE title and host → its last request."""
    with database.reading() as connection:
        found = connection.execute(select(rows)).all()
    return {(row.calling_ae, row.host): Request(row.called_ae, row.certificate_name, (*row.proposed,)) for row in found}
