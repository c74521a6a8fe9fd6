"""A node of its own for a benchmark, and somebody who sends to it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
from pydicom.uid import UID

from node.core import phantom
from node.core.results import to_bytes

_START_S = 120.0
_BORDER = "benchmark"


@dataclass(frozen=True)
class Served:
    """A node that runs."""

    base: str  # address
    process: int


@contextmanager
def node(folder: Path) -> Iterator[Served]:
    """On what lies in the folder, until the end of the block."""
    settings = folder / "node.toml"
    settings.write_text(
        f'[node]\ndata_dir = "{folder}"\nae_title = "BENCH"\nstop_seconds = 5\n[dicom]\nhost = "127.0.0.1"\nport = 0\n'
        'accept = "any"\n[http]\nhost = "127.0.0.1"\nport = 0\n[storage]\nlow_watermark = 0\nkeep_days = 0\n'
        '[triton]\nurl = "grpc://127.0.0.1:9"\n'
        f'[[destination]]\nname = "pacs"\nkind = "folder"\npath = "{folder / "out"}"\n'
    )
    log = (folder / "node.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "node", "serve", "--config", str(settings)], stdout=log, stderr=subprocess.STDOUT
    )
    try:
        yield Served(_address(folder / "node.log", process), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    """As the node says it when it listens."""
    give_up = time.monotonic() + _START_S
    while time.monotonic() < give_up and process.poll() is None:
        if told := re.search(r"listens: .*(http://127\.0\.0\.1:[0-9]+);", log.read_text()):
            return told[1]
        time.sleep(0.1)
    raise SystemExit(f"the node did not start:\n{log.read_text()[-3000:]}")


@contextmanager
def receiving(base: str) -> Iterator[list[str]]:
    """Somebody stores a new series about ten times a second, until the block ends."""
    (template,) = phantom.instances(phantom.voxels(phantom.Grid(slices=1)), when=datetime(2026, 1, 1))  # noqa: DTZ001
    over = threading.Event()
    stored: list[str] = []

    def store() -> None:
        headers = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BORDER}'}
        with httpx.Client(base_url=base, timeout=120, trust_env=False) as client:
            while not over.wait(0.1):
                uid = UID(f"2.25.{10**30 + time.time_ns()}")
                template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = uid
                template.SeriesInstanceUID = f"{uid}.1"
                head = f"--{_BORDER}\r\nContent-Type: application/dicom\r\n\r\n".encode()
                body = head + to_bytes(template) + f"\r\n--{_BORDER}--\r\n".encode()
                if client.post("/dicom-web/studies", content=body, headers=headers).status_code == 200:
                    stored.append(uid)

    sender = threading.Thread(target=store)
    sender.start()
    try:
        yield stored
    finally:
        over.set()
        sender.join()
