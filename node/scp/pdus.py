"""Whole PDUs from a connection (PS3.8 9.3.1), read ahead so that one system call brings several."""

from __future__ import annotations

import socket
import struct

_HEADER = struct.Struct(">BBL")
_READ_AHEAD = 1 << 18
_STEP = 1 << 20  # how far the buffer grows at a time: a PDU may be shorter than it says


class PduReader:
    """Reads the PDUs of one connection."""

    def __init__(self) -> None:
        self._buffer = bytearray(_READ_AHEAD)
        self._start = self._end = 0  # what was read and not handed out yet

    @property
    def buffered(self) -> bool:
        """Whether the next PDU can be had without waiting."""
        held = self._end - self._start
        return held >= _HEADER.size and held >= self._length()

    def next(self, connection: socket.socket, most: int) -> memoryview | None:
        """One whole PDU, valid until the next call; None when the connection ended, stalled or says more than `most`
        bytes."""
        if self._start == self._end:
            self._start = self._end = 0
        if not self._have(connection, _HEADER.size):
            return None
        length = self._length()
        if length > most or not self._have(connection, length):
            return None
        begin, self._start = self._start, self._start + length
        return memoryview(self._buffer)[begin : self._start]

    def _length(self) -> int:
        """Bytes of the next PDU with its header."""
        _, _, length = _HEADER.unpack_from(self._buffer, self._start)
        return int(length) + _HEADER.size

    def _have(self, connection: socket.socket, count: int) -> bool:
        while self._end - self._start < count:
            self._make_room(count)
            # Most senders leave Nagle's algorithm on: without an immediate acknowledgement each of their messages
            # waits for our delayed one, 40 ms. The kernel forgets this option, so it is set each time.
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                read = connection.recv_into(memoryview(self._buffer)[self._end :])
            except OSError:  # reset, or silent longer than SO_RCVTIMEO
                return False
            if not read:
                return False
            self._end += read
        return True

    def _make_room(self, count: int) -> None:
        """Room behind what is held for the rest of `count` bytes, or for a step of it."""
        if self._start + count > len(self._buffer):
            held = self._end - self._start
            size = max(_READ_AHEAD, min(count, held + _STEP))
            # A new buffer when it grows: somebody may still look at the old one.
            target = self._buffer if size <= len(self._buffer) else bytearray(size)
            target[:held] = self._buffer[self._start : self._end]
            self._buffer, self._start, self._end = target, 0, held
