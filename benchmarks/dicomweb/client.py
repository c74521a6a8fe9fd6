"""A client that costs little: one connection that stays open, and answers that are counted rather than looked at."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

_ROOM = 1 << 22
_PATIENCE_S = 300.0


@dataclass
class Connection:
    """HTTP/1.1 to a port of loopback."""

    port: int
    _socket: socket.socket = field(init=False)
    _room: bytearray = field(default_factory=lambda: bytearray(_ROOM))

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), _PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str, accept: str = "application/dicom+json") -> tuple[int, int]:
        """Status and bytes of the answer's body."""
        head = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept: {accept}\r\nAccept-Encoding: gzip\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        got, ends = 0, -1
        while ends < 0:
            got += self._more(got)
            ends = self._room.find(b"\r\n\r\n", 0, got)
        told = bytes(self._room[:ends]).decode("latin-1").lower().split("\r\n")
        status = int(told[0].split()[1])
        headers = dict(line.split(": ", 1) for line in told[1:] if ": " in line)
        if status in (204, 304):
            return status, 0
        if "content-length" in headers:
            size = int(headers["content-length"])
            left = size - (got - ends - 4)
            while left > 0:
                left -= self._more(0)
            return status, size
        if headers.get("transfer-encoding") != "chunked":
            raise SystemExit(f"an answer without a length: {headers}")
        return status, self._chunked(bytes(self._room[ends + 4 : got]))

    def _chunked(self, begun: bytes) -> int:
        size, content = 0, bytearray(begun)
        while True:
            while (line := content.find(b"\r\n")) < 0:
                content += self._room[: self._more(0)]
            length = int(bytes(content[:line]).split(b";")[0], 16)
            while len(content) < line + 2 + length + 2:
                content += self._room[: self._more(0)]
            del content[: line + 2 + length + 2]
            size += length
            if not length:
                return size

    def _more(self, at: int) -> int:
        got = self._socket.recv_into(memoryview(self._room)[at:])
        if not got:
            raise SystemExit("the server closed the connection")
        return got

    def close(self) -> None:
        self._socket.close()
