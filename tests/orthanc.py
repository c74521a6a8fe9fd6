"""A real Orthanc on loopback for tests; skips where Debian's package is not installed."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from orthanc_api_client import OrthancApiClient

_START_S = 240.0
_STOP_S = 60.0
_PORTS = 360  # of each process; all of them lie below /proc/sys/net/ipv4/ip_local_port_range
_FIRST_PORT = 12_000 + _PORTS * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 12)
_numbers = itertools.count(secrets.randbelow(_PORTS))  # other runs on this machine begin elsewhere


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc."""

    ae_title: str
    dicom_port: int
    http_port: int
    client: OrthancApiClient


def free_port() -> int:
    """A port of loopback that is bound later, or that nobody is to answer at.

    Not one of those that the kernel gives to whoever asks for any: another test would have it by then. And the
    processes of one run have ports of their own.
    """
    for _ in range(_PORTS):
        port = _FIRST_PORT + next(_numbers) % _PORTS
        with socket.socket() as chosen:
            try:
                chosen.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")


class OrthancProcess:
    """Debian's Orthanc on a folder, started and stopped as often as a test wants. Skips where it is not installed."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            pytest.skip("needs the Debian package orthanc")
        self._program, self.folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, settings: Mapping[str, object], alive: Callable[[], bool]) -> None:
        """Returns when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        storage = str(self.folder / "storage")
        file = self.folder / "orthanc.json"
        file.write_text(
            json.dumps(
                {"StorageDirectory": storage, "IndexDirectory": storage, "StableAge": 1, "Plugins": [], **settings}
            )
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(file)], stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        give_up = time.monotonic() + _START_S
        while not alive():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < give_up, "Orthanc does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)


@contextmanager
def orthanc(
    folder: Path, modalities: Mapping[str, tuple[str, int]] = {}, *, ports: tuple[int, int] | None = None
) -> Iterator[Orthanc]:
    """Start Orthanc on a folder. `modalities` are names → (AE title, loopback port) that it may send to."""
    process = OrthancProcess(folder)
    dicom_port, http_port = ports or (free_port(), free_port())
    client = OrthancApiClient(f"http://127.0.0.1:{http_port}")
    settings = {
        "Name": "tests",
        "DicomPort": dicom_port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {name: [ae, "127.0.0.1", port] for name, (ae, port) in modalities.items()},
        "DicomScuTimeout": 120,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
    }
    try:
        process.start(settings, client.is_alive)
        yield Orthanc("ORTHANC", dicom_port, http_port, client)
    finally:
        process.stop()
