"""Bytes in a bucket of S3: kept before anybody is told so, the same in every process, and small on the local disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.adapters.files import Files
from node.adapters.objects import Bucket, BucketFiles, BucketResultFiles, Copies, ResultFiles, kept_size
from node.core.part10 import file_head
from node.errors import BadConfiguration, BadInstance, StoreUnavailable
from tests.receiving import numbered
from tests.s3 import BUCKET, S3, s3

NOON = datetime(2025, 1, 2, 12, 0, tzinfo=UTC)
ONE = numbered("one")
HEAD = file_head(ONE.sop_class_uid, ONE.sop_instance_uid, ONE.transfer_syntax_uid)

Open = Callable[..., BucketFiles]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def bucket(server: S3, request: pytest.FixtureRequest) -> Bucket:
    return Bucket(f"{BUCKET}/{request.node.name}", server.endpoint)


@pytest.fixture
def replica(bucket: Bucket, tmp_path: Path) -> Open:
    def opened(name: str, copies: int = 1 << 30) -> BucketFiles:
        return BucketFiles(bucket, Copies(tmp_path / name, bucket, copies), 0)

    return opened


def age(root: Path) -> None:
    """Nobody used the copies for an hour."""
    for path in root.rglob("*.dcm"):
        os.utime(path, (path.stat().st_atime - 3600, path.stat().st_mtime - 3600))


def test_what_one_process_keeps_another_reads(replica: Open) -> None:
    kept = replica("one").write(NOON, HEAD, ONE.data_set)
    assert kept.path.startswith(f"20250102/12/{ONE.sha256}.")
    other = replica("two")
    assert other.size(kept.path) == len(HEAD) + len(ONE.data_set)
    assert other.path(kept.path).read_bytes() == HEAD + ONE.data_set


def test_a_large_instance_goes_in_parts_and_is_the_same(replica: Open) -> None:
    large = os.urandom(20 << 20)
    writer = replica("one").writer(NOON)
    writer.write_head(HEAD)
    for at in range(0, len(large), 1 << 20):
        writer.write(large[at : at + (1 << 20)])
    kept = writer.finish()
    assert (kept.sha256, kept.size) == (hashlib.sha256(large).hexdigest(), len(large))
    assert replica("two").path(kept.path).read_bytes() == HEAD + large


def test_what_is_not_in_the_bucket_is_not_there(replica: Open) -> None:
    files = replica("one")
    assert not files.path("20250102/12/none.dcm").exists()
    assert files.size("20250102/12/none.dcm") is None
    files.remove("20250102/12/none.dcm")
    kept = files.write(NOON, HEAD, ONE.data_set)
    replica("two").remove(kept.path)
    assert files.size(kept.path) is None  # whatever copy lies here


def test_other_bytes_than_were_given_are_not_taken_for_them(replica: Open, bucket: Bucket) -> None:
    kept = replica("one").write(NOON, HEAD, ONE.data_set)
    bucket.put(kept.path, HEAD + ONE.data_set[:-1] + b"!")
    for damaged in (HEAD + ONE.data_set[:-1] + b"!", HEAD + ONE.data_set[:-8], b"nothing of the kind"):
        bucket.put(kept.path, damaged)
        with pytest.raises(BadInstance, match="the bucket gave back"):
            replica("two").path(kept.path)


def test_what_is_removed_is_not_fetched_before(replica: Open, bucket: Bucket, tmp_path: Path) -> None:
    kept = replica("one").write(NOON, HEAD, ONE.data_set)
    bucket.put(kept.path, b"damaged since")
    other = replica("two")
    other.remove(kept.path)
    assert other.size(kept.path) is None
    assert list((tmp_path / "two").rglob("*")) == []


def test_a_copy_that_went_while_its_object_was_put_does_no_harm(bucket: Bucket, tmp_path: Path) -> None:
    Copies(tmp_path / "copies", bucket, 1 << 20).put("job-1/seg-1.dcm", b"result")
    assert bucket.get("job-1/seg-1.dcm") == b"result"


def test_copies_that_nobody_used_for_longest_make_room(replica: Open, tmp_path: Path) -> None:
    files = replica("one", 3 * (len(HEAD) + len(ONE.data_set)))
    kept = [files.write(NOON, HEAD, ONE.data_set).path for _ in range(3)]
    age(tmp_path / "one")
    assert files.path(kept[0]).exists()  # it was used just now
    kept.append(files.write(NOON, HEAD, ONE.data_set).path)
    there = {str(path.relative_to(tmp_path / "one")) for path in (tmp_path / "one").rglob("*.dcm")}
    assert there == {kept[0], kept[3]}
    assert all(files.path(path).read_bytes() == HEAD + ONE.data_set for path in kept)


def test_results_of_one_process_are_delivered_by_another(bucket: Bucket, tmp_path: Path) -> None:
    one, two = (BucketResultFiles(bucket, Copies(tmp_path / name, bucket, 1 << 20)) for name in ("one", "two"))
    assert one.keep("job-1/seg-1.dcm", b"result") == hashlib.sha256(b"result").hexdigest()
    assert two.path("job-1/seg-1.dcm").read_bytes() == b"result"
    two.drop("job-1/seg-1.dcm")
    assert not BucketResultFiles(bucket, Copies(tmp_path / "three", bucket, 1)).path("job-1/seg-1.dcm").exists()


def test_results_in_a_folder_have_the_same_names(tmp_path: Path) -> None:
    results = ResultFiles(tmp_path)
    results.keep("job-1/seg-1.dcm", b"result")
    assert results.path("job-1/seg-1.dcm").read_bytes() == b"result"
    results.drop("job-1/seg-1.dcm")
    results.drop("job-1/seg-1.dcm")
    assert not results.path("job-1/seg-1.dcm").exists()


def test_nothing_is_kept_when_the_bucket_does_not_answer(tmp_path: Path, server: S3) -> None:
    for url in ("s3://nobody-made-this-one", BUCKET):
        endpoint = server.endpoint if url != BUCKET else "http://127.0.0.1:1"
        bucket = Bucket(url, endpoint)
        files = BucketFiles(bucket, Copies(tmp_path / "copies", bucket, 1 << 20), 0)
        with pytest.raises(StoreUnavailable, match="the bucket"):
            files.write(NOON, HEAD, ONE.data_set)
        assert list((tmp_path / "copies").rglob("*.dcm")) == []


def test_what_is_no_bucket_is_refused(server: S3) -> None:
    with pytest.raises(BadConfiguration, match=r"storage\.url"):
        Bucket("s4://hospital", server.endpoint)
    with pytest.raises(BadConfiguration, match="no such bucket"):
        Bucket("s3://nobody-made-this-one", server.endpoint).demand_there()
    Bucket(BUCKET, server.endpoint).demand_there()


def test_what_is_kept_is_asked_of_the_bucket_and_not_of_a_copy(replica: Open, bucket: Bucket, tmp_path: Path) -> None:
    files = replica("one")
    kept = files.write(NOON, HEAD, ONE.data_set)
    assert kept_size(files, kept.path) == len(HEAD) + len(ONE.data_set)
    bucket.delete(kept.path)
    assert kept_size(files, kept.path) is None
    in_a_folder = Files(tmp_path / "folder", 0)
    kept = in_a_folder.write(NOON, HEAD, ONE.data_set)
    assert kept_size(in_a_folder, kept.path) == len(HEAD) + len(ONE.data_set)
    assert kept_size(in_a_folder, "20250102/12/none.dcm") is None
