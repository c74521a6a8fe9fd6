"""Syslog over TLS (RFC 5425): a batch is kept by us until the collector has it."""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node.core.audit.syslog import framed
from node.errors import BadConfiguration, DestinationUnavailable

_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Collector:
    """Where messages go."""

    host: str
    port: int = 6514
    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Raises BadConfiguration when its certificates cannot be used."""
        self._context()

    def send(self, messages: Sequence[bytes]) -> None:
        """One connection a batch: its end, answered, says that all of it was read.

        Raises DestinationUnavailable when that is not known; then the batch is to be sent again.
        """
        try:
            with (
                socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S) as connection,
                self._context().wrap_socket(connection, server_hostname=self.host) as secured,
            ):
                for message in messages:
                    secured.sendall(framed(message))
                _end(secured)
        except (OSError, ValueError) as gone:  # SSLError is an OSError
            what = gone.reason if isinstance(gone, ssl.SSLError) else type(gone).__name__
            raise DestinationUnavailable(
                f"the audit collector {self.host}:{self.port} does not answer ({what})"
            ) from gone

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=str(self.authorities) if self.authorities else None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key, password=lambda: "")
        except (OSError, ValueError) as wrong:
            raise BadConfiguration(
                "audit.syslog_ca, syslog_certificate, syslog_key", "cannot be used for TLS"
            ) from wrong
        return context


def _end(secured: ssl.SSLSocket) -> None:
    """Say that this is all, and wait for the answer: TLS keeps its order, so whoever answers has read everything.

    A collector that hangs up instead has read it as well; of one that does neither, its kernel must have all octets.
    """
    try:
        secured.unwrap().close()
    except TimeoutError:
        (unread,) = struct.unpack("i", fcntl.ioctl(secured.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
        if unread:
            raise
    except ssl.SSLError as ended:
        if not isinstance(ended, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            raise
