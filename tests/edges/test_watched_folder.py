"""Files that appear in a watched folder come in once they are whole, and nothing else does."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from node.config import load
from node.errors import BadConfiguration, SourceUnavailable, StorageFull
from node.feeds import FolderSource, WatchedFolder
from tests.real import files as real_files
from tests.synthetic import Grid, mr_series, to_bytes
from tests.ways_in import Desk, desk

_SETTLE = timedelta(seconds=5)


class Time:
    """The watcher's clock."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    made = tmp_path / "inbox"
    made.mkdir()
    return made


@pytest.fixture
def reception(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def time() -> Time:
    return Time()


def watcher(inbox: Path, opened: Desk, time: Time, *, delete: bool = False) -> WatchedFolder:
    source = FolderSource("inbox", inbox, _SETTLE, poll_seconds=1, delete=delete)
    return WatchedFolder(source, opened.reception, time)


def look(watched: WatchedFolder) -> None:
    watched.step(lambda: False)


def settle(watched: WatchedFolder, time: Time) -> None:
    """Two looks with the settling time between."""
    look(watched)
    time.pass_by(5)
    look(watched)


def image(name: str = "folder") -> Dataset:
    return mr_series(Grid(slices=1), name=name)[0]


def test_a_file_is_received_once_it_has_not_changed_for_a_while_and_is_moved_aside(
    inbox: Path, reception: Desk, time: Time
) -> None:
    ds = image()
    (inbox / "1.dcm").write_bytes(to_bytes(ds))
    watched = watcher(inbox, reception, time)
    look(watched)
    time.pass_by(4)
    look(watched)
    assert reception.receipts() == []
    time.pass_by(1)
    look(watched)
    assert reception.receipts() == [("folder", "inbox", "stored", 0, "")]
    assert set(reception.stored()) == {ds.SOPInstanceUID}
    assert not (inbox / "1.dcm").exists()
    assert (inbox / ".received" / "1.dcm").read_bytes() == to_bytes(ds)


def test_a_received_file_is_deleted_where_that_is_wanted(inbox: Path, reception: Desk, time: Time) -> None:
    (inbox / "1.dcm").write_bytes(to_bytes(image()))
    settle(watcher(inbox, reception, time, delete=True), time)
    assert reception.dispositions() == ["stored"]
    assert [path for path in inbox.rglob("*") if path.is_file()] == []


def test_a_file_that_grows_is_left_alone_until_it_stops(inbox: Path, reception: Desk, time: Time) -> None:
    content = to_bytes(image())
    watched = watcher(inbox, reception, time)
    with (inbox / "1.dcm").open("wb") as growing:
        for at in range(0, len(content), 1000):
            growing.write(content[at : at + 1000])
            growing.flush()
            look(watched)
            time.pass_by(4.9)
    assert reception.receipts() == []
    settle(watched, time)
    assert reception.dispositions() == ["stored"]


def test_a_file_that_is_renamed_from_a_temporary_name_is_received_at_once(
    inbox: Path, reception: Desk, time: Time
) -> None:
    (inbox / "1.dcm.part").write_bytes(to_bytes(image()))
    watched = watcher(inbox, reception, time)
    settle(watched, time)
    assert reception.receipts() == []
    (inbox / "1.dcm.part").rename(inbox / "1.dcm")
    look(watched)
    assert reception.dispositions() == ["stored"]


def test_files_in_folders_below_are_moved_aside_beside_them(inbox: Path, reception: Desk, time: Time) -> None:
    (inbox / "a" / "b").mkdir(parents=True)
    (inbox / "a" / "b" / "IM0001").write_bytes(to_bytes(image()))
    settle(watcher(inbox, reception, time), time)
    assert (inbox / "a" / "b" / ".received" / "IM0001").is_file()


def test_files_of_one_name_do_not_overwrite_each_other_when_they_are_moved(
    inbox: Path, reception: Desk, time: Time
) -> None:
    watched = watcher(inbox, reception, time)
    for name in ("first", "second"):
        (inbox / "1.dcm").write_bytes(to_bytes(image(name)))
        settle(watched, time)
    assert reception.dispositions() == ["stored", "stored"]
    assert len(list((inbox / ".received").iterdir())) == 2


def test_what_is_not_dicom_is_put_aside_with_the_reason(inbox: Path, reception: Desk, time: Time) -> None:
    for name, content in (("note.txt", b"hello"), ("empty", b""), ("cut.dcm", to_bytes(image())[:200])):
        (inbox / name).write_bytes(content)
    (inbox / "1.dcm").write_bytes(to_bytes(image()))
    settle(watcher(inbox, reception, time), time)
    refused = {path.name for path in (inbox / ".refused").iterdir()}
    assert {"note.txt", "note.txt.reason.txt", "empty", "empty.reason.txt", "cut.dcm", "cut.dcm.reason.txt"} == refused
    assert "not a DICOM file" in (inbox / ".refused" / "note.txt.reason.txt").read_text()
    assert [path.name for path in (inbox / ".received").iterdir()] == ["1.dcm"]


def test_an_instance_that_the_ledger_refuses_is_put_aside_with_the_ledger_s_reason(
    inbox: Path, reception: Desk, time: Time
) -> None:
    ds = image()
    del ds.SeriesInstanceUID
    (inbox / "1.dcm").write_bytes(to_bytes(ds))
    settle(watcher(inbox, reception, time), time)
    ((_, _, disposition, status, reason),) = reception.receipts()
    assert (disposition, status) == ("refused", 0xA900)
    assert (inbox / ".refused" / "1.dcm.reason.txt").read_text().strip() == reason


def test_no_link_leads_out_of_the_folder(inbox: Path, tmp_path: Path, reception: Desk, time: Time) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.dcm").write_bytes(to_bytes(image()))
    (inbox / "link.dcm").symlink_to(outside / "1.dcm")
    (inbox / "linked folder").symlink_to(outside)
    os.mkfifo(inbox / "pipe")
    settle(watcher(inbox, reception, time), time)
    assert reception.receipts() == []
    assert (outside / "1.dcm").is_file()


def test_a_link_in_the_place_of_the_folder_for_received_files_is_not_followed(
    inbox: Path, tmp_path: Path, reception: Desk, time: Time
) -> None:
    (tmp_path / "outside").mkdir()
    (inbox / ".received").symlink_to(tmp_path / "outside")
    (inbox / "1.dcm").write_bytes(to_bytes(image()))
    with pytest.raises(SourceUnavailable, match="1 files"):
        settle(watcher(inbox, reception, time), time)
    assert reception.receipts() == []
    assert list((tmp_path / "outside").iterdir()) == []


def test_what_cannot_be_looked_at_keeps_nothing_else_back(
    inbox: Path, reception: Desk, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("closed", "open"):
        (inbox / name).mkdir()
        (inbox / name / f"{name}.dcm").write_bytes(to_bytes(image(name)))
    look_at = os.stat

    def refused(path: Any, **how: Any) -> os.stat_result:
        """The tests may run as root, whom no permission keeps out."""
        if path == "closed.dcm":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look_at(path, **how)

    monkeypatch.setattr(os, "stat", refused)
    watched = watcher(inbox, reception, time)
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="1 files or folders"):
            look(watched)
        time.pass_by(5)
    assert reception.dispositions() == ["stored"]
    assert (inbox / "open" / ".received" / "open.dcm").is_file()


def test_what_the_file_system_keeps_in_its_own_folder_is_not_looked_at(
    inbox: Path, reception: Desk, time: Time
) -> None:
    """Root's alone, where a disk of its own is watched: it would be a fault for ever."""
    (inbox / "lost+found").mkdir()
    (inbox / "lost+found" / "#12.dcm").write_bytes(to_bytes(image("found again")))
    watched = watcher(inbox, reception, time)
    for _ in range(2):
        look(watched)
        time.pass_by(5)
    assert reception.dispositions() == []
    assert (inbox / "lost+found" / "#12.dcm").is_file()


def test_a_killed_node_receives_the_rest_after_its_restart_and_nothing_twice(
    inbox: Path, reception: Desk, time: Time
) -> None:
    made = mr_series(Grid(slices=6), name="restart")
    for number, ds in enumerate(made):
        (inbox / f"{number}.dcm").write_bytes(to_bytes(ds))
    watched = watcher(inbox, reception, time)
    look(watched)
    time.pass_by(5)
    left = iter(range(3))
    watched.step(lambda: next(left, None) is None)
    assert reception.dispositions() == ["stored"] * 3
    # Killed between the ledger and the move: the file is there again.
    (inbox / ".received" / "0.dcm").rename(inbox / "0.dcm")
    settle(watcher(inbox, reception, time), time)
    assert set(reception.stored()) == {ds.SOPInstanceUID for ds in made}
    assert sorted(reception.dispositions()) == ["duplicate"] + ["stored"] * 6


def test_a_full_disk_leaves_the_files_where_they_are(inbox: Path, tmp_path: Path, time: Time) -> None:
    (inbox / "1.dcm").write_bytes(to_bytes(image()))
    with desk(tmp_path, low_watermark=1 << 60) as full:
        watched = watcher(inbox, full, time)
        with pytest.raises(StorageFull):
            settle(watched, time)
    assert (inbox / "1.dcm").is_file()
    with desk(tmp_path) as opened:
        settle(watcher(inbox, opened, time), time)
        assert opened.dispositions() == ["refused", "stored"]


def test_a_folder_that_is_not_there_is_a_fault_and_not_the_end(inbox: Path, reception: Desk, time: Time) -> None:
    watched = watcher(inbox, reception, time)
    inbox.rmdir()
    with pytest.raises(SourceUnavailable, match="cannot be opened"):
        look(watched)
    inbox.mkdir()
    look(watched)


def test_a_large_file_streams(inbox: Path, reception: Desk, time: Time) -> None:
    ds = image()
    ds.NumberOfFrames, ds.PixelData = 200, bytes(32 << 20)
    (inbox / "large.dcm").write_bytes(to_bytes(ds))
    settle(watcher(inbox, reception, time), time)
    assert reception.stored()[ds.SOPInstanceUID].stat().st_size > 32 << 20


@pytest.mark.parametrize("folder", ["bad", "charset", "nonimage"])
def test_every_bad_or_strange_file_is_received_or_refused_beside_a_good_one(
    inbox: Path, reception: Desk, time: Time, folder: str
) -> None:
    sent = [path for path in real_files(folder) if path.stat().st_size < 20 << 20]
    for number, path in enumerate(sent):
        (inbox / f"{number:03}").write_bytes(path.read_bytes())
    good = image()
    (inbox / "good").write_bytes(to_bytes(good))
    settle(watcher(inbox, reception, time), time)
    assert good.SOPInstanceUID in reception.stored()
    assert [path for path in inbox.iterdir() if path.is_file()] == []
    refused = [path for path in inbox.glob(".refused/*") if not path.name.endswith(".reason.txt")]
    received = list(inbox.glob(".received/*"))
    assert len(refused) + len(received) == len(sent) + 1
    assert all((inbox / ".refused" / f"{path.name}.reason.txt").is_file() for path in refused)


Configure = Callable[[str], None]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    def read(text: str) -> None:
        (tmp_path / "node.toml").write_text(text)
        load(tmp_path / "node.toml", {})

    return read


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ('name = "x"', "kind dicom needs ae_title"),
        ('name = "x"\nkind = "folder"', "kind folder needs path"),
        ('name = "x"\nkind = "orthanc"', "kind orthanc needs url"),
        ('name = "x"\nkind = "folder"\npath = "p"\nae_title = "A"', "x.ae_title: a source of kind folder has no such"),
        ('name = "x"\nae_title = "A"\nurl = "http://h"', "x.url: a source of kind dicom has no such"),
        ('name = "x"\nkind = "orthanc"\nurl = "ftp://h"', "is not a URL like"),
        ('name = "x"\nkind = "orthanc"\nurl = "http://u:secret@h"', "names a user"),
        ('name = "x"\nkind = "folder"\npath = "p"\nreceived = "eaten"', "source.0.received"),
    ],
)
def test_a_wrong_source_is_named_with_what_is_wrong(configure: Configure, source: str, complaint: str) -> None:
    with pytest.raises(BadConfiguration, match=complaint) as wrong:
        configure(f"[[source]]\n{source}\n")
    assert "secret" not in str(wrong.value)


def test_right_sources_of_every_kind_are_taken(configure: Configure) -> None:
    configure(
        '[[source]]\nname = "a"\nae_title = "A"\nhosts = ["10.0.0.1"]\n'
        '[[source]]\nname = "b"\nkind = "folder"\npath = "p"\n'
        '[[source]]\nname = "c"\nkind = "orthanc"\nurl = "http://h:8042"\nuser = "u"\npassword = "p"\nmodalities = []\n'
    )
