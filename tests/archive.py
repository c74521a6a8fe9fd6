"""Debian's Orthanc for tests, a plugin that tests/conftest.py loads: ask for `archive`.

It is the test's own, on a free port of loopback, with its storage below the test's folder. Tests are skipped where it
is not installed: apt-get install orthanc orthanc-dicomweb
"""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset

from tests.orthanc import OrthancProcess, free_port
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

    def __init__(self, folder: Path) -> None:
        self._process = OrthancProcess(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, auth=(USER, PASSWORD), timeout=120)

    def start(self, **more: object) -> None:
        settings: dict[str, object] = {
            "HttpPort": self.port,
            "HttpServerEnabled": True,
            "RemoteAccessAllowed": True,  # asks for the password, also on loopback
            "DicomServerEnabled": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            **more,
        }
        self._process.start(settings, self._answers)

    def _answers(self) -> bool:
        try:
            return self.http.get("/system").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self._process.stop()

    def forget_everything(self) -> None:
        """Its database is lost; another one begins at the first number."""
        shutil.rmtree(self._process.folder / "storage")

    def store(self, datasets: list[Dataset]) -> None:
        """All at once: a series that comes piece by piece may be stable in between."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for number, ds in enumerate(datasets):
                archive.writestr(f"{number}.dcm", to_bytes(ds))
        self.http.post("/instances", content=packed.getvalue()).raise_for_status()
        wait(self._is_stable, "the series did not become stable")

    def _is_stable(self) -> bool:
        return all(one["IsStable"] for one in self.http.get("/series?expand").json())

    def close(self) -> None:
        self.stop()
        self.http.close()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "orthanc")
    try:
        made.start()
        yield made
    finally:
        made.close()
