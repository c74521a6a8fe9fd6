"""A disk that fills up: refused early, nothing acknowledged is lost, and room helps without a restart."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.core.status import OUT_OF_RESOURCES, SUCCESS
from tests.receiving import SENDER, Encoded, Store, demand_kept, encoded, numbered, opened
from tests.synthetic import Grid, mr_series

_DISK = 40 << 20
_BALLAST = "ballast"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB with 16 MiB of ballast that may be thrown out."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        (folder / _BALLAST).write_bytes(bytes(16 << 20))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=60)


def large(number: int) -> Encoded:
    """An instance of 512 KiB."""
    return encoded(mr_series(Grid(slices=1, rows=512, columns=512), name=f"large {number}")[0])


def fill(store: Store, most: int) -> tuple[dict[str, str], list[int]]:
    """Send until the node says that it is full; what was acknowledged, and the other answers."""
    heard: dict[str, str] = {}
    refused: list[int] = []
    for number in range(most):
        one = large(number)
        status = store.receive(one).status
        if status == SUCCESS:
            heard[one.sop_instance_uid] = one.sha256
        else:
            refused.append(status)
            if len(refused) == 3:
                break
    return heard, refused


def demand_same_after_start(folder: Path, heard: dict[str, str]) -> None:
    with opened(folder) as again:
        demand_kept(again, heard)


def test_at_the_watermark_the_node_refuses_while_there_is_still_room(small_disk: Path) -> None:
    watermark = 8 << 20
    with opened(small_disk, low_watermark=watermark) as store:
        heard, refused = fill(store, 200)
        assert heard
        assert refused == [OUT_OF_RESOURCES] * 3
        assert shutil.disk_usage(small_disk).free > watermark - (2 << 20)
        demand_kept(store, heard)
        (small_disk / _BALLAST).unlink()
        late = numbered("after room was made")
        assert store.receive(late).status == SUCCESS
        heard[late.sop_instance_uid] = late.sha256
        demand_kept(store, heard)
    demand_same_after_start(small_disk, heard)


def test_even_a_disk_that_is_full_to_the_last_byte_loses_nothing(small_disk: Path) -> None:
    with opened(small_disk) as store:
        heard, refused = fill(store, 200)
        with (small_disk / "last bytes").open("wb") as rest:
            _fill_up(rest.fileno())
        for number in range(20):
            one = numbered("full", number)
            status = store.receive(one).status
            if status == SUCCESS:
                heard[one.sop_instance_uid] = one.sha256
            else:
                refused.append(status)
        assert set(refused) == {OUT_OF_RESOURCES}
        demand_kept(store, heard)
        (small_disk / "last bytes").unlink()
        (small_disk / _BALLAST).unlink()
        late = numbered("after room was made")
        assert store.receive(late).status == SUCCESS
        heard[late.sop_instance_uid] = late.sha256
        demand_kept(store, heard)
        assert store.paths() == {row.path for row in store.instances()}
    demand_same_after_start(small_disk, heard)


def _fill_up(file: int) -> None:
    for size in (1 << 20, 1 << 12, 1):
        try:
            while True:
                os.write(file, bytes(size))
        except OSError:
            continue


@pytest.mark.parametrize("watermark", [0, 4 << 20])
def test_an_instance_that_is_larger_than_the_disk_is_refused_and_leaves_nothing(
    small_disk: Path, watermark: int
) -> None:
    one = numbered("endless")
    with opened(small_disk, low_watermark=watermark) as store:
        incoming = store.reception.incoming(SENDER, one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid)
        incoming.write(one.data_set)
        for _ in range(_DISK >> 19):
            incoming.write(bytes(1 << 19))
        assert incoming.finish().status == OUT_OF_RESOURCES
        assert store.paths() == set()
        assert shutil.disk_usage(small_disk).free > (_DISK - (16 << 20)) // 2
        assert store.receive(one).status == SUCCESS
        demand_kept(store, {one.sop_instance_uid: one.sha256})
