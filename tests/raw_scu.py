"""A Storage SCU that writes its bytes itself, so that a test decides where every fragment ends (PS3.8 9.3)."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from node.core.part10 import IMPLEMENTATION_CLASS_UID
from tests.receiving import Encoded

ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
COMMAND, DATA, LAST = 1, 0, 2  # bits of a message control header
_PATIENCE_S = 60.0

Pdv = tuple[int, int, bytes]  # presentation context, message control header, fragment


def pdu(kind: int, body: bytes, *, said: int | None = None) -> bytes:
    """A PDU; `said` is the length that its header claims, if not the true one."""
    return struct.pack(">BBL", kind, 0, len(body) if said is None else said) + body


def p_data(pdvs: Sequence[Pdv]) -> bytes:
    body = b"".join(struct.pack(">LBB", len(part) + 2, context, control) + part for context, control, part in pdvs)
    return pdu(P_DATA, body)


def store_command(one: Encoded, message_id: int = 1, *, has_data_set: bool = True) -> bytes:
    """A C-STORE-RQ (PS3.7 9.3.1.1)."""
    elements = (
        _element(0x0002, _uid(one.sop_class_uid))
        + _element(0x0100, struct.pack("<H", 0x0001))
        + _element(0x0110, struct.pack("<H", message_id))
        + _element(0x0700, struct.pack("<H", 0))
        + _element(0x0800, struct.pack("<H", 0x0001 if has_data_set else 0x0101))
        + _element(0x1000, _uid(one.sop_instance_uid))
    )
    return _element(0x0000, struct.pack("<L", len(elements))) + elements


def echo_command(message_id: int = 1, *, has_data_set: bool = False) -> bytes:
    """A C-ECHO-RQ (PS3.7 9.3.5.1), which has no data set but when it is wrong."""
    elements = (
        _element(0x0002, _uid(VERIFICATION))
        + _element(0x0100, struct.pack("<H", 0x0030))
        + _element(0x0110, struct.pack("<H", message_id))
        + _element(0x0800, struct.pack("<H", 0x0001 if has_data_set else 0x0101))
    )
    return _element(0x0000, struct.pack("<L", len(elements))) + elements


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, element, len(value)) + value


def _uid(text: str) -> bytes:
    value = text.encode("ascii")
    return value + b"\0" if len(value) % 2 else value


def split(content: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The content in pieces of these sizes, the rest in the last one."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(content[at : at + size])
        at += size
    return [*pieces, content[at:]]


def message(context: int, kind: int, pieces: Sequence[bytes]) -> list[Pdv]:
    """Fragments of a command (kind COMMAND) or a data set (DATA); the last one says so."""
    last = len(pieces) - 1
    return [(context, kind | (LAST if number == last else 0), piece) for number, piece in enumerate(pieces)]


class RawScu:
    """A connection. Context 1 is for the SOP class given, context 3 for Verification."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def receive(self) -> tuple[int, bytes]:
        """The next PDU: its type and body; (0, b"") when the connection is closed."""
        try:
            header = self._exactly(6)
            if not header:
                return 0, b""
            kind, _, length = struct.unpack(">BBL", header)
            return kind, self._exactly(length)
        except ConnectionError:
            return 0, b""

    def has_more(self) -> bool:
        """Whether something can be read: a PDU, or the end."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            piece = self._socket.recv(count - len(got))
            if not piece:
                return b""
            got += piece
        return got

    def associate(
        self, sop_class_uid: str, transfer_syntax_uid: str = EXPLICIT, *, called: str = "MRICORE"
    ) -> tuple[int, bytes]:
        """A-ASSOCIATE-RQ; the answer."""
        proposed = context(1, sop_class_uid, transfer_syntax_uid) + context(3, VERIFICATION, EXPLICIT)
        self.send(associate_rq(proposed, called=called))
        return self.receive()

    def store(self, one: Encoded, message_id: int = 1) -> int:
        """A C-STORE in one command PDU and one data PDU; the status answered."""
        self.send(p_data(message(1, COMMAND, [store_command(one, message_id)])))
        self.send(p_data(message(1, DATA, [one.data_set])))
        return self.status()

    def echo(self) -> int:
        self.send(p_data(message(3, COMMAND, [echo_command(77)])))
        return self.status()

    def status(self) -> int:
        """The status of the next response. A PDU that is no response fails the test."""
        kind, body = self.receive()
        assert kind == P_DATA, f"PDU type {kind}"
        at, found = 6, {}
        while at + 8 <= len(body):
            _, element, length = struct.unpack_from("<HHL", body, at)
            found[element] = body[at + 8 : at + 8 + length]
            at += 8 + length
        return int.from_bytes(found[0x0900], "little")

    def release(self) -> int:
        """A-RELEASE-RQ; the type of the PDU that answers."""
        self.send(pdu(RELEASE_RQ, bytes(4)))
        return self.receive()[0]

    def ended(self) -> bool:
        """Whether the other side ends the connection, by an abort or by closing it, after whatever it still says."""
        kind = P_DATA
        while kind == P_DATA:
            kind, _ = self.receive()
        return kind in (0, ABORT)


def associate_rq(contexts: bytes, *, called: str = "MRICORE") -> bytes:
    """An A-ASSOCIATE-RQ PDU (PS3.8 9.3.2) with these presentation contexts."""
    user = item(0x51, struct.pack(">L", 16384)) + item(0x52, IMPLEMENTATION_CLASS_UID.encode())
    return pdu(
        0x01,
        struct.pack(">HH", 1, 0)
        + called.ljust(16).encode()
        + b"RAW_SCU".ljust(16)
        + bytes(32)
        + item(0x10, b"1.2.840.10008.3.1.1.1")
        + contexts
        + item(0x50, user),
    )


def item(kind: int, body: bytes) -> bytes:
    """An item of an A-ASSOCIATE PDU."""
    return struct.pack(">BBH", kind, 0, len(body)) + body


def context(number: int, abstract: str, transfer: str) -> bytes:
    """A proposed presentation context (PS3.8 9.3.2.2); "" leaves the syntax out."""
    syntaxes = [item(kind, uid.encode()) for kind, uid in ((0x30, abstract), (0x40, transfer)) if uid]
    return item(0x20, struct.pack(">BBBB", number, 0, 0, 0) + b"".join(syntaxes))
