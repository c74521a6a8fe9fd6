"""Debian's Orthanc for tests, a plugin that tests/conftest.py loads: ask for `archive`.

It is the test's own, on a free port of loopback, with its storage below the test's folder. Tests are skipped where it
is not installed: apt-get install orthanc orthanc-dicomweb
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset

from tests.orthanc import free_port
from tests.synthetic import to_bytes

USER, PASSWORD = "feed", "let me in"
DICOMWEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


def wait(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


class Archive:
    """An Orthanc of the test's own, on loopback."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, auth=(USER, PASSWORD), timeout=20)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **more: object) -> None:
        self._folder.mkdir(exist_ok=True)
        settings: dict[str, object] = {
            "StorageDirectory": str(self._folder / "storage"),
            "HttpPort": self.port,
            "HttpServerEnabled": True,
            "RemoteAccessAllowed": True,  # asks for the password, also on loopback
            "DicomServerEnabled": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "StableAge": 1,
            "Plugins": [],
            **more,
        }
        (self._folder / "orthanc.json").write_text(json.dumps(settings))
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._program, str(self._folder / "orthanc.json")], stdout=log, stderr=log, cwd=self._folder
            )
        wait(self._answers, "Orthanc did not start: see its log")

    def _answers(self) -> bool:
        try:
            return self.http.get("/system").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(60)
            self._process = None

    def forget_everything(self) -> None:
        """Its database is lost; another one begins at the first number."""
        shutil.rmtree(self._folder / "storage")

    def store(self, datasets: list[Dataset]) -> None:
        for ds in datasets:
            self.http.post("/instances", content=to_bytes(ds)).raise_for_status()
        wait(self._is_stable, "the series did not become stable")

    def _is_stable(self) -> bool:
        return all(one["IsStable"] for one in self.http.get("/series?expand").json())

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(120)
        self.http.close()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    program = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not program:
        pytest.skip("needs the Debian package orthanc")
    made = Archive(program, tmp_path / "orthanc")
    try:
        made.start()
        yield made
    finally:
        made.close()
