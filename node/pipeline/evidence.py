"""What others say about a series that waits: the modality, the PACS it comes from, and its protocol's history."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from node.adapters.association import RemoteAE
from node.adapters.database import Database
from node.adapters.database import evidence as rows
from node.adapters.database.series import WaitingSeries
from node.adapters.queryscu import related_instances
from node.core.completion import Known
from node.core.dicom import Facts
from node.errors import NodeError

_log = structlog.get_logger(__name__)

_EARLIER = 5  # series of the same protocol that are remembered
_REMEMBERED = 10_000  # counts of series


@dataclass(frozen=True)
class _Counted:
    """An answer of a PACS."""

    count: int | None
    at: datetime


class SourceQueries:
    """Asks the PACS that a series comes from how many instances it has."""

    def __init__(
        self,
        sources: Mapping[str, RemoteAE],
        clock: Callable[[], datetime],
        *,
        settle: timedelta = timedelta(seconds=1),
        again: timedelta = timedelta(seconds=1),
        back_off: timedelta = timedelta(seconds=30),
        patience: timedelta = timedelta(seconds=1),
        answered: Callable[[str], None] = lambda _series: None,
    ) -> None:
        """`sources`: calling AE title → where to ask. A series is asked for when it was quiet for `settle`.

        The clerk waits for an answer for `patience`; of a count that came too late for him `answered` is told, and it
        is used at the next look. A PACS that does not answer at all is left alone for `back_off`.
        """
        self._sources, self._clock = sources, clock
        self._settle, self._again, self._back_off = settle, again, back_off
        self._patience, self._answered = patience, answered
        self._counted: dict[tuple[str, int], _Counted] = {}
        self._asking: dict[tuple[str, int], Future[None]] = {}
        self._silent: dict[str, datetime] = {}  # calling AE title → until when it is left alone
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="query")

    def close(self) -> None:
        """Ask no more; a question that is asked ends by its time-out."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def related(self, seen: WaitingSeries) -> int | None:
        """The count, asked for now unless it is fresh; None when nobody can say."""
        remote = self._sources.get(seen.calling_ae)
        now = self._clock()
        if remote is None or now - seen.last_at < self._settle:
            return None
        key = (seen.series_instance_uid, seen.version)
        counted = self._valid(key, seen)
        if counted is None or now - counted.at >= self._again:
            self._ask(key, seen, remote, now)
            counted = self._valid(key, seen)
        return counted.count if counted else None

    def _valid(self, key: tuple[str, int], seen: WaitingSeries) -> _Counted | None:
        """An answer older than the last arrival says nothing: the PACS may have been receiving the series itself."""
        with self._lock:
            counted = self._counted.get(key)
        return counted if counted and counted.at >= seen.last_at else None

    def _ask(self, key: tuple[str, int], seen: WaitingSeries, remote: RemoteAE, now: datetime) -> None:
        with self._lock:
            if now < self._silent.get(seen.calling_ae, now):
                return
            asking = self._asking.get(key)
            if asking is None:
                asking = self._asking[key] = self._pool.submit(self._query, key, seen, remote)
        try:
            asking.result(timeout=self._patience.total_seconds())
        except TimeoutError:
            asking.add_done_callback(lambda _done: self._answered(seen.series_instance_uid))

    def _query(self, key: tuple[str, int], seen: WaitingSeries, remote: RemoteAE) -> None:
        try:
            self._remember(key, related_instances(remote, seen.study_instance_uid, seen.series_instance_uid))
        except NodeError as failed:
            self._give_up(seen, str(failed))
        except Exception:  # noqa: BLE001 # a foreign library on a peer's answer: it is no evidence, and is logged
            _log.exception("source not asked", series_instance_uid=seen.series_instance_uid)
            self._give_up(seen, "its answer could not be read")
        finally:
            with self._lock:
                self._asking.pop(key, None)

    def _remember(self, key: tuple[str, int], count: int | None) -> None:
        with self._lock:
            self._counted[key] = _Counted(count, self._clock())
            while len(self._counted) > _REMEMBERED:
                self._counted.pop(next(iter(self._counted)))

    def _give_up(self, seen: WaitingSeries, reason: str) -> None:
        _log.warning("source does not count", series_instance_uid=seen.series_instance_uid, reason=reason)
        with self._lock:
            self._silent[seen.calling_ae] = self._clock() + self._back_off


@dataclass(frozen=True)
class Evidence:
    """What completion is told beside the facts of the instances."""

    database: Database
    queries: SourceQueries
    clock: Callable[[], datetime]

    def known(self, seen: WaitingSeries, facts: Sequence[Facts]) -> Known:
        """Raises StoreUnavailable."""
        protocol = self._protocol(seen, facts)
        uid = seen.series_instance_uid
        return Known(
            mpps_instances=rows.reported_instances(self.database, uid),
            related_instances=self.queries.related(seen),
            earlier_counts=rows.earlier_counts(self.database, protocol, uid, _EARLIER) if protocol else (),
        )

    def learn(self, seen: WaitingSeries, facts: Sequence[Facts]) -> None:
        """Remember how many instances a complete series had. Raises StoreUnavailable."""
        protocol = self._protocol(seen, facts)
        if protocol:
            rows.note_count(self.database, protocol, seen.series_instance_uid, len(seen.instances), self.clock())

    def _protocol(self, seen: WaitingSeries, facts: Sequence[Facts]) -> str:
        """A digest of sender, protocol name and description; "" when the series names no protocol.

        Patients are not told apart by it, and the names themselves, which may hold anything, are not kept twice.
        """
        description = rows.series_description(self.database, seen.series_instance_uid)
        return protocol_key(seen.calling_ae, description, facts)


def protocol_key(calling_ae: str, series_description: str, facts: Sequence[Facts]) -> str:
    """The same for series that the same sender makes in the same way; "" when nothing names the protocol."""
    names = sorted({one.protocol_name for one in facts if one.protocol_name})
    if not names and not series_description.strip():
        return ""
    kinds = sorted({(one.modality, one.sop_class_uid) for one in facts})
    parts = (calling_ae, series_description.strip(), *names, *(f"{modality}/{uid}" for modality, uid in kinds))
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
