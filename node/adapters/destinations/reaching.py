"""The way to a peer, step by step: its name, its port, its certificate. For who asks where it ends."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from node.errors import DestinationUnavailable


@dataclass(frozen=True)
class Where:
    """Where a peer listens."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None  # None: not spoken
    ae_title: str = ""  # "": it speaks no DIMSE


@dataclass(frozen=True)
class Certificate:
    """What a peer showed, and what was agreed on."""

    subject: str
    issuer: str
    expires_at: datetime
    protocol: str  # TLSv1.3
    cipher: str


@runtime_checkable
class Reached(Protocol):
    """A destination on the network."""

    def where(self) -> Where: ...


def http_where(url: str, tls: ssl.SSLContext | None = None) -> Where:
    """Of a URL with http or https."""
    parts = urlsplit(url)
    secured = parts.scheme == "https"
    port = parts.port or (443 if secured else 80)
    return Where(parts.hostname or "", port, (tls or ssl.create_default_context()) if secured else None)


def addresses(host: str) -> Sequence[str]:
    """Of a name. Raises DestinationUnavailable."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as unknown:
        raise DestinationUnavailable(f"{host} has no address ({_why(unknown)})") from unknown
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def connect(at: Where, seconds: float) -> None:
    """Open a connection and close it. Raises DestinationUnavailable."""
    with _connected(at, seconds):
        return


def certificate(at: Where, seconds: float) -> Certificate:
    """Speak TLS as a delivery would. Raises DestinationUnavailable with what the handshake said."""
    context = at.tls or ssl.create_default_context()
    with _connected(at, seconds) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=at.host) as secured:
                shown = secured.getpeercert() or {}
                cipher = secured.cipher()
                version = secured.version() or ""
        except ssl.SSLCertVerificationError as untrusted:
            said = untrusted.verify_message or untrusted.reason
            raise DestinationUnavailable(f"its certificate is not accepted: {said}") from untrusted
        except (ssl.SSLError, OSError) as broken:
            raise DestinationUnavailable(f"no TLS: {_why(broken)}") from broken
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return Certificate(_name(shown, "subject"), _name(shown, "issuer"), expires, version, cipher[0] if cipher else "")


def _connected(at: Where, seconds: float) -> socket.socket:
    try:
        connection = socket.create_connection((at.host, at.port), timeout=seconds)
    except TimeoutError as late:
        raise DestinationUnavailable(f"port {at.port} of {at.host} does not answer in {seconds:g} s") from late
    except (OSError, UnicodeError) as refused:
        raise DestinationUnavailable(f"port {at.port} of {at.host}: {_why(refused)}") from refused
    connection.settimeout(seconds)
    return connection


def _why(broken: Exception) -> str:
    if isinstance(broken, ssl.SSLError) and broken.reason:
        return str(broken.reason).replace("_", " ").lower()
    told = getattr(broken, "strerror", None)
    return str(told or type(broken).__name__).lower()


def _name(shown: object, which: str) -> str:
    """The common name of the subject or issuer, else its organisation."""
    parts = shown.get(which, ()) if isinstance(shown, dict) else ()
    named = {key: value for group in parts for key, value in group}
    return str(named.get("commonName") or named.get("organizationName") or "without a name")
