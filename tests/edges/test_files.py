"""Bytes on disk: whole or not at all, and what a fault leaves."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.adapters.files import Files, write_whole
from node.errors import StorageFull, StoreUnavailable

NOON = datetime(2025, 1, 2, 12, 0, tzinfo=UTC)


def open_descriptors(files: Files) -> set[str]:
    """Files of the store that this process holds open."""
    found = {_target(one) for one in Path("/proc/self/fd").iterdir()}
    return {target for target in found if target.startswith(str(files.root))}


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def names(files: Files) -> list[str]:
    return [path.name for path in files.root.rglob("*") if path.is_file()]


def test_a_whole_file_is_written_under_its_digest(tmp_path: Path) -> None:
    files = Files(tmp_path / "store", 0)
    kept = files.write(NOON, b"head", b"data set")
    files.force([kept])
    assert files.path(kept.path).read_bytes() == b"headdata set"
    assert (kept.sha256, kept.size) == (hashlib.sha256(b"data set").hexdigest(), 8)
    assert kept.sha256 in kept.path
    assert kept.path.startswith("20250102/12/")


def test_pieces_become_the_same_file_as_the_whole(tmp_path: Path) -> None:
    files = Files(tmp_path / "store", 0)
    writer = files.writer(NOON)
    writer.write_head(b"head")
    for piece in (b"data", b" ", b"set", b""):
        writer.write(piece)
    kept = writer.finish()
    files.force([kept])
    assert files.path(kept.path).read_bytes() == b"headdata set"
    assert (kept.sha256, kept.size) == (hashlib.sha256(b"data set").hexdigest(), 8)
    assert open_descriptors(files) == set()


def test_the_same_bytes_twice_are_two_files_until_the_ledger_decides(tmp_path: Path) -> None:
    files = Files(tmp_path / "store", 0)
    one, other = files.write(NOON, b"", b"same"), files.write(NOON, b"", b"same")
    assert one.path != other.path


def test_what_is_discarded_is_gone_however_often(tmp_path: Path) -> None:
    files = Files(tmp_path / "store", 0)
    writer = files.writer(NOON)
    writer.write(b"something")
    writer.discard()
    writer.discard()
    assert names(files) == []
    assert open_descriptors(files) == set()


def test_a_file_that_cannot_be_named_leaves_nothing_open(tmp_path: Path) -> None:
    files = Files(tmp_path / "store", 0)
    writer = files.writer(NOON)
    writer.write(b"something")
    next(files.root.rglob("*.part")).unlink()  # somebody cleaned up
    with pytest.raises(StoreUnavailable):
        writer.finish()
    assert names(files) == []
    assert open_descriptors(files) == set()


def test_below_the_watermark_room_is_demanded_in_vain(tmp_path: Path) -> None:
    files = Files(tmp_path / "store", 1 << 60)
    assert files.room() < 0
    with pytest.raises(StorageFull, match="low_watermark"):
        files.demand_room(1)


def test_a_disk_that_has_no_room_for_what_came_counts_as_full_until_it_has(tmp_path: Path) -> None:
    """Refusals themselves keep it above the watermark, by less than an image."""
    free = [1_300_000]
    files = Files(tmp_path, 1_000_000, lambda _: free[0])
    files.demand_room(200_000)
    assert files.room() == 300_000
    with pytest.raises(StorageFull):
        files.demand_room(500_000)
    assert files.room() < 0
    free[0] = 1_600_000
    assert files.room() >= 0
    files.demand_room(500_000)
    assert files.room() == 600_000


def test_who_announces_more_than_any_disk_holds_does_not_have_this_one_counted_as_full(tmp_path: Path) -> None:
    files = Files(tmp_path, 0, lambda _: 10**9)
    with pytest.raises(StorageFull):
        files.demand_room(10**15)
    assert files.room() > 0


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match=r"ENOTDIR|EEXIST"):
        Files(tmp_path / "file" / "store", 0)


def test_removing_what_is_not_there_is_no_fault(tmp_path: Path) -> None:
    Files(tmp_path / "store", 0).remove("20250102/12/none.dcm")


def test_a_result_replaces_the_one_before_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "job" / "seg.dcm"
    write_whole(path, b"first")
    digest = write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert digest == hashlib.sha256(b"second").hexdigest()
    assert [one.name for one in path.parent.iterdir()] == ["seg.dcm"]


def test_a_result_that_cannot_be_written_leaves_nothing_of_itself(tmp_path: Path) -> None:
    (tmp_path / "job" / "seg.dcm" / "in its place").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            write_whole(tmp_path / "job" / "seg.dcm", b"content")
    assert [one.name for one in (tmp_path / "job").iterdir()] == ["seg.dcm"]
