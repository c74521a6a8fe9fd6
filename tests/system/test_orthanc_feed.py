"""Debian's Orthanc as a source: its stable MR series come in, whatever is killed in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from node.adapters.database import feeds
from node.adapters.orthanc import Orthanc
from node.errors import SourceRefused, SourceUnavailable
from node.feeds import Follower, OrthancChanges, OrthancSource
from tests.archive import PASSWORD, USER, Archive, wait
from tests.synthetic import Grid, color, mr_series
from tests.ways_in import Desk, clock, desk


@pytest.fixture
def reception(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as opened:
        yield opened


def changes(archive: Archive, opened: Desk, *, password: str = PASSWORD) -> OrthancChanges:
    source = OrthancSource("archive", "127.0.0.1", frozenset({"MR"}), poll_seconds=0.1)
    orthanc = Orthanc(archive.url, USER, password, timeout_seconds=120)
    return OrthancChanges(source, orthanc, opened.database, opened.reception, clock)


def catch_up(feed: OrthancChanges, is_stopping: Callable[[], bool] = lambda: False) -> None:
    while feed.step(is_stopping) == 0 and not is_stopping():
        pass


def series(name: str, slices: int = 4) -> list[Dataset]:
    return mr_series(Grid(slices=slices), name=name)


def names(*several: list[Dataset]) -> set[str]:
    return {str(ds.SOPInstanceUID) for datasets in several for ds in datasets}


def test_stable_mr_series_come_in_and_others_do_not(archive: Archive, reception: Desk) -> None:
    mr, other = series("mr"), color("secondary capture")
    for ds in other:
        ds.Modality = "OT"
    archive.store(mr + other)
    feed = changes(archive, reception)
    catch_up(feed)
    assert set(reception.stored()) == names(mr)
    assert {line[:4] for line in reception.receipts()} == {("orthanc", "archive", "stored", 0)}
    catch_up(feed)
    assert len(reception.receipts()) == len(mr)


def test_a_late_slice_comes_in_when_the_series_is_stable_again(archive: Archive, reception: Desk) -> None:
    mr = series("late")
    archive.store(mr[:-1])
    feed = changes(archive, reception)
    catch_up(feed)
    archive.store(mr[-1:])
    catch_up(feed)
    assert set(reception.stored()) == names(mr)


def test_a_node_that_stops_in_the_middle_goes_on_there(archive: Archive, reception: Desk) -> None:
    first, second = series("first", 20), series("second", 20)
    archive.store(first)
    archive.store(second)
    asked = iter(range(4))  # instances are fetched eight at a time
    catch_up(changes(archive, reception), lambda: next(asked, None) is None)
    assert len(first) < len(reception.stored()) < len(first) + len(second)
    catch_up(changes(archive, reception))  # another one, as after a restart
    assert set(reception.stored()) == names(first, second)
    assert reception.dispositions().count("stored") == len(first) + len(second)
    assert len(reception.receipts()) < 2 * len(first) + len(second)  # the first series was not fetched again


def test_the_follower_rides_out_an_orthanc_that_restarts(archive: Archive, reception: Desk) -> None:
    before, after = series("before"), series("after")
    archive.store(before)
    follower = Follower(changes(archive, reception), reception.database, clock)
    follower.start()
    try:
        wait(lambda: set(reception.stored()) == names(before), "the first series did not come")
        archive.stop()
        wait(lambda: _fault(reception) == "Orthanc cannot be reached", "the fault was not noted")
        archive.start()
        archive.store(after)
        wait(lambda: set(reception.stored()) == names(before, after), "the second series did not come")
        wait(lambda: _fault(reception) == "", "the fault was not withdrawn")
    finally:
        follower.stop(120)
    assert reception.dispositions() == ["stored"] * 8


def _fault(opened: Desk) -> str:
    return "".join(one.fault for one in feeds.states(opened.database))


def test_an_orthanc_with_a_new_database_is_read_from_its_beginning(archive: Archive, reception: Desk) -> None:
    old, new = series("old"), series("new", slices=2)
    archive.store(old)
    catch_up(changes(archive, reception))
    archive.stop()
    archive.forget_everything()
    archive.start()
    archive.store(new)
    catch_up(changes(archive, reception))
    assert set(reception.stored()) == names(old, new)


def test_a_deleted_series_is_passed_over(archive: Archive, reception: Desk) -> None:
    gone, there = series("gone"), series("there")
    archive.store(gone)
    archive.store(there)
    for study in archive.http.get("/studies?expand").json():
        if study["MainDicomTags"]["StudyInstanceUID"] == gone[0].StudyInstanceUID:
            archive.http.delete(f"/studies/{study['ID']}").raise_for_status()
    catch_up(changes(archive, reception))
    assert set(reception.stored()) == names(there)


def test_a_file_that_orthanc_lost_is_noted_and_does_not_hold_up_the_others(
    archive: Archive, reception: Desk, tmp_path: Path
) -> None:
    mr = series("lost")
    archive.store(mr)
    victim = max((tmp_path / "orthanc" / "storage").glob("*/*/*"), key=lambda path: path.stat().st_size)
    archive.stop()  # and with it what it had in memory
    victim.unlink()
    archive.start()
    feed = changes(archive, reception)
    for _ in range(4):
        with pytest.raises(SourceRefused, match="HTTP status"):
            catch_up(feed)
    catch_up(feed)
    assert len(reception.stored()) == len(mr) - 1
    (state,) = feeds.states(reception.database)
    assert state.missed == 1


def test_a_wrong_password_is_a_fault_that_says_so(archive: Archive, reception: Desk) -> None:
    with pytest.raises(SourceUnavailable, match="password") as refused:
        catch_up(changes(archive, reception, password="wrong"))
    assert "wrong" not in str(refused.value)


_KILLED = """
import sys, pathlib
from tests.system.test_orthanc_feed import catch_up, changes
from tests.ways_in import desk
class There:
    url = sys.argv[1]
with desk(pathlib.Path(sys.argv[2])) as opened:
    print("begins", flush=True)
    catch_up(changes(There(), opened))
"""


def test_a_node_that_is_killed_while_it_fetches_misses_nothing(archive: Archive, tmp_path: Path) -> None:
    mr = series("killed", slices=150)
    archive.store(mr)
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, archive.url, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        wait(lambda: len(list((tmp_path / "instances").rglob("*.dcm"))) > 10, "nothing was fetched")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(120)
        if process.stdout is not None:
            process.stdout.close()
    with desk(tmp_path) as opened:
        assert 0 < len(opened.stored()) < len(mr)
        catch_up(changes(archive, opened))
        assert set(opened.stored()) == names(mr)
        assert opened.dispositions().count("stored") == len(mr)
