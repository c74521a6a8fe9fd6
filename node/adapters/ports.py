"""A port of loopback for somebody who binds it a moment later."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

_LOOPBACK = "127.0.0.1"
_PORTS = range(16_384, 32_768)  # below Linux's ip_local_port_range
_TRIES = 50


def free_port() -> int:
    """Not one of those that the kernel gives to whoever asks for any, unless no other is found. Raises OSError."""
    for port in (_PORTS[secrets.randbelow(len(_PORTS))] for _ in range(_TRIES)):
        with suppress(OSError):
            return _bound(port)
    return _bound(0)


def _bound(port: int) -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, port))
        return int(probe.getsockname()[1])
