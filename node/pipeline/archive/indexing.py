"""Keeps the index up with the ledger and the results, in their order and behind the reception's back.

Where it stands is in the index itself: a kill costs the batch that was being read, and that is read again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from node.adapters.database import Database, removals
from node.adapters.database.index import Index, filling, followed, forgetting
from node.adapters.database.index.filling import Addition
from node.adapters.database.index.followed import Waiting
from node.adapters.imaging import Imaging, Indexed
from node.core.dicomweb.attributes import Level
from node.core.dicomweb.entry import entry
from node.core.dicomweb.model import Json, written
from node.errors import BadInstance

_log = structlog.get_logger(__name__)

BATCH = 64  # instances in one transaction of the index
_OTHERS_FALL_BEHIND = timedelta(minutes=1)
_MOST_REMOVED = 64  # series in one transaction
_RESULTS = "results"
_STUDY = "0020000D"


@dataclass(frozen=True)
class Indexing:
    """One step after the other, by one thread."""

    database: Database
    index: Index
    imaging: Imaging
    path_of: Callable[[str, str], Path]  # store and name → a file on this machine
    clock: Callable[[], datetime]
    chain: str  # of this process; those of others are left to them, unless they fall behind

    def step(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Index the next batch of every source; how many rows were looked at."""
        seen = filling.followed(self.index)
        known = removals.newest(self.database)  # before anything is looked at: a later one may be of that
        looked = self._removed(seen, known, is_stopping)
        looked += self._results(seen.get(_RESULTS, 0), known, is_stopping)
        for chain in followed.chains(self.database):
            looked += self._receipts(chain, seen.get(f"ledger {chain}", 0), known, is_stopping)
        return looked

    def received(self) -> int:
        """How many lines the ledger of this process has: it grows while somebody sends."""
        return followed.newest(self.database, self.chain)

    def _receipts(self, chain: str, after: int, known: int, is_stopping: Callable[[], bool]) -> int:
        before = None if chain == self.chain else self.clock() - _OTHERS_FALL_BEHIND
        last, waiting = followed.receipts(self.database, chain, after, BATCH, before)
        if last == after:
            return 0
        added = self._read("instances", waiting, is_stopping)
        if added is not None:
            filling.add(self.index, f"ledger {chain}", last, added, known)
        return last - after

    def _results(self, after: int, known: int, is_stopping: Callable[[], bool]) -> int:
        last, waiting = followed.results(self.database, after, BATCH)
        absent = filling.absent(self.index, [one.uids[1] for one in waiting])
        new = [one for one in waiting if one.uids[1] in absent]
        if len(new) > BATCH:
            new = new[:BATCH]
            last = new[-1].number
        added = self._read(_RESULTS, new, is_stopping)
        if added is None or not (new or last > after):
            return 0
        superseded = followed.superseded(self.database, [one.job_id for one in new])
        filling.add(self.index, _RESULTS, last, added, known, superseded)
        # One whose file is lost stays among those that are looked at again: it is no work left to do.
        return max(len(new), last - after) if added or last > after else 0

    def _removed(self, seen: Mapping[str, int], known: int, is_stopping: Callable[[], bool]) -> int:
        """What has no bytes any more is not found any more; what of it came again is, whoever entered the file before
        it in the meantime."""
        after = seen.get(forgetting.REMOVALS)
        if after is None:  # an empty index knows nothing of what was removed before it was made
            filling.begin_removals(self.index, known if filling.is_empty(self.index) else 0)
            return 0
        if after >= known:
            return 0
        last, gone, again = followed.removed(self.database, after, _MOST_REMOVED)
        there = {one.uids[1]: one.path for one in again}
        if missing := forgetting.not_entered(self.index, there):
            added = self._read("instances", [one for one in again if one.uids[1] in missing][:BATCH], is_stopping)
            if added is None:
                return 0
            filling.add(self.index, forgetting.REMOVALS, after, added, known)
            return len(added)
        forgetting.follow_removals(self.index, gone, after, last, there)
        return last - after

    def _read(self, store: str, waiting: Sequence[Waiting], is_stopping: Callable[[], bool]) -> list[Addition] | None:
        """None when the node stops meanwhile."""
        found: list[Addition] = []
        for one in waiting:
            if is_stopping():
                return None
            addition = self._addition(store, one)
            if addition.study_instance_uid:
                found.append(addition)
        return found

    def _addition(self, store: str, one: Waiting) -> Addition:
        sop_class_uid, sop_instance_uid, series_instance_uid, study_instance_uid = one.uids
        bulk = "/".join(
            ("studies", study_instance_uid, "series", series_instance_uid, "instances", sop_instance_uid, "bulkdata/")
        )
        try:
            path = self.path_of(store, one.path)
            read = self.imaging.index(path, bulk)
            if not study_instance_uid:
                study_instance_uid = _uid(read.entry.attributes[Level.STUDY])
                read = self.imaging.index(path, bulk.replace("studies//", f"studies/{study_instance_uid}/"))
        except BadInstance as bad:
            _log.warning("instance indexed by its UIDs only", sop_instance_uid=sop_instance_uid, reason=str(bad))
            read = _unread(one)
        return Addition(
            sop_instance_uid,
            sop_class_uid,
            series_instance_uid,
            study_instance_uid,
            read.transfer_syntax_uid,
            store,
            one.path,
            one.sha256,
            one.size,
            vars(read.place) if read.place else None,
            read.document,
            read.entry,
        )


def _uid(attributes: Json) -> str:
    values = attributes.get(_STUDY, {}).get("Value", [])
    return str(values[0])[:128] if values else ""


def _unread(one: Waiting) -> Indexed:
    """What the ledger knows of an instance whose header cannot be read."""
    tags = ("00080016", "00080018", "0020000E", _STUDY)
    header: Json = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(tags, one.uids, strict=True)}
    return Indexed(entry(header), None, "", zlib.compress(written(header)))
