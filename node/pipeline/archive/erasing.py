"""Removing what a person wants removed, in the way of retention: rows stay, what is not settled stays whole.

First the rows say that the bytes are gone, then the index forgets them, then the files go. What a kill leaves behind
the index forgets by itself, as it follows the removals, and files that no row counts on are swept up. A large study
goes in portions, so that nobody who sends is kept waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from node.adapters.database import Database, erasing
from node.adapters.database.erasing import Asked
from node.adapters.database.index import Index, forgetting
from node.adapters.database.removals import Gone
from node.errors import NodeError, NoSuch, NotSettled

_log = structlog.get_logger(__name__)

_LONGEST = timedelta(seconds=20)  # that one request takes a thread, and a client waits


@dataclass(frozen=True)
class Outcome:
    """How many series are done with, of how many."""

    series: int
    of: int


@dataclass(frozen=True)
class Erasing:
    """What it needs to know of the store."""

    database: Database
    index: Index
    drop_instance: Callable[[str], None]  # by the name that its row has
    drop_result: Callable[[str], None]
    clock: Callable[[], datetime]

    def erase(self, asked: Asked) -> Outcome:
        """Remove it, or as much of it as there is time for. Raises NoSuch, NotSettled, StoreUnavailable."""
        plan = erasing.plan(self.database, asked)
        if plan.unsettled:
            raise NotSettled(f"{_not_settled(plan.unsettled)}. Finish, cancel or dismiss that first")
        if not plan.portions:
            raise NoSuch("there is no such study, series or instance here")
        begin = self.clock()
        done = 0
        for portion in plan.portions:
            now = self.clock()
            if done and now - begin > _LONGEST:
                break
            erased = erasing.erase(self.database, asked, portion, now)
            if erased.unsettled:
                so_far = f"{done} of {plan.series} series were deleted by then" if done else "nothing was deleted"
                raise NotSettled(f"{_not_settled(erased.unsettled)}, since a moment ago: {so_far}")
            self._drop(erased.files)
            done += len(portion)
        _log.info("bytes removed", series=done, left=plan.series - done, reason="asked for over DICOMweb")
        return Outcome(done, plan.series)

    def _drop(self, gone: Sequence[Gone]) -> None:
        forgetting.forget(self.index, gone)
        for one in gone:
            try:
                (self.drop_instance if one.store == "instances" else self.drop_result)(one.path)
            except NodeError as failed:  # it is swept up later
                _log.warning("file not removed", reason=str(failed))


def _not_settled(uids: Sequence[str]) -> str:
    many = f", nor are {len(uids) - 1} others" if len(uids) > 1 else ""
    return (
        f"series {uids[0]} is not settled{many}: it waits, is held, has work to be done or failed, "
        "or its sender was promised that it is kept"
    )
