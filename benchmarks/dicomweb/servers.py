"""Servers that are asked: this node and Orthanc, each a process of its own on a free port of loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

_START_S = 120.0
_PLUGINS = ("/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Server:
    """Something that speaks DICOMweb."""

    name: str
    port: int
    root: str  # of DICOMweb, with slashes around

    def get(self, path: str, accept: str = "application/dicom+json", connection: HTTPConnection | None = None) -> bytes:
        mine = connection or HTTPConnection("127.0.0.1", self.port, timeout=300)
        mine.request("GET", f"{self.root}{path}", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        answer = mine.getresponse()
        content = answer.read()
        if answer.status not in (200, 204):
            raise SystemExit(f"{self.name}: {answer.status} for {path[:80]}: {content[:200]!r}")
        return content

    def store(self, files: Sequence[bytes]) -> None:
        body = (
            b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in files) + b"--x--\r\n"
        )
        mine = HTTPConnection("127.0.0.1", self.port, timeout=600)
        kind = 'multipart/related; type="application/dicom"; boundary=x'
        mine.request("POST", f"{self.root}studies", body, {"Content-Type": kind, "Accept": "application/dicom+json"})
        answer = mine.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {answer.status} when it stored: {answer.read()[:300]!r}")
        answer.read()


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], name: str, port: int, root: str, log: Path) -> Iterator[Server]:
    server = Server(name, port, root)
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        give_up = time.monotonic() + _START_S
        while True:
            try:
                server.get("studies?limit=1")
                break
            except OSError:
                if time.monotonic() > give_up or process.poll() is not None:
                    raise SystemExit(f"{name} did not start: see {log}") from None
                time.sleep(0.1)
        yield server
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def orthanc(folder: Path, more: Mapping[str, object] | None = None) -> Iterator[Server]:
    program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    plugins = [path for path in _PLUGINS if Path(path).exists()]
    if program is None or not plugins:
        raise SystemExit("needs the Debian packages orthanc and orthanc-dicomweb")
    port = _free_port()
    settings = {
        "Name": "benchmark", "StorageDirectory": str(folder / "orthanc"), "IndexDirectory": str(folder / "orthanc"),
        "Plugins": [*plugins[:1], *_served(more)],
        "HttpPort": port, "DicomPort": _free_port(), "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False, "HttpThreadsCount": 50, "KeepAlive": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
    } | dict(more or {})  # fmt: skip
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    with _running([program, str(file)], "Orthanc", port, "/dicom-web/", folder / "orthanc.log") as server:
        yield server


@contextmanager
def node(folder: Path) -> Iterator[Server]:
    port = _free_port()
    settings = f"""
[node]
data_dir = "{folder / "node"}"
[dicom]
port = {_free_port()}
[http]
port = {port}
[storage]
low_watermark = "0 GB"
[triton]
url = "grpc://127.0.0.1:9"
[[destination]]
name = "pacs"
kind = "folder"
path = "{folder / "out"}"
"""
    file = folder / "node.toml"
    file.write_text(settings)
    command = [sys.executable, "-m", "node", "serve", "--config", str(file)]
    with _running(command, "node", port, "/dicom-web/", folder / "node.log") as server:
        yield server


def _served(more: Mapping[str, object] | None) -> list[str]:
    """The plugin that serves files, where some are to be served."""
    return ["/usr/share/orthanc/plugins/libServeFolders.so"] if more and "ServeFolders" in more else []
