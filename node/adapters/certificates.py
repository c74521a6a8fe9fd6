"""Certificates in PEM files: whose, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

_BYTES_AT_MOST = 4 * 2**20  # the bundle of all public authorities is a twentieth of it


@dataclass(frozen=True)
class Certificate:
    """One certificate of a file."""

    subject: str
    expires_at: datetime


def read_certificates(path: Path) -> Sequence[Certificate] | str:
    """Those of a file, or why they cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES_AT_MOST)
        found = x509.load_pem_x509_certificates(content)
    except OSError as fault:
        return f"the file cannot be read: {fault.strerror}"
    except ValueError:
        return "the file holds no certificate in PEM form"
    return [Certificate(one.subject.rfc4514_string()[:200], one.not_valid_after_utc) for one in found]
