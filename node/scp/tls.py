"""DICOM TLS by the BCP 195 profiles (PS3.15 B.9 and B.10): certificates that are read again when their files change."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import structlog

from node.adapters.server_tls import Certificates

__all__ = ["Certificates", "common_name", "handshake"]

_log = structlog.get_logger(__name__)

_HANDSHAKE_S = 15.0


def handshake(connection: socket.socket, certificates: Certificates, host: str) -> ssl.SSLSocket | None:
    """Speak TLS on an accepted connection, within a time limit. None, and the connection closed, when it fails."""
    try:
        connection.settimeout(_HANDSHAKE_S)  # for the handshake as a whole: ssl keeps a deadline
        return certificates.context().wrap_socket(connection, server_side=True)
    except (OSError, ValueError) as failed:  # SSLError is an OSError
        _log.warning("TLS handshake failed", host=host, reason=_refused(failed))
        connection.close()
        return None


def _refused(failed: Exception) -> str:
    reason = failed.reason if isinstance(failed, ssl.SSLError) else None
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "UNSUPPORTED_PROTOCOL"):
        return f"the peer does not speak TLS 1.2 or later ({reason})"
    if isinstance(failed, TimeoutError):
        return "the peer did not finish it in time"
    return reason or type(failed).__name__


def common_name(connection: socket.socket) -> str:
    """The common name in the peer's certificate; "" when it showed none."""
    if not isinstance(connection, ssl.SSLSocket):
        return ""
    subject: Any = (connection.getpeercert() or {}).get("subject", ())  # pairs of pairs, as ssl documents it
    names = (pair for relative_name in subject for pair in relative_name)
    return next((str(value) for name, value in names if name == "commonName"), "")
