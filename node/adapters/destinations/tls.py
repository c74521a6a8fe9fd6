"""TLS towards destinations, by the BCP 195 profiles (PS3.15 B.9 and B.10)."""

from __future__ import annotations

import ssl
from pathlib import Path

from node.errors import BadConfiguration


def client_context(
    where: str, authorities: Path | None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Checks the peer's certificate and name; shows our own where there is one. Raises BadConfiguration.

    Without `authorities` the system's are trusted.
    """
    try:
        context = ssl.create_default_context(cafile=str(authorities) if authorities else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            # without a callback OpenSSL would ask the terminal for the password of an encrypted key
            context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as wrong:
        what = wrong.reason if isinstance(wrong, ssl.SSLError) else getattr(wrong, "strerror", None)
        cure = "Give PEM files that belong together; the key without a password"
        raise BadConfiguration(where, f"cannot be used for TLS ({what or 'not PEM'})", cure) from wrong
    return context
