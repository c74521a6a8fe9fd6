"""Removing what a person wants removed, in the way of retention: rows stay, what is not settled stays whole.

First the rows say that the bytes are gone, then the index forgets them, then the files go. What a kill leaves behind
is swept up as every file is that no row counts on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from node.adapters.database import Database, erasing
from node.adapters.database.erasing import Asked
from node.adapters.database.index import Index, filling
from node.errors import NodeError, NoSuch, NotSettled

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Erasing:
    """What it needs to know of the store."""

    database: Database
    index: Index
    drop_instance: Callable[[str], None]  # by the name that its row has
    drop_result: Callable[[str], None]
    clock: Callable[[], datetime]

    def erase(self, asked: Asked) -> int:
        """Remove it; of how many instances. Raises NoSuch, NotSettled, StoreUnavailable."""
        erased = erasing.erase(self.database, asked, self.clock())
        if not erased.found:
            raise NoSuch("there is no such study, series or instance here")
        if erased.unsettled:
            many = f", nor are {len(erased.unsettled) - 1} others" if len(erased.unsettled) > 1 else ""
            raise NotSettled(
                f"series {erased.unsettled[0]} is not settled{many}: it waits, is held, has work to be done or failed, "
                "or its sender was promised that it is kept. Finish, cancel or dismiss that first"
            )
        gone = [("instances", path) for path in erased.instances] + [("results", path) for path in erased.results]
        filling.forget(self.index, gone)
        for path in erased.instances:
            _drop(self.drop_instance, path)
        for path in erased.results:
            _drop(self.drop_result, path)
        _log.info("bytes removed", instances=len(gone), reason="asked for over DICOMweb")
        return len(gone)


def _drop(drop: Callable[[str], None], path: str) -> None:
    """One that cannot be removed now is swept up later."""
    try:
        drop(path)
    except NodeError as failed:
        _log.warning("file not removed", reason=str(failed))
