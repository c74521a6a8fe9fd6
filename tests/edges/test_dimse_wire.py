"""C-STORE on the wire: fragments split in every way, and peers that do not keep to the protocol."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.adapters.destinations.storescu import Peer, echo
from node.core.status import CANNOT_UNDERSTAND, SUCCESS
from node.scp.dimse import fragments, read_command
from tests.bench import until
from tests.listening import Listening, listening
from tests.open_files import many_open_files
from tests.raw_scu import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    COMMAND,
    DATA,
    EXPLICIT,
    P_DATA,
    RELEASE_RP,
    Pdv,
    RawScu,
    associate_rq,
    context,
    echo_command,
    message,
    p_data,
    pdu,
    split,
    store_command,
)
from tests.receiving import Encoded, encoded
from tests.synthetic import MR_IMAGE_STORAGE, Grid, mr_series

SMALL = encoded(mr_series(Grid(slices=1, rows=8, columns=8))[0])
_numbers = count(10_000_000)


def fresh(one: Encoded = SMALL) -> Encoded:
    """The same instance under a UID that nobody has used."""
    old = one.sop_instance_uid.encode()
    new = f"2.25.{next(_numbers)}".ljust(len(old), "7").encode()
    return Encoded(one.sop_class_uid, new.decode(), one.transfer_syntax_uid, one.data_set.replace(old, new))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with listening(tmp_path_factory.mktemp("wire")) as opened:
        yield opened


def stored(node: Listening, one: Encoded) -> bool:
    """Whether the ledger holds Success for exactly these bytes."""
    lines = [line for line in node.receipts() if line.sop_instance_uid == one.sop_instance_uid]
    return [(line.status, line.sha256, line.disposition) for line in lines] == [(SUCCESS, one.sha256, "stored")]


def still_works(node: Listening) -> bool:
    one = fresh()
    with RawScu(node.port) as scu:
        return scu.associate(MR_IMAGE_STORAGE)[0] == ASSOCIATE_AC and scu.store(one) == SUCCESS and stored(node, one)


def leftovers(node: Listening) -> list[str]:
    return [path.name for path in node.files.root.rglob("*.part")]


sizes = st.lists(st.integers(0, 400), max_size=12)


@settings(deadline=None, max_examples=60)
@given(command_sizes=st.lists(st.integers(0, 60), max_size=6), data_sizes=sizes, per_pdu=sizes)
def test_however_a_message_is_fragmented_it_is_stored_as_it_was_sent(
    node: Listening, command_sizes: list[int], data_sizes: list[int], per_pdu: list[int]
) -> None:
    one = fresh()
    pdvs = message(1, COMMAND, split(store_command(one), command_sizes))
    pdvs += message(1, DATA, split(one.data_set, data_sizes))
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(b"".join(p_data(group) for group in grouped(pdvs, per_pdu)))
        assert scu.status() == SUCCESS
        assert scu.release() == RELEASE_RP
    assert stored(node, one)


def grouped(pdvs: list[Pdv], per_pdu: list[int]) -> list[list[Pdv]]:
    """The presentation data values, so many to a PDU."""
    groups, at = [], 0
    for number in per_pdu:
        groups.append(pdvs[at : at + number % 4 + 1])
        at += number % 4 + 1
    groups += [[one] for one in pdvs[at:]]
    return [group for group in groups if group]


@settings(deadline=None, max_examples=20)
@given(pieces=st.lists(st.integers(1, 700), max_size=8))
def test_however_tcp_cuts_the_stream_the_instance_is_stored(node: Listening, pieces: list[int]) -> None:
    one = fresh()
    stream = p_data(message(1, COMMAND, [store_command(one)])) + p_data(message(1, DATA, [one.data_set]))
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        for piece in split(stream, pieces):
            scu.send(piece)
        assert scu.status() == SUCCESS
    assert stored(node, one)


def test_command_and_data_set_may_share_a_pdu(node: Listening) -> None:
    one = fresh()
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(p_data([*message(1, COMMAND, [store_command(one)]), *message(1, DATA, [one.data_set])]))
        assert scu.status() == SUCCESS
    assert stored(node, one)


def test_a_last_fragment_may_be_empty(node: Listening) -> None:
    one = fresh()
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(p_data(message(1, COMMAND, [store_command(one), b""])))
        scu.send(p_data(message(1, DATA, [b"", one.data_set, b"", b""])))
        assert scu.status() == SUCCESS
    assert stored(node, one)


def test_an_instance_larger_than_any_pdu_is_stored(node: Listening) -> None:
    one = fresh(encoded(mr_series(Grid(slices=1, rows=1200, columns=1200))[0]))
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(p_data(message(1, COMMAND, [store_command(one)])))
        for pdv in message(1, DATA, split(one.data_set, [9973] * (len(one.data_set) // 9973))):
            scu.send(p_data([pdv]))
        assert scu.status() == SUCCESS
    assert stored(node, one)


def test_c_echo_between_c_stores_is_answered_in_order(node: Listening) -> None:
    first, second = fresh(), fresh()
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        answers = [scu.echo(), scu.store(first, 1), scu.echo(), scu.echo(), scu.store(second, 2), scu.echo()]
        assert answers == [SUCCESS] * 6
        assert scu.release() == RELEASE_RP
    assert stored(node, first)
    assert stored(node, second)


def test_a_fragmented_c_echo_is_answered(node: Listening) -> None:
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        for pdv in message(3, COMMAND, split(echo_command(), [1, 20, 0, 9])):
            scu.send(p_data([pdv]))
        assert scu.status() == SUCCESS


def test_a_release_sent_together_with_the_last_instance_comes_after_its_answer(node: Listening) -> None:
    one = fresh()
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        stream = p_data(message(1, COMMAND, [store_command(one)])) + p_data(message(1, DATA, [one.data_set]))
        scu.send(stream + pdu(0x05, bytes(4)))
        assert scu.status() == SUCCESS
        assert scu.receive()[0] == RELEASE_RP
    assert stored(node, one)


@pytest.mark.parametrize("how", ["abort", "close", "reset"])
@pytest.mark.parametrize("size", [100, 3 << 20])
def test_a_sender_that_goes_in_the_middle_leaves_nothing(node: Listening, how: str, size: int) -> None:
    before = len(node.receipts())
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(p_data(message(1, COMMAND, [store_command(fresh())])))
        for _ in range(max(1, size >> 17)):
            scu.send(p_data([(1, DATA, bytes(min(size, 1 << 17)))]))
        if how == "abort":
            scu.send(pdu(0x07, bytes(4)))
            assert scu.ended()
        elif how == "reset":
            scu._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert still_works(node)
    _until_gone(node)
    assert len(node.receipts()) == before + 1


def _until_gone(node: Listening) -> None:
    """A closed connection is noticed by another thread: a bounded wait."""
    for _ in range(600):
        if not leftovers(node):
            return
        time.sleep(0.1)
    raise AssertionError(f"left over: {leftovers(node)}")


def test_bytes_that_are_no_data_set_are_answered_c000_and_the_association_goes_on(node: Listening) -> None:
    good, page = fresh(), b"<html>not an image</html>"
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        assert scu.store(Encoded(MR_IMAGE_STORAGE, "1.2.3", SMALL.transfer_syntax_uid, page)) == CANNOT_UNDERSTAND
        assert scu.store(good) == SUCCESS


def test_an_unknown_called_ae_title_is_rejected_for_good(node: Listening) -> None:
    with RawScu(node.port) as scu:
        kind, body = scu.associate(MR_IMAGE_STORAGE, called="SOMEBODY")
    assert (kind, tuple(body[1:4])) == (ASSOCIATE_RJ, (1, 1, 7))


BROKEN = {
    "an unknown PDU type": pdu(0x99, b"hello"),
    "a presentation data value longer than its PDU": pdu(P_DATA, struct.pack(">LBB", 999, 1, 2) + b"x"),
    "a presentation data value without a header": pdu(P_DATA, b"\x00\x00"),
    "a presentation data value of length 0": pdu(P_DATA, struct.pack(">LBB", 0, 1, 2)),
    "a PDU of 4 GB": pdu(P_DATA, b"", said=0xFFFFFFFF),
    "a PDU longer than 64 MiB": pdu(P_DATA, b"", said=(64 << 20) + 1),
    "a second association request": pdu(0x01, bytes(70)),
    "a command that is none": p_data([(1, COMMAND | 2, b"\xff" * 40)]),
    "a data set without a command": p_data([(1, DATA | 2, b"x" * 100)]),
    "a data set without a command that goes on": p_data([(1, DATA, b"x" * 100)]),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_the_protocol_ends_the_association_and_not_the_node(node: Listening, broken: bytes) -> None:
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(broken)
        assert scu.ended()
    assert still_works(node)


def test_a_command_that_never_ends_is_cut_off(node: Listening) -> None:
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        try:
            for _ in range(400):
                scu.send(p_data([(1, COMMAND, bytes(16000))]))
        except ConnectionError:
            pass
        assert scu.ended()
    assert still_works(node)


def test_a_pdu_that_is_shorter_than_it_says_is_never_stored(node: Listening) -> None:
    before = len(node.receipts())
    one = fresh()
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(p_data(message(1, COMMAND, [store_command(one)])))
        scu.send(pdu(P_DATA, one.data_set, said=len(one.data_set) + 5000))
    assert still_works(node)
    assert len(node.receipts()) == before + 1


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\nHost: node\r\n\r\n", b"\x16\x03\x01\x02\x00" + bytes(60), bytes(200), b"\x01"]
)
def test_whoever_does_not_speak_dicom_is_let_go(node: Listening, first: bytes) -> None:
    with RawScu(node.port) as scu:
        scu.send(first)
        if len(first) > 6:
            scu._socket.shutdown(socket.SHUT_WR)
            assert scu.ended()
    assert still_works(node)


def test_an_association_request_that_claims_megabytes_is_not_waited_for(node: Listening) -> None:
    with RawScu(node.port) as scu:
        scu.send(pdu(0x01, b"", said=32 << 20))
        assert scu.ended()
    assert still_works(node)


@pytest.mark.parametrize("proposed", [("", EXPLICIT), (MR_IMAGE_STORAGE, "")], ids=["abstract", "transfer"])
def test_a_presentation_context_without_a_syntax_ends_the_association(
    node: Listening, proposed: tuple[str, str]
) -> None:
    with RawScu(node.port) as scu:
        scu.send(associate_rq(context(1, *proposed)))
        assert scu.ended()
    assert still_works(node)


def test_who_goes_before_he_asked_for_an_association_leaves_no_thread(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        node.listener._ae.acse_timeout = 3600  # it is not time that ends them
        before = set(threading.enumerate())  # those of other tests may be ending
        opened = [RawScu(node.port) for _ in range(20)]
        for number, scu in enumerate(opened):
            scu.send(associate_rq(context(1, MR_IMAGE_STORAGE, EXPLICIT))[: number * 5])
        until(lambda: len(set(threading.enumerate()) - before) >= 20, "twenty connections")
        for scu in opened:
            scu.close()
        until(lambda: set(threading.enumerate()) <= before, "their end")


def test_of_too_many_connections_the_oldest_without_an_association_goes(tmp_path: Path) -> None:
    with ExitStack() as held:
        node = held.enter_context(listening(tmp_path, max_associations=1))
        sender = held.enter_context(RawScu(node.port))
        assert sender.associate(MR_IMAGE_STORAGE)[0] == ASSOCIATE_AC
        silent = [held.enter_context(RawScu(node.port)) for _ in range(120)]
        until(lambda: sum(scu.has_more() for scu in silent) >= 10, "the end of some")
        assert sender.store(fresh()) == SUCCESS


def test_many_open_files_are_no_reason_to_refuse_anybody(node: Listening) -> None:
    with many_open_files():
        assert still_works(node)
        echo(Peer("MRICORE", "127.0.0.1", node.port, "SCANNER"))


@settings(deadline=None, max_examples=25)
@given(noise=st.binary(min_size=1, max_size=300))
def test_noise_after_the_association_costs_that_association_at_most(node: Listening, noise: bytes) -> None:
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(noise)
    assert still_works(node)


def test_a_c_store_without_a_data_set_does_not_hurt_the_node(node: Listening) -> None:
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(p_data(message(1, COMMAND, [store_command(fresh(), has_data_set=False)])))
        kind, _ = scu.receive()
        assert kind in (0, ABORT, P_DATA)
    assert still_works(node)


def test_a_data_set_of_another_service_that_does_not_end_ends_the_association(node: Listening) -> None:
    with RawScu(node.port) as scu:
        scu.associate(MR_IMAGE_STORAGE)
        scu.send(p_data(message(3, COMMAND, [echo_command(has_data_set=True)])))
        sent, ended = 0, False
        while not ended and sent < 100:
            try:
                scu.send(p_data([(3, DATA, bytes(1 << 20))]))
            except OSError:
                break
            sent, ended = sent + 1, scu.has_more()
        assert sent < 100
        assert scu.ended()
    assert still_works(node)


def test_sixteen_associations_at_once_each_get_their_own_answers(node: Listening) -> None:
    def sender(_number: int) -> list[Encoded]:
        mine = [fresh() for _ in range(12)]
        with RawScu(node.port) as scu:
            assert scu.associate(MR_IMAGE_STORAGE)[0] == ASSOCIATE_AC
            assert [scu.store(one, number + 1) for number, one in enumerate(mine)] == [SUCCESS] * 12
            assert scu.release() == RELEASE_RP
        return mine

    with ThreadPoolExecutor(16) as pool:
        sent = [one for mine in pool.map(sender, range(16)) for one in mine]
    kept = {line.sop_instance_uid: line.sha256 for line in node.receipts()}
    assert all(kept[one.sop_instance_uid] == one.sha256 for one in sent)


@given(st.binary(max_size=200))
def test_a_pdu_of_any_bytes_is_taken_apart_or_refused(body: bytes) -> None:
    try:
        parts = list(fragments(memoryview(pdu(P_DATA, body))))
    except ValueError:
        return
    assert sum(len(part.data) + 6 for part in parts) == len(body)


@given(st.binary(max_size=200))
def test_a_command_of_any_bytes_is_read_or_refused(body: bytes) -> None:
    try:
        command = read_command(body)
    except ValueError:
        return
    assert isinstance(command.sop_instance_uid, str)
