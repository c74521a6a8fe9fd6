"""Certificates for tests, from an authority that lives as long as the test."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from node.scp.tls import Certificates


class Authority:
    """Issues the node's certificate and those of senders."""

    def __init__(self, folder: Path) -> None:
        self._ca, self._folder = trustme.CA(), folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files for `<name>.pem`, with the name as their common name."""
        issued = self._ca.issue_cert("localhost", "127.0.0.1", common_name=name)
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def server(self, *, ask_senders: bool = True) -> Certificates:
        """What the node is configured with."""
        certificate, key = self.issue("node")
        return Certificates(certificate, key, self.file if ask_senders else None)

    def client(self, name: str | None = None) -> ssl.SSLContext:
        """A sender's side; without a name it has no certificate to show."""
        context = ssl.create_default_context(cafile=str(self.file))
        if name:
            context.load_cert_chain(*self.issue(name))
        return context
