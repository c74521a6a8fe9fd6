"""The receipt ledger's chain, and its balance."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.core.ledger import GENESIS, Balance, Disposition, Receipt, broken_links, link

LINE = Receipt(
    at=datetime(2025, 1, 2, 3, 4, 5, 6, UTC),
    channel="dicom",
    calling_ae="SCANNER",
    called_ae="MRICORE",
    host="192.0.2.1",
    association="one",
    sop_class_uid="1.2",
    sop_instance_uid="1.2.3",
    series_instance_uid="1.2.4",
    study_instance_uid="1.2.5",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    sha256="a" * 64,
    size=100,
    status=0,
    disposition=Disposition.STORED,
    reason="",
    path="20250102/03/a.dcm",
)
Line = tuple[int, str, str, Receipt]


def chain(length: int) -> list[Line]:
    lines: list[Line] = []
    previous = GENESIS
    for number in range(1, length + 1):
        receipt = replace(LINE, sop_instance_uid=f"1.2.3.{number}")
        digest = link(previous, receipt)
        lines.append((number, previous, digest, receipt))
        previous = digest
    return lines


def other(value: object) -> object:
    """Another value of the same kind."""
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, Disposition):
        return Disposition.CONFLICT
    return value + 1 if isinstance(value, int) else f"{value}x"


@given(st.integers(0, 30))
def test_an_untouched_chain_is_whole(length: int) -> None:
    assert broken_links(chain(length)) == ()


@given(st.integers(1, 12), st.data())
def test_a_change_of_any_field_of_any_line_is_found(length: int, data: st.DataObject) -> None:
    lines = chain(length)
    at = data.draw(st.integers(0, length - 1))
    name = data.draw(st.sampled_from([field.name for field in fields(Receipt)]))
    number, previous, digest, receipt = lines[at]
    values = {name: other(getattr(receipt, name))}
    lines[at] = (number, previous, digest, replace(receipt, **values))  # type: ignore[arg-type]
    assert broken_links(lines) == (number,)


@given(st.integers(2, 12), st.data())
def test_a_removed_line_is_found_unless_it_is_the_last(length: int, data: st.DataObject) -> None:
    lines = chain(length)
    at = data.draw(st.integers(0, length - 2))
    del lines[at]
    assert broken_links(lines)[0] == at + 2


@given(st.integers(2, 12), st.data())
def test_exchanged_lines_are_found(length: int, data: st.DataObject) -> None:
    lines = chain(length)
    at = data.draw(st.integers(0, length - 2))
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    assert broken_links(lines)


def test_a_line_whose_digest_was_made_anew_breaks_the_next_one() -> None:
    lines = chain(4)
    number, previous, _, receipt = lines[1]
    forged = replace(receipt, sha256="b" * 64)
    lines[1] = (number, previous, link(previous, forged), forged)
    assert broken_links(lines) == (3,)


counts = st.integers(0, 1000)


@given(counts, counts, counts, counts, counts, counts)
def test_the_residue_is_what_no_place_accounts_for(
    lost: int, delivered: int, filtered: int, waiting: int, held: int, failed: int
) -> None:
    received = lost + delivered + filtered + waiting + held + failed
    assert Balance(received, delivered, filtered, waiting, held, failed).residue == lost
