"""Several processes of one node: they share a PostgreSQL and a store, and each has a folder of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.trace import line
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.triton import EmbeddedTriton
from node.core import phantom
from node.core.results import to_bytes
from node.core.status import SUCCESS
from tests.bench import until
from tests.command_line import settings_file
from tests.processes import PATIENCE_S, line_with, python

_One = TypeVar("_One")


@dataclass(frozen=True)
class Replica:
    """A process that listens."""

    process: subprocess.Popen[bytes]
    log: Path
    dicom_port: int  # 0: it does not receive
    http_port: int

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=60)

    def unready(self) -> list[str]:
        """Why it is not ready."""
        return list(self.get("/readyz").json()["reasons"])


@dataclass(frozen=True)
class Site:
    """What the processes share."""

    folder: Path
    url: str
    triton: EmbeddedTriton
    more: str = ""  # of node.toml
    environment: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def replica(
        self, name: str, role: str = "all", environment: Mapping[str, str] | None = None, program: Sequence[str] = ()
    ) -> Iterator[Replica]:
        """`mricore-node serve`, or another program that takes the same arguments; killed at the end."""
        settings = settings_file(self.folder, self.more)
        own = self.folder / name
        own.mkdir(exist_ok=True)
        told = {
            "MRICORE_NODE__DATA_DIR": str(own),
            "MRICORE_DATABASE__URL": self.url,
            "MRICORE_STORAGE__URL": f"file:{self.folder / 'shared'}",
            "MRICORE_JOBS__PROCESS": name,
            "MRICORE_TRITON__URL": f"grpc://{self.triton.url}",
            "MRICORE_TRITON__TOKEN": self.triton.token or "",
            **self.environment,
            **(environment or {}),
        }
        command = [*(program or ["-m", "node", "serve"]), "--config", str(settings), "--role", role]
        with python(command, log=own / "log", environment=told) as process:
            said = line_with(process, "listens", own / "log")
            dicom, http = re.search(r"DICOM \S+:(\d+),", said), re.search(r"http://\S+:(\d+);", said)
            assert http, said
            yield Replica(process, own / "log", int(dicom[1]) if dicom else 0, int(http[1]))

    @contextmanager
    def database(self) -> Iterator[Database]:
        opened = Database(self.url)
        try:
            yield opened
        finally:
            opened.close()

    def until_done(self, uids: Sequence[str]) -> list[Any]:
        """The series once all of their jobs have ended. The ledger is whole and balances, or the test fails."""
        with self.database() as database:

            def done() -> list[Any]:
                found = [line(database, uid) for uid in uids]
                ended = all(
                    one and one.jobs and all(job.state not in ("scheduled", "in_progress") for job in one.jobs)
                    for one in found
                )
                return found if ended else []

            until(done, f"the end of {len(uids)} series", PATIENCE_S)
            assert broken_chains(database) == {}
            assert balance(database).residue == 0
            return done()

    def delivered(self) -> list[str]:
        """Names of the files in the destination's folder."""
        out = self.folder / "out"
        return sorted(path.name for path in out.iterdir()) if out.is_dir() else []


def heads(folder: Path, number: int) -> list[list[Path]]:
    """Phantom heads as files, each a series of its own that the demonstration's rules take; their middle last."""
    voxels = phantom.voxels()
    made = []
    for seed in range(number):
        mine = folder / f"head-{seed}"
        mine.mkdir(parents=True)
        when = datetime(2026, 1, 5, 9, 30)  # noqa: DTZ001 # DICOM has no zone here
        slices = phantom.instances(
            voxels,
            when=when,
            study_instance_uid=phantom.uid("study", seed),
            series_instance_uid=phantom.uid("head", seed),
        )
        made.append([mine / f"{one:04d}.dcm" for one in range(len(slices))])
        for path, ds in zip(made[-1], slices, strict=True):
            path.write_bytes(to_bytes(ds))
    return [middle_last(paths) for paths in made]


def middle_last(slices: Sequence[_One]) -> list[_One]:
    """So that a gap shows until the last is there: a series is not complete before, however slowly it comes."""
    return [*slices[:2], *slices[-1:], *slices[2:-1]]


def head_uids(number: int) -> list[str]:
    """Their Series Instance UIDs."""
    return [phantom.uid("head", seed) for seed in range(number)]


def store(port: int, paths: Sequence[Path]) -> None:
    """C-STORE; each is answered with Success."""
    peer = Peer("MRICORE", "127.0.0.1", port, "SCANNER")
    answers = [one.status for one in send(peer, [(path, read_file_head(path)) for path in paths])]
    assert answers == [SUCCESS] * len(paths)
