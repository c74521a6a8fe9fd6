"""Storage commitment: requests are kept at once, and reported on an association of our own until they are heard.

The node promises only what the site says it may (`[commitment] mode`). "kept": that an instance lies durably in
this node's store is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from node.adapters.association import RemoteAE
from node.adapters.commitmentscu import report
from node.adapters.database import Database
from node.adapters.database import commitment as rows
from node.adapters.database.commitment import GIVEN_UP, REPORTED, WAITING, Open
from node.adapters.files import Files
from node.adapters.objects import kept_size
from node.core.fault import PROCESSING_FAILURE, Fault
from node.core.storage_commitment import Report, Request, event, judge
from node.errors import DestinationUnavailable

_log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT, _GIVE_UP = timedelta(seconds=5), timedelta(hours=1), timedelta(days=7)


def wait_after(attempts: int) -> timedelta:
    """How long after so many attempts a report is tried again."""
    return min(_FIRST_WAIT * (1 << min(attempts - 1, 12)), _LONGEST_WAIT)


@dataclass(frozen=True)
class Commitments:
    """What a Storage Commitment SCP needs."""

    database: Database
    files: Files
    clock: Callable[[], datetime]
    addresses: Mapping[str, RemoteAE]  # calling AE title → where it hears reports
    wake: Callable[[], None]  # there is something to report

    def request(self, calling_ae: str, request: Request) -> Fault | None:
        """N-ACTION; None when it was kept. Raises StoreUnavailable."""
        if calling_ae not in self.addresses:
            _log.warning("storage commitment refused", calling_ae=calling_ae, reason="source.commitment is not set")
            return Fault(PROCESSING_FAILURE, "the node does not know where to report to")
        rows.keep(self.database, calling_ae, request, self.clock())
        _log.info("storage commitment requested", calling_ae=calling_ae, transaction_uid=request.transaction_uid)
        self.wake()
        return None

    def report_next(self) -> bool:
        """Try the report that is due longest; False when none is. Raises StoreUnavailable."""
        one = rows.next_open(self.database, self.clock())
        if one is None:
            return False
        answer, state, next_try_at = self._attempt(one)
        rows.note(self.database, one, state, answer, next_try_at)
        _log.info(
            "storage commitment",
            calling_ae=one.calling_ae,
            transaction_uid=one.request.transaction_uid,
            state=state,
            reason=answer,
        )
        return True

    def _attempt(self, one: Open) -> tuple[str, str, datetime | None]:
        """What was said, the state that follows, and when to try again."""
        made = self._judged(one.request)
        event_type, information = event(one.request.transaction_uid, made)
        try:
            remote = self.addresses.get(one.calling_ae)
            if remote is None:
                raise DestinationUnavailable("source.commitment is not set any more")  # noqa: TRY301 # one way out
            report(remote, event_type, information)
        except DestinationUnavailable as unheard:
            now = self.clock()
            if now - one.requested_at > _GIVE_UP:
                return f"{unheard}; given up", GIVEN_UP, None
            return str(unheard), WAITING, now + wait_after(one.attempts + 1)
        return f"{len(made.committed)} committed, {len(made.failed)} failed", REPORTED, None

    def _judged(self, request: Request) -> Report:
        """By what lies in the store now, at each attempt anew: a promise is made when it is heard."""
        stored = rows.stored(self.database, [one.sop_instance_uid for one in request.references])
        there = {uid: one for uid, one in stored.items() if kept_size(self.files, one.path) is not None}
        disputed = {uid for uid, one in there.items() if one.disputed}
        return judge(request.references, {uid: one.sop_class_uid for uid, one in there.items()}, disputed)
