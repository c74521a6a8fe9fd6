"""A server's certificate and key, read again when their files change: a new one needs no restart."""

from __future__ import annotations

import os
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from node.errors import BadConfiguration

_log = structlog.get_logger(__name__)

# RFC 9325 4.2: forward secrecy and authenticated encryption. TLS 1.3 has its own list.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"

# Which bytes the context was made of: inode, size and time of each file.
_Stamp = tuple[tuple[int, int, int], ...]


@dataclass
class Certificates:
    """The node's certificate and key, and the authorities whose client certificates it accepts."""

    certificate: Path
    key: Path
    authorities: Path | None = None  # None: who connects needs no certificate
    keys: str = "dicom.tls_certificate, tls_key, tls_ca"  # what they are called in node.toml
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _stamp: _Stamp = ()
    _context: ssl.SSLContext | None = None

    def check(self) -> None:
        """Raises BadConfiguration when the files make no TLS server."""
        try:
            self._stamp, self._context = self._files(), self._made()
        except (ssl.SSLError, OSError, ValueError) as wrong:
            raise BadConfiguration(
                self.keys,
                f"cannot be used for TLS ({_why(wrong)})",
                "Give PEM files that belong together; the key without a password",
            ) from wrong

    def context(self) -> ssl.SSLContext:
        """The context of the files as they are; files that are no good any more leave the last good one in use."""
        with self._lock:
            stamp = self._files()
            if stamp != self._stamp:
                self._reload(stamp)
            if self._context is None:
                self.check()
            assert self._context is not None  # noqa: S101 # check() made it or raised
            return self._context

    def fresh(self) -> ssl.SSLContext:
        """A context of its own, of the files as they are. Raises BadConfiguration."""
        self.check()
        return self._made()

    def _reload(self, stamp: _Stamp) -> None:
        self._stamp = stamp  # good or bad, it is tried once
        try:
            self._context = self._made()
        except (ssl.SSLError, OSError, ValueError) as wrong:
            _log.error("TLS certificates changed and cannot be used; the old ones stay", reason=_why(wrong))
        else:
            _log.info("TLS certificates read again")

    def _files(self) -> _Stamp:
        return tuple(_stamp(path) for path in (self.certificate, self.key, self.authorities) if path)

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
        # without a callback OpenSSL would ask the terminal for the password of an encrypted key
        context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        if self.authorities:
            context.load_verify_locations(self.authorities)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 # the same, and said shorter
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _why(wrong: Exception) -> str:
    if isinstance(wrong, ssl.SSLError):
        return wrong.reason or "not PEM"
    return (wrong.strerror if isinstance(wrong, OSError) else None) or type(wrong).__name__
