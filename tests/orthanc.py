"""A real Orthanc on loopback for tests; skips where Debian's package is not installed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from orthanc_api_client import OrthancApiClient

_START_S = 60.0


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    ae_title: str
    dicom_port: int
    http_port: int
    client: OrthancApiClient


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


@contextmanager
def orthanc(
    folder: Path, modalities: Mapping[str, tuple[str, int]] = {}, *, ports: tuple[int, int] | None = None
) -> Iterator[Orthanc]:
    """Start Orthanc on a folder. `modalities` are names → (AE title, loopback port) that it may send to."""
    program = shutil.which("Orthanc")
    if program is None:
        pytest.skip("needs the Debian package orthanc")
    dicom_port, http_port = ports or (free_port(), free_port())
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "Name": "tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomPort": dicom_port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {name: [ae, "127.0.0.1", port] for name, (ae, port) in modalities.items()},
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StableAge": 1,
        "Plugins": [],
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program, str(file)], stdout=log, stderr=log, start_new_session=True)
    try:
        client = OrthancApiClient(f"http://127.0.0.1:{http_port}")
        give_up = time.monotonic() + _START_S
        while not client.is_alive():
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < give_up, "Orthanc does not answer"
            time.sleep(0.1)
        yield Orthanc("ORTHANC", dicom_port, http_port, client)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
