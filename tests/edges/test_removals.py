"""Whatever is sent, sent again, corrected, removed and cut off, in whatever order: what is found is what is there, the
ledger balances, and bytes that are gone have a line that says by whom."""

from __future__ import annotations

import copy
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pydicom.uid import UID
from sqlalchemy import MetaData, Row, delete, select

from node.adapters.database import Database, claims, erasing, jobs, reopening, retention, series
from node.adapters.database.balance import balance
from node.adapters.database.erasing import Asked
from node.adapters.database.index import Index, searching
from node.adapters.database.index import tables as index_tables
from node.adapters.database.ledger import Ledger, broken_chains
from node.adapters.database.removal_tables import removal
from node.adapters.database.tables import instance, metadata, receipt, result
from node.adapters.database.tables import series as series_rows
from node.adapters.imaging import Imaging
from node.core.arrival import Arrival
from node.core.dicomweb.attributes import Level
from node.core.dicomweb.query import read_query
from node.core.jobs import Job, MadeResult, NewJob
from node.core.ledger import Disposition
from node.core.states import JobState, SeriesState
from node.errors import NodeError
from node.pipeline.archive import Indexing
from node.pipeline.archive.erasing import Erasing
from tests.clock import Clock
from tests.databases import url
from tests.synthetic import Grid, mr_series, to_bytes
from tests.waiting import NOON, arrival

__all__ = ["url"]

_TEMPLATE = mr_series(Grid(slices=1, rows=2, columns=2))[0]
_STUDY, _SERIES = "1.9", ("1.1", "1.2")
_INSTANCES = {"1.1.1": "1.1", "1.1.2": "1.1", "1.2.1": "1.2"}  # and their series


_SENT = st.lists(st.tuples(st.sampled_from(sorted(_INSTANCES)), st.sampled_from("ab")), max_size=4)


class KilledError(Exception):
    """The process ends here."""


def _image(uid: str, series_uid: str, comment: str, modality: str = "MR") -> bytes:
    ds = copy.deepcopy(_TEMPLATE)
    ds.SOPInstanceUID = uid
    ds.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    ds.SeriesInstanceUID, ds.StudyInstanceUID = series_uid, _STUDY
    ds.ImageComments, ds.Modality, ds.InstanceNumber = comment, modality, _number(comment)
    return to_bytes(ds)


def _number(comment: str) -> int:
    return ord(comment[0]) - ord("a")


_CONTENT = {(uid, one): _image(uid, of, one) for uid, of in _INSTANCES.items() for one in "ab"}


