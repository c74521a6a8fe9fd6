"""Rule sets that wait for a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from node.adapters.database import audit
from node.adapters.database.engine import Database
from node.adapters.database.rule_tables import proposal
from node.errors import NoSuch, Overtaken

OPEN, APPROVED, REJECTED = "open", "approved", "rejected"


@dataclass(frozen=True)
class Proposal:
    """A rule set that somebody wants in use."""

    id: int
    version: str
    base: int  # publication that was in use when it was proposed; 0: none
    at: datetime
    author: str
    reason: str
    origin: str
    state: str
    decided_by: str
    simulation: Mapping[str, object] | None


def propose(
    database: Database,
    version: str,
    base: int,
    *,
    author: str,
    reason: str,
    origin: str,
    simulation: Mapping[str, object] | None,
    now: datetime,
) -> Proposal:
    """Write a proposal."""
    row = {"version": version, "base": base, "at": now, "author": author, "reason": reason, "origin": origin,
           "state": OPEN, "decided_by": "", "simulation": simulation}  # fmt: skip
    with database.transaction() as connection:
        key = connection.execute(insert(proposal).values(row)).inserted_primary_key
        audit.note(connection, now, "rules.propose", f"rule set {version[:12]}", actor=author, reason=reason)
    return get(database, int(key[0]) if key else 0)


def get(database: Database, proposal_id: int) -> Proposal:
    """Raises NoSuch."""
    with database.reading() as connection:
        row = connection.execute(select(proposal).where(proposal.c.id == proposal_id)).first()
    if row is None:
        raise NoSuch(f"there is no proposal {proposal_id}. See `mricore-node rules proposals`")
    return _proposal(row)


def waiting(database: Database) -> list[Proposal]:
    """Those nobody has decided on, the oldest first."""
    wanted = select(proposal).where(proposal.c.state == OPEN).order_by(proposal.c.id)
    with database.reading() as connection:
        return [_proposal(row) for row in connection.execute(wanted)]


def decide(database: Database, proposal_id: int, state: str, by: str, now: datetime) -> None:
    """Close a proposal. Raises Overtaken when somebody did already."""
    still_open = (proposal.c.id == proposal_id) & (proposal.c.state == OPEN)
    with database.transaction() as connection:
        decided = update(proposal).where(still_open).values(state=state, decided_by=by, decided_at=now)
        decided_now = connection.execute(decided).rowcount
        if decided_now:
            audit.note(connection, now, f"rules.{state}", f"proposal {proposal_id}", actor=by, before=OPEN, after=state)
        else:
            raise Overtaken(f"proposal {proposal_id} was decided already. See `mricore-node rules history`")


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(row.id, row.version, row.base, row.at, row.author, row.reason, row.origin, row.state,
                    row.decided_by, row.simulation)  # fmt: skip
