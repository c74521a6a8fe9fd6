"""File meta information, written before a data set and read again."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom import dcmread

from node.core.part10 import IMPLEMENTATION_CLASS_UID, PREAMBLE, Head, file_head, read_head
from node.errors import BadInstance
from tests.receiving import encoded
from tests.synthetic import Grid, mr_series

uids = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,5}", fullmatch=True)
ONE = encoded(mr_series(Grid(slices=1, rows=8, columns=8))[0])


@given(uids, uids, uids, st.binary(max_size=40))
@example("1.2", "1.2.3", "1.2.4", b"\2\0")
@example("1.2", "1.2.3", "1.2.4", b"\2\0\x10\0UI\x04\x001.9\0\x08\0")  # another Transfer Syntax UID
def test_what_was_written_is_read_and_the_data_set_begins_behind_it(
    sop_class: str, instance: str, syntax: str, data_set: bytes
) -> None:
    content = file_head(sop_class, instance, syntax) + data_set
    head = read_head(content)
    assert head == Head(sop_class, instance, syntax, len(content) - len(data_set))


def test_pydicom_reads_a_file_that_begins_so() -> None:
    head = file_head(ONE.sop_class_uid, ONE.sop_instance_uid, ONE.transfer_syntax_uid)
    ds = dcmread(BytesIO(head + ONE.data_set))
    assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert ds.file_meta.FileMetaInformationVersion == b"\0\1"
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID


@pytest.mark.parametrize("wrong", [0, 30, 1 << 20])
def test_a_group_length_that_is_wrong_does_not_matter(wrong: int) -> None:
    head = file_head("1.2", "1.2.3", "1.2.840.10008.1.2.1")
    content = head[:140] + wrong.to_bytes(4, "little") + head[144:] + ONE.data_set
    assert read_head(content) == Head("1.2", "1.2.3", "1.2.840.10008.1.2.1", len(head))


def test_the_group_length_counts_what_follows_it() -> None:
    head = file_head("1.2", "1.2.3", "1.2.840.10008.1.2.1")
    assert int.from_bytes(head[140:144], "little") == len(head) - 144


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(BadInstance):
        read_head(content)


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_prefix_are_read_or_refused(content: bytes) -> None:
    try:
        head = read_head(PREAMBLE + content)
    except BadInstance:
        return
    assert head.transfer_syntax_uid


@given(st.integers(0, 300))
def test_a_cut_is_noticed_or_harmless(at: int) -> None:
    whole = file_head("1.2", "1.2.3", "1.2.840.10008.1.2.1")
    try:
        head = read_head(whole[:at])
    except BadInstance:
        return
    assert head.transfer_syntax_uid in ("1.2.840.10008.1.2.1"[:n] for n in range(1, 20))


def test_a_missing_prefix_and_a_missing_transfer_syntax_are_told_apart() -> None:
    with pytest.raises(BadInstance, match="DICM"):
        read_head(bytes(200))
    with pytest.raises(BadInstance, match="Transfer Syntax"):
        read_head(PREAMBLE + bytes(200))
