"""The demonstration's parts and their order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from node.adapters.database import trace
from node.adapters.database.trace import SeriesLine
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.app.node import Node
from node.cli.demo.pacs import AE_TITLE, Pacs
from node.config import Settings
from node.core.part10 import Head
from node.core.states import OPEN_JOBS, SeriesState
from node.core.status import Meaning, meaning
from node.errors import DestinationUnavailable

_SENDER = "DEMO_SCANNER"
_POLL_S = 0.05
_QUIET_S = 2.0  # the demonstration's sender is known to be done


@dataclass(frozen=True)
class Outcome:
    """What became of what was sent."""

    series: tuple[SeriesLine, ...]
    instances: dict[str, int]  # Series Instance UID → instances sent
    received: dict[int, dict[str, str]]  # job → kind → path at the PACS
    dicom_port: int
    http_port: int
    data_dir: Path
    not_stored: tuple[str, ...]  # what the node refused, with its answer

    @property
    def failed(self) -> bool:
        """Whether the node itself failed, which a series that no model takes is not."""
        return bool(self.not_stored) or any(job.state == "failed" for one in self.series for job in one.jobs)


class Run:
    """A node, a PACS and a sender on loopback."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder, self._console = folder, console
        self._pacs = Pacs(folder / "pacs")
        self._node: Node | None = None
        self._sent: dict[str, int] = {}
        self._not_stored: list[str] = []
        self._begin = time.monotonic()

    @property
    def dicom_port(self) -> int:
        return self._node.dicom_port if self._node else 0

    @property
    def http_port(self) -> int:
        return self._node.http_port if self._node else 0

    def phantom(self) -> tuple[tuple[Path, Head], ...]:
        """Files of a phantom head: what a scanner would send."""
        from node.core import phantom
        from node.core.results import to_bytes

        self._say("making a phantom head")
        folder = self._folder / "phantom"
        folder.mkdir(parents=True, exist_ok=True)
        made = phantom.instances(phantom.voxels(), when=datetime(2026, 1, 5, 9, 30))  # noqa: DTZ001 # DICOM has no zone here
        files = []
        for number, ds in enumerate(made, 1):
            path = folder / f"{number:04d}.dcm"
            path.write_bytes(to_bytes(ds))
            files.append((path, read_file_head(path)))
        return tuple(files)

    def start(self) -> None:
        """Start the PACS and the node. Raises BadConfiguration with the cure."""
        self._say("starting a PACS, the node and Triton on loopback")
        pacs_port = self._pacs.start()
        self._node = Node(_settings(self._folder, pacs_port))
        self._node.start()
        self._say(f"the node listens on port {self._node.dicom_port}")

    def stop(self) -> None:
        if self._node:
            self._node.stop()
        self._pacs.stop()

    def send(self, files: Sequence[tuple[Path, Head]]) -> None:
        """Send by C-STORE, as a scanner does."""
        from node.adapters.headers import read_header
        from node.core.dicom import identity

        node = self._started()
        self._say(f"sending {len(files)} instances over C-STORE")
        series = {path: identity(read_header(path).ds).series_instance_uid for path, _ in files}
        peer = Peer(node.settings.node.ae_title, "127.0.0.1", node.dicom_port, _SENDER)
        for answered in send(peer, files):
            if answered.status is None or meaning(answered.status) is not Meaning.DELIVERED:
                status = "not sent" if answered.status is None else f"{answered.status:04X}"
                self._not_stored.append(f"{answered.path}: {status} {answered.comment}".rstrip())
            else:
                uid = series[answered.path]
                self._sent[uid] = self._sent.get(uid, 0) + 1

    def wait(self) -> Outcome:
        """Wait until every series sent has its results, or the reason why it has none; says what happens meanwhile."""
        node = self._started()
        told: dict[str, str] = {}
        while True:
            lines = [line for uid in self._sent if (line := trace.line(node.database, uid))]
            for line in lines:
                self._tell(line, told)
            if len(lines) == len(self._sent) and all(_is_settled(line) for line in lines):
                return self._outcome(node, lines)
            time.sleep(_POLL_S)

    def _tell(self, line: SeriesLine, told: dict[str, str]) -> None:
        for event in line.history:
            key = f"{line.series_instance_uid} {event.at} {event.what}"
            if key not in told:
                told[key] = ""
                name = line.series_description or line.series_instance_uid
                why = event.why.partition("; ")[0]  # the rest is in `mricore-node trace`
                self._say(f"{name}: {event.what}" + (f" – {why}" if why else ""))

    def _outcome(self, node: Node, lines: Sequence[SeriesLine]) -> Outcome:
        from node.adapters.database import jobs

        received: dict[int, dict[str, str]] = {}
        for job in (job for line in lines for job in line.jobs):
            made = jobs.results(node.database, job.id)
            found = {one.kind: path for one in made if (path := self._pacs.path(one.sop_instance_uid))}
            received[job.id] = {kind: str(path.resolve()) for kind, path in found.items()}
        return Outcome(
            series=tuple(lines),
            instances=dict(self._sent),
            received=received,
            dicom_port=node.dicom_port,
            http_port=node.http_port,
            data_dir=self._folder.resolve(),
            not_stored=tuple(self._not_stored),
        )

    def _started(self) -> Node:
        if self._node is None:
            raise DestinationUnavailable("the node was not started")
        return self._node

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._begin:6.1f} s[/dim]  ", end="")
        self._console.print(text, markup=False)


def _is_settled(line: SeriesLine) -> bool:
    if line.state == SeriesState.WAITING:
        return False
    return not any(job.state in OPEN_JOBS for job in line.jobs)


def _settings(folder: Path, pacs_port: int) -> Settings:
    """The defaults, on loopback and free ports, with short waits: the demonstration's sender is known to be done."""
    pacs = {"name": "pacs", "kind": "dicom", "ae_title": AE_TITLE, "host": "127.0.0.1", "port": pacs_port}
    return Settings.model_validate(
        {
            "node": {"data_dir": folder / "node", "stop_seconds": 5},
            "dicom": {"host": "127.0.0.1", "port": 0, "accept": "listed"},
            "http": {"port": 0},
            "storage": {"low_watermark": "200 MB"},
            "completion": {"quiet_seconds": _QUIET_S, "grid_seconds": 1, "settle_seconds": 0.5, "longest_seconds": 4},
            "source": [{"name": "scanner", "ae_title": _SENDER}],
            "destination": [pacs],
        }
    )
