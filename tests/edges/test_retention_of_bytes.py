"""Bytes that go while their rows stay; and files that a crash left behind."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from node.adapters.database import commitment, trace
from node.adapters.database import jobs as rows
from node.adapters.database import retention as retention_rows
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.series import missing_files
from node.adapters.database.tables import job as job_table
from node.adapters.database.tables import series
from node.adapters.objects import ResultFiles, kept_size
from node.core.states import JobState
from node.core.status import SUCCESS
from node.core.storage_commitment import Reference, Request
from node.pipeline.retention import Retention
from node.worker import Housekeeper
from tests.bench import Bench, rules, until
from tests.receiving import encoded
from tests.synthetic import Grid, mr_series

HEAD = mr_series(Grid(slices=10))
DAYS = 24 * 3600.0


def retention(bench: Bench, days: float | None = 14, wanted_free: int | None = None) -> Retention:
    folder = bench.store.folder / "results"
    keep = None if days is None else timedelta(days=days)
    return Retention(
        bench.store.database, bench.store.files, ResultFiles(folder), folder, bench.clock, keep, wanted_free
    )


def delivered(bench: Bench) -> None:
    job = bench.complete(HEAD)
    assert bench.attempt() == "delivered to out"
    assert rows.finish(bench.store.database, job.id, JobState.COMPLETED, "delivered to out", bench.clock())


def instances(bench: Bench) -> list[Path]:
    return [path for path in bench.store.files.root.rglob("*.dcm") if "results" not in path.parts]


def results(bench: Bench) -> list[Path]:
    return [path for path in (bench.store.folder / "results").rglob("*") if path.is_file()]


def aged(path: Path, hours: float, bench: Bench) -> Path:
    at = bench.clock().timestamp() - hours * 3600
    os.utime(path, (at, at))
    return path


def test_what_was_delivered_long_ago_loses_its_bytes_and_keeps_its_rows(bench: Bench) -> None:
    delivered(bench)
    before = balance(bench.store.database)
    bench.clock.advance(13.9 * DAYS)
    assert retention(bench).remove_settled() == 0
    assert len(instances(bench)) == 10
    bench.clock.advance(0.2 * DAYS)
    assert retention(bench).remove_settled() == 1
    assert (instances(bench), results(bench)) == ([], [])
    assert retention(bench).remove_settled() == 0
    database = bench.store.database
    assert balance(database) == before
    assert broken_chains(database) == {}
    assert missing_files(database, partial(kept_size, bench.store.files)) == []
    (line,) = trace.find(database, str(HEAD[0].SeriesInstanceUID))
    assert line.history[-1].why.startswith("its bytes were removed, kept for 14 days; settled since 2025-01-02")
    assert [len(job.results) for job in line.jobs] == [2]


def test_what_is_removed_while_files_are_looked_at_is_not_missing(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(15 * DAYS)

    def size(path: str) -> int | None:
        retention(bench).remove_settled()
        return kept_size(bench.store.files, path)

    assert missing_files(bench.store.database, size) == []
    assert instances(bench) == []


@pytest.mark.parametrize("state", [JobState.SCHEDULED, JobState.FAILED, JobState.CANCELED, JobState.NOT_PROCESSABLE])
def test_what_waits_or_failed_stays_however_old_and_however_full_the_disk(bench: Bench, state: JobState) -> None:
    job = bench.complete(HEAD)
    bench.claim()
    assert rows.finish(bench.store.database, job.id, state, "", bench.clock())
    bench.clock.advance(400 * DAYS)
    assert retention(bench, wanted_free=1 << 60).remove_settled() == 0
    assert len(instances(bench)) == 10


def test_what_is_held_stays_and_what_a_rule_ignores_goes(bench: Bench) -> None:
    bench.rule_set = rules({"_set.yaml": "otherwise: hold\n"})
    bench.receive(HEAD)
    bench.clock.advance(700)
    bench.judge_due()
    ignored = mr_series(Grid(slices=10), name="ignored")
    bench.rule_set = rules({"_set.yaml": "otherwise: ignore\n"})
    bench.receive(ignored)
    bench.clock.advance(700)
    bench.judge_due()
    bench.clock.advance(15 * DAYS)
    assert retention(bench).remove_settled() == 1
    with bench.store.database.reading() as connection:
        gone = connection.scalars(select(series.c.series_instance_uid).where(series.c.removed_at.is_not(None))).all()
    assert gone == [str(ignored[0].SeriesInstanceUID)]
    assert len(instances(bench)) == 10


def test_below_the_watermark_room_is_made_before_its_time(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(2 * 3600)
    assert retention(bench, days=None).remove_settled() == 0
    assert retention(bench, days=None, wanted_free=0).remove_settled() == 0
    assert retention(bench, days=None, wanted_free=1 << 60).remove_settled() == 1
    (line,) = trace.find(bench.store.database, str(HEAD[0].SeriesInstanceUID))
    assert "to make room" in line.history[-1].why


def test_what_was_promised_by_storage_commitment_is_never_removed(bench: Bench) -> None:
    delivered(bench)
    reference = Reference(str(HEAD[0].SOPClassUID), str(HEAD[0].SOPInstanceUID))
    commitment.keep(bench.store.database, "SCANNER", Request("1.2.3", (reference,)), bench.clock())
    bench.clock.advance(400 * DAYS)
    assert retention(bench, wanted_free=1 << 60).remove_settled() == 0


def test_a_job_that_began_meanwhile_keeps_the_bytes(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(15 * DAYS)
    (seen,) = retention_rows.oldest(bench.store.database, 9)
    with bench.store.database.transaction() as connection:
        connection.execute(job_table.update().values(state=JobState.FAILED))
    assert retention_rows.remove(bench.store.database, seen, "", bench.clock()) is None
    assert len(instances(bench)) == 10


def test_a_late_slice_of_a_series_whose_bytes_are_gone_is_stated_not_guessed(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(15 * DAYS)
    assert retention(bench).remove_settled() == 1
    late = mr_series(Grid(slices=11))[10]
    late.SeriesInstanceUID, late.StudyInstanceUID = HEAD[0].SeriesInstanceUID, HEAD[0].StudyInstanceUID
    bench.store.receive(encoded(late))
    bench.clock.advance(700)
    bench.judge_due()
    found = balance(bench.store.database)
    assert (found.residue, found.delivered) == (0, 0)
    if len(bench.jobs()) > 1:
        assert "images of the series were removed at 2025-01-17" in bench.attempt()
    assert retention(bench).remove_settled() == 0


def test_files_that_no_row_names_go_after_an_hour_and_no_others(bench: Bench) -> None:
    delivered(bench)
    there = instances(bench) + results(bench)
    for path in there:
        aged(path, 30, bench)
    hour = there[0].parent
    orphan, part, young = hour / f"{'a' * 64}.0.dcm", hour / "0.part", hour / f"{'b' * 64}.0.dcm"
    temporary = there[-1].parent / ".seg.tmp"
    for path in (orphan, part, young, temporary):
        path.write_bytes(b"left by a crash")
        aged(path, 0.5 if path is young else 2, bench)
    foreign = bench.store.files.root / "README"
    foreign.write_text("not ours")
    aged(foreign, 99, bench)
    assert sum(retention(bench).sweep()) == 3
    assert [path.exists() for path in (orphan, part, temporary, young, foreign)] == [False, False, False, True, True]
    assert all(path.exists() for path in there)


def test_what_was_just_written_is_not_swept_when_the_shared_clock_is_far_ahead_of_the_disks(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(3650 * DAYS)
    coming = instances(bench)[0].parent / f"{'c' * 64}.0.dcm"
    coming.write_bytes(b"its row is about to be committed")
    assert sum(retention(bench).sweep()) == 0
    assert coming.exists()


def test_bytes_that_differ_under_a_known_uid_are_held_and_never_swept(bench: Bench) -> None:
    first, other = mr_series(Grid(slices=1))[0], mr_series(Grid(slices=1))[0]
    other.InstanceNumber = 77
    bench.receive([first, other])
    for path in instances(bench):
        aged(path, 99, bench)
    assert len(instances(bench)) == 2
    assert sum(retention(bench).sweep()) == 0
    assert len(instances(bench)) == 2


def test_bytes_that_were_refused_are_kept_for_whoever_asks_why(bench: Bench) -> None:
    one = encoded(mr_series(Grid(slices=1))[0])
    sop_instance_uid = f"{one.sop_instance_uid}.1"  # not what the data set says
    assert bench.store.receive(replace(one, sop_instance_uid=sop_instance_uid)).status != SUCCESS
    (kept,) = instances(bench)
    aged(kept, 99, bench)
    assert sum(retention(bench).sweep()) == 0
    assert kept.exists()


def test_what_is_sent_again_after_its_bytes_were_removed_is_stored_again(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(15 * DAYS)
    assert retention(bench).remove_settled() == 1
    assert instances(bench) == []
    bench.receive([*HEAD, *HEAD])
    assert len(instances(bench)) == 10
    database = bench.store.database
    assert balance(database).residue == 0
    assert broken_chains(database) == {}
    assert missing_files(database, partial(kept_size, bench.store.files)) == []
    for path in instances(bench):
        aged(path, 99, bench)
    assert sum(retention(bench).sweep()) == 0
    bench.clock.advance(13 * DAYS)
    assert retention(bench).remove_settled() == 0
    bench.clock.advance(2 * DAYS)
    assert retention(bench).remove_settled() == 1
    assert instances(bench) == []


def test_what_came_again_or_was_worked_on_lately_does_not_stand_before_what_may_go(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(15 * DAYS)
    assert retention(bench).remove_settled() == 1
    worked_on, other = (filtered(bench, name) for name in ("worked on", "other"))
    bench.clock.advance(10 * DAYS)
    bench.receive(HEAD)
    job_ended(bench, worked_on)
    bench.clock.advance(5 * DAYS)
    before = bench.clock() - timedelta(days=14)
    (found,) = retention_rows.oldest(bench.store.database, 1, before)
    assert found.series_instance_uid == other
    assert retention(bench).remove_settled() == 1


def filtered(bench: Bench, name: str) -> str:
    """A series that no rule takes, complete; its UID."""
    bench.rule_set = rules({"_set.yaml": "otherwise: ignore\n"})
    series = mr_series(Grid(slices=1), name=name)
    bench.receive(series)
    bench.clock.advance(700)
    bench.judge_due()
    return str(series[0].SeriesInstanceUID)


def job_ended(bench: Bench, series_instance_uid: str) -> None:
    """One on this series, just now."""
    row = {
        "series_instance_uid": series_instance_uid, "version": 1, "rule": "r", "rule_set_version": "v1", "model": "m",
        "model_version": "", "volume": "", "destinations": [], "priority": "routine", "state": JobState.COMPLETED,
        "created_at": bench.clock(), "finished_at": bench.clock(),
    }  # fmt: skip
    with bench.store.database.transaction() as connection:
        connection.execute(job_table.insert().values(**row))


def test_labels_of_a_job_that_waits_stay(bench: Bench) -> None:
    job = bench.complete(HEAD)
    labels = bench.store.folder / "results" / f"job-{job.id:08d}" / "labels.npz"
    labels.parent.mkdir(parents=True)
    labels.write_bytes(b"labels")
    aged(labels, 99, bench)
    assert sum(retention(bench).sweep()) == 0
    rows.finish(bench.store.database, job.id, JobState.CANCELED, "", bench.clock())
    assert sum(retention(bench).sweep()) == 1
    assert not labels.exists()


def test_what_was_cut_off_between_row_and_file_is_swept_up(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(15 * DAYS)
    (seen,) = retention_rows.oldest(bench.store.database, 9)
    assert retention_rows.remove(bench.store.database, seen, "", bench.clock())  # and the process ended
    for path in instances(bench) + results(bench):
        aged(path, 2, bench)
    assert sum(retention(bench).sweep()) == 12
    assert (instances(bench), results(bench)) == ([], [])


def test_the_housekeeper_does_it_all_unless_another_process_does(bench: Bench) -> None:
    delivered(bench)
    bench.clock.advance(15 * DAYS)
    for alone in (False, True):
        keeper = Housekeeper(bench.store.database, retention(bench), bench.clock, lambda alone=alone: alone)  # type: ignore[misc]
        keeper.start()
        if alone:
            until(lambda: not instances(bench) and not results(bench), "the end of the bytes")
        keeper.stop(60)
        assert len(instances(bench)) == (0 if alone else 10)