class Removals(RuleBasedStateMachine):
    """One node: database, index, files."""

    def __init__(self, url: str, folder: Path, imaging: Imaging) -> None:
        super().__init__()
        self.database, self.index = Database(url), Index(url.replace("node.db", "index.db"))
        self.folder, self.clock = folder, Clock(NOON)
        self.indexing = Indexing(self.database, self.index, imaging, self._path, self.clock, "A")
        self.number = 0  # of the next file
        self.ledgers: dict[str, Ledger] = {}

    @initialize(routed=st.booleans())
    def begin(self, routed: bool) -> None:
        _empty(self.database, metadata)
        _empty(self.index, index_tables.metadata)
        for path in self.folder.rglob("*.dcm"):
            path.unlink()
        self.ledgers = {name: Ledger(self.database, name, timedelta(seconds=1)) for name in "AB"}
        self.send([(uid, "a") for uid in _INSTANCES], "A", False)
        self.settle(routed, JobState.COMPLETED)

    def teardown(self) -> None:
        self.found_is_what_is_there()
        for ledger in self.ledgers.values():
            ledger.close()
        self.database.close()
        self.index.close()

    # What happens.

    @rule(
        sent=_SENT,
        chain=st.sampled_from("AAAB"),
        killed=st.sampled_from([False, False, False, True]),
    )
    def send(self, sent: list[tuple[str, str]], chain: str, killed: bool) -> None:
        """In one commit, or cut off before it."""
        self.clock.advance(1)
        arrivals = [self._arrival(uid, content) for uid, content in sent]
        if killed:
            return
        for one, line in zip(arrivals, self.ledgers[chain].record(arrivals), strict=True):
            if not line.path:
                self._path("instances", one.receipt.path).unlink()

    @rule(routed=st.booleans(), ends=st.sampled_from([JobState.COMPLETED, JobState.COMPLETED, JobState.FAILED]))
    def settle(self, routed: bool, ends: JobState) -> None:
        self.clock.advance(100)
        state = SeriesState.ROUTED if routed else SeriesState.FILTERED
        asked = [NewJob("rule", "v1", "head", "", "", ("pacs",), "routine")] if routed else []
        for uid in _SERIES:
            if seen := series.waiting(self.database, uid):
                assert seen.instances
                series.settle(self.database, seen, series.Verdict(state, "", "", "v1", "", [], asked), self.clock())
        while claimed := claims.claim(self.database, self.clock()):
            self._make_result(claimed)
            jobs.finish(self.database, claimed.id, ends, "", self.clock())

    @rule(killed=st.booleans(), looks=st.booleans(), then=_SENT)
    def retain(self, killed: bool, looks: bool, then: list[tuple[str, str]]) -> None:
        self.settle(killed, JobState.COMPLETED)
        for one in retention.oldest(self.database, 9)[:1]:
            if (removed := retention.remove(self.database, one, "", self.clock())) and not killed:
                for store, paths in zip(("instances", "results"), removed, strict=True):
                    for path in paths:
                        self._path(store, path).unlink()
        if looks:
            self.indexing.step()
        self.send(then, "A", False)

    @rule(
        what=st.one_of(
            st.just(("", "")),
            st.sampled_from([(uid, "") for uid in _SERIES]),
            st.sampled_from([(of, uid) for uid, of in _INSTANCES.items()]),
            st.just(("made", "")),
            st.just(("made", "instance")),
        ),
        killed=st.sampled_from([None, None, None, 0, 1]),
        looks=st.booleans(),
        then=_SENT,
    )
    def erase(self, what: tuple[str, str], killed: int | None, looks: bool, then: list[tuple[str, str]]) -> None:
        self._erase(what, killed)
        if looks:
            self.indexing.step()
        self.send(then, "A", False)

    def _erase(self, what: tuple[str, str], killed: int | None) -> None:
        self.settle(killed is None, JobState.COMPLETED)
        of, uid = what
        if of == "made":
            made = self._rows(select(result).order_by(result.c.id.desc()))
            if not made:
                return
            of, uid = made[0].series_instance_uid, made[0].sop_instance_uid if uid else ""
        asked = Asked(_STUDY, of, uid, "anna", "wrong")
        if killed == 0:  # between the rows and the index
            for portion in erasing.plan(self.database, asked).portions:
                erasing.erase(self.database, asked, portion, self.clock())
            return
        left = [1 if killed else 99]

        def drop(store: str, path: str) -> None:
            self._path(store, path).unlink()
            left[0] -= 1
            if not left[0]:
                raise KilledError

        acting = Erasing(
            self.database, self.index, lambda path: drop("instances", path), lambda path: drop("results", path),
            self.clock,
        )  # fmt: skip
        try:
            acting.erase(asked)
        except (NodeError, KilledError):
            return

    @rule(what=st.sampled_from(["look", "stop", "make again", "sweep", *_SERIES]))
    def tend(self, what: str) -> None:
        if what in ("look", "stop"):
            self.indexing.step(lambda: what == "stop")
        elif what == "make again":
            _empty(self.index, index_tables.metadata)
        elif what == "sweep":
            self._sweep()
        else:
            reopening.reopen(self.database, what, "", "anna", self.clock())

    # What holds.

    @invariant()
    def the_ledger_balances(self) -> None:
        assert broken_chains(self.database) == {}
        for study in (None, _STUDY):
            found = balance(self.database, study)
            assert found.residue == 0, found

    @invariant()
    def what_was_acknowledged_is_there_or_it_is_said_who_removed_it(self) -> None:
        instances = {row.sop_instance_uid: row for row in self._rows(select(instance))}
        gone = {(row.series_instance_uid, row.sop_instance_uid): row for row in self._rows(select(removal))}
        for line in self._rows(select(receipt)):
            kept = instances[line.sop_instance_uid]
            if line.disposition == Disposition.CONFLICT:
                assert self._digest("instances", line.path) == line.sha256
            elif kept.removed_at is None and kept.sha256 == line.sha256:
                assert self._digest("instances", kept.path) == line.sha256
            else:
                of = line.series_instance_uid
                said = [gone[key] for key in ((of, ""), (of, line.sop_instance_uid)) if key in gone]
                assert said, line
                assert {row.actor for row in said} <= {"anna", "retention"}
            if kept.removed_at is None:
                assert kept.erased_by is None
        for row in self._rows(select(result).where(result.c.removed_at.is_(None))):
            assert self._digest("results", row.path) == row.sha256

    @invariant()
    def a_series_says_that_it_is_gone_when_it_is(self) -> None:
        there = {row.series_instance_uid for row in self._rows(select(instance).where(instance.c.removed_at.is_(None)))}
        for row in self._rows(select(series_rows)):
            assert (row.removed_at is None) == (row.series_instance_uid in there)

    @rule()
    def found_is_what_is_there(self) -> None:
        self.clock.advance(120)
        self.indexing.step()
        while self.indexing.step():
            pass
        there = {
            (row.sop_instance_uid, row.path)
            for table in (instance, result)
            for row in self._rows(select(table).where(table.c.removed_at.is_(None)))
        }
        file, one = index_tables.file, index_tables.instance
        with self.index.reading() as connection:
            held = connection.execute(select(one.c.sop_instance_uid, file.c.path, file.c.document).join(file)).all()
        assert {(row.sop_instance_uid, row.path) for row in held} == there
        for row in held:
            said = json.loads(zlib.decompress(row.document))["00204000"]["Value"][0]
            assert said == ("made" if row.path.startswith("2.") else row.path[0])
        query = read_query(Level.INSTANCE, [("superseded", "true")])
        hits = searching.search(self.index, query).hits
        assert sorted(hit.sop_instance_uid for hit in hits) == sorted(uid for uid, _ in there)
        paths = dict(there)
        for hit in hits:
            path = paths[hit.sop_instance_uid]
            number = _number("made" if path.startswith("2.") else path)
            assert hit.attributes[Level.INSTANCE]["00200013"]["Value"] == [number]

    # On the way.

    def _arrival(self, uid: str, content: str) -> Arrival:
        self.number += 1
        data = _CONTENT[uid, content]
        path = f"{content}{self.number}.dcm"
        self._path("instances", path).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        line = arrival(_INSTANCES[uid], self.clock()).receipt
        line = replace(line, sop_instance_uid=uid, study_instance_uid=_STUDY)
        return Arrival(replace(line, sha256=sha256, path=path, size=len(data)), None)

    def _make_result(self, claimed: Job) -> None:
        self.number += 1
        made_series, uid = f"2.{self.number}", f"2.{self.number}.1"
        data = _image(uid, made_series, "made", "SEG")
        self._path("results", f"{uid}.dcm").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        made = MadeResult("SEG", "1.2", made_series, uid, f"{uid}.dcm", sha256, len(data))
        jobs.keep_results(self.database, claimed, [made], [], {}, "1")

    def _sweep(self) -> None:
        for store, named in (("instances", retention.named), ("results", retention.named_results)):
            there = [path.name for path in (self.folder / store).iterdir()]
            for name in set(there) - named(self.database, there):
                self._path(store, name).unlink()

    def _path(self, store: str, name: str) -> Path:
        return self.folder / store / name

    def _digest(self, store: str, name: str) -> str:
        return hashlib.sha256(self._path(store, name).read_bytes()).hexdigest()

    def _rows(self, wanted: Any) -> list[Row[Any]]:
        with self.database.reading() as connection:
            return list(connection.execute(wanted))


def _empty(database: Database, tables: MetaData) -> None:
    with database.transaction() as connection:
        for table in reversed(tables.sorted_tables):
            if table is not index_tables.version:
                connection.execute(delete(table))


@pytest.fixture(scope="module")
def imaging() -> Iterator[Imaging]:
    with Imaging(1) as started:
        yield started


def test_what_is_found_is_what_is_there_and_nothing_is_lost(url: str, tmp_path: Path, imaging: Imaging) -> None:
    for store in ("instances", "results"):
        (tmp_path / store).mkdir()
    database, index = Database(url), Index(url.replace("node.db", "index.db"))
    database.migrate()
    index.migrate()
    database.close()
    index.close()
    many = 30 if url.startswith("sqlite") else 8
    run_state_machine_as_test(
        lambda: Removals(url, tmp_path, imaging),  # type: ignore[arg-type] # what makes one does too
        settings=settings(
            max_examples=many, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
