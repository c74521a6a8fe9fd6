"""What one of several processes does alone, like following a feed. No process leads: each lease has its own holder.

A lease counts while its holder is among the living (`processes`): who leaves, or gives no sign of life, gives it up.
One that slept and wakes is no holder any more. What it still does then must do no harm: a lease saves work twice done.
"""

from __future__ import annotations

from sqlalchemy import exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters.database.engine import Database
from node.adapters.database.engine_tables import lease, process


def hold(database: Database, name: str, process_id: str) -> bool:
    """Whether this process has the lease: it had it before, or nobody who lives has it. Raises StoreUnavailable."""
    me_lives = exists(select(process.c.id).where(process.c.id == process_id))
    mine = (lease.c.name == name) & (lease.c.holder == process_id)
    with database.reading() as connection:
        if connection.scalar(select(lease.c.name).where(mine, me_lives)):
            return True
    free = lease.c.holder.not_in(select(process.c.id))
    try:
        with database.transaction() as connection:
            taken = update(lease).where(lease.c.name == name, free, me_lives).values(holder=process_id)
            if connection.execute(taken).rowcount:
                return True
            if not connection.scalar(select(me_lives)):
                return False
            if connection.scalar(select(lease.c.name).where(lease.c.name == name)):
                return bool(connection.scalar(select(lease.c.name).where(mine)))
            connection.execute(insert(lease).values(name=name, holder=process_id))
    except IntegrityError:  # another one was quicker with a lease that is new
        return False
    return True


def holders(database: Database) -> dict[str, str]:
    """Lease → the living process that holds it."""
    with database.reading() as connection:
        rows = connection.execute(select(lease).join(process, process.c.id == lease.c.holder).order_by(lease.c.name))
        return {row.name: row.holder for row in rows}
