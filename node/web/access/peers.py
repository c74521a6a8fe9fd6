"""Who is at the other end of a connection, and what a proxy in between says of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

from node.core.access.addresses import is_loopback

_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Peer:
    """Who asks, and under which name he reached us."""

    address: str
    scheme: str
    host: str  # with its port, as in the Host header
    forwarded: bool  # whether somebody passed the request on

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}".lower()

    @property
    def is_here(self) -> bool:
        """This machine, by a name of this machine: no other site's page can send it under its own."""
        return not self.forwarded and is_loopback(self.address) and is_loopback(host_of(self.host))


def host_of(host: str) -> str:
    """Without its port."""
    if host.startswith("["):
        return host.partition("]")[0].strip("[")
    return host.partition(":")[0] if host.count(":") <= 1 else host


@dataclass(frozen=True)
class Proxies:
    """Whose X-Forwarded-* are believed."""

    networks: Sequence[Network] = ()

    def peer(self, scope: Scope) -> Peer:
        """Who asks. What is forwarded by others than the listed ones is not believed, but it is noticed."""
        client = scope.get("client")
        address = client[0] if client else ""
        headers = scope["headers"]
        scheme, host = str(scope.get("scheme", "http")), _one(headers, b"host")
        forwarded = any(name in _FORWARDED for name, _ in headers)
        if forwarded and self._is_ours(address):
            address = self._farthest(_one(headers, b"x-forwarded-for"), address)
            told = _one(headers, b"x-forwarded-proto").partition(",")[0].strip().lower()
            scheme = told if told in ("http", "https") else scheme
            named = _one(headers, b"x-forwarded-host").partition(",")[0].strip()
            host = named or host
        return Peer(address, scheme, host if _HOST.fullmatch(host) else "", forwarded)

    def _is_ours(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.networks)

    def _farthest(self, chain: str, nearest: str) -> str:
        """From the right, the first that is no proxy of ours: what stands further left anybody can write."""
        for one in reversed([part.strip() for part in chain[-2000:].split(",")]):
            if not one:
                continue
            try:
                ipaddress.ip_address(one)
            except ValueError:
                return nearest
            nearest = one
            if not self._is_ours(one):
                return one
        return nearest


def believed(scope: Scope, peer: Peer) -> None:
    """What the rest of the node sees: addresses that it writes are those under which it is reached."""
    scope["scheme"] = peer.scheme
    scope["client"] = (peer.address, 0)
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    scope["headers"] = [(b"host", peer.host.encode("ascii")), *headers]


def _one(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str:
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)
