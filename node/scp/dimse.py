"""C-STORE messages as bytes (PS3.7 9.3.1, PS3.8 9.3.5): the little that receiving instances fast needs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

P_DATA_TF = 0x04
_C_STORE_RQ, _C_STORE_RSP = 0x0001, 0x8001
NO_DATA_SET = 0x0101

_AFFECTED_SOP_CLASS_UID, _COMMAND_FIELD, _MESSAGE_ID = 0x0002, 0x0100, 0x0110
_COMMAND_DATA_SET_TYPE, _AFFECTED_SOP_INSTANCE_UID = 0x0800, 0x1000


@dataclass(frozen=True)
class Fragment:
    """A presentation data value of a P-DATA-TF PDU."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


def fragments(pdu: memoryview) -> Iterator[Fragment]:
    """The presentation data values of a P-DATA-TF PDU. Raises ValueError when their lengths contradict the PDU."""
    at = 6
    while at < len(pdu):
        if at + 6 > len(pdu):
            raise ValueError("a presentation data value is cut")
        (length,) = struct.unpack_from(">L", pdu, at)
        if length < 2 or at + 4 + length > len(pdu):
            raise ValueError("a presentation data value is longer than its PDU")
        control = pdu[at + 5]
        yield Fragment(pdu[at + 4], bool(control & 1), bool(control & 2), pdu[at + 6 : at + 4 + length])
        at += 4 + length


@dataclass(frozen=True)
class Command:
    """What the node needs of a command set."""

    is_store_request: bool
    has_data_set: bool
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


def read_command(encoded: bytes) -> Command:
    """Read a command set, always Implicit VR Little Endian (PS3.7 6.3.1). Raises ValueError when it is none."""
    values: dict[int, bytes] = {}
    at = 0
    while at + 8 <= len(encoded):
        group, element, length = struct.unpack_from("<HHL", encoded, at)
        if group != 0 or at + 8 + length > len(encoded):
            raise ValueError("not a command set")
        values[element] = encoded[at + 8 : at + 8 + length]
        at += 8 + length
    return Command(
        is_store_request=_number(values, _COMMAND_FIELD) == _C_STORE_RQ,
        has_data_set=_number(values, _COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
        message_id=_number(values, _MESSAGE_ID),
        sop_class_uid=_uid(values, _AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=_uid(values, _AFFECTED_SOP_INSTANCE_UID),
    )


def _number(values: dict[int, bytes], element: int) -> int:
    value = values.get(element, b"")
    return int.from_bytes(value[:2], "little") if len(value) == 2 else -1


def _uid(values: dict[int, bytes], element: int) -> str:
    return values.get(element, b"").decode("ascii", "replace").strip("\0 ")


def store_response(context_id: int, request: Command, status: int, comment: str) -> bytes:
    """A C-STORE-RSP as one P-DATA-TF PDU. `comment` says why, cut to the 64 characters of an LO."""
    elements = (
        _element(_AFFECTED_SOP_CLASS_UID, _padded(request.sop_class_uid, b"\0"))
        + _element(_COMMAND_FIELD, struct.pack("<H", _C_STORE_RSP))
        + _element(0x0120, struct.pack("<H", max(request.message_id, 0)))
        + _element(_COMMAND_DATA_SET_TYPE, struct.pack("<H", NO_DATA_SET))
        + _element(0x0900, struct.pack("<H", status))
        + (_element(0x0902, _padded(comment[:64], b" ")) if comment else b"")
        + _element(_AFFECTED_SOP_INSTANCE_UID, _padded(request.sop_instance_uid, b"\0"))
    )
    command = _element(0x0000, struct.pack("<L", len(elements))) + elements
    value = struct.pack(">LBB", len(command) + 2, context_id, 0x03) + command
    return struct.pack(">BBL", P_DATA_TF, 0, len(value)) + value


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0x0000, element, len(value)) + value


def _padded(text: str, pad: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    return value + pad if len(value) % 2 else value
