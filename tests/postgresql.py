"""A real PostgreSQL on loopback for tests; skips where Debian's package is not installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.orthanc import free_port

_PATIENCE_S = 240


@dataclass(frozen=True)
class Server:
    """A server that may be stopped and started again."""

    url: str  # of SQLAlchemy
    port: int
    _addresses: Sequence[str]
    _run: _Run
    _folder: Path

    def start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses={','.join(self._addresses)} -c unix_socket_directories={self._folder}"
            " -c fsync=off"  # it is killed here, its machine never: what it wrote is in the kernel's hands
        )
        log = str(self._folder / "log")
        self._run("pg_ctl", *self._of_cluster, "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """At once, as after a power cut; its write-ahead log brings it back."""
        if (self._folder / "cluster" / "postmaster.pid").exists():
            self._run("pg_ctl", *self._of_cluster, "-m", "immediate", "stop")

    @property
    def _of_cluster(self) -> list[str]:
        return ["-D", str(self._folder / "cluster"), "-w", "-t", str(_PATIENCE_S - 10)]

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def server(*addresses: str) -> Iterator[Server]:
    """Start a server on an empty cluster. It listens on loopback, and on these."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("needs the Debian package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # below /tmp: the server's user must be able to enter it
    owner, port = _owner(), free_port()
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    run = _Run(programs[-1], owner)
    started = Server(
        f"postgresql+psycopg://mricore@127.0.0.1:{port}/postgres", port, ("127.0.0.1", *addresses), run, folder
    )
    try:
        cluster = str(folder / "cluster")
        run("initdb", "-D", cluster, "-U", "mricore", "-A", "trust", "--no-sync", "-E", "UTF8")
        with (folder / "cluster" / "pg_hba.conf").open("a") as trusted:
            trusted.writelines(f"host all all {address}/24 trust\n" for address in addresses)
        started.start()
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql() -> Iterator[str]:
    """Its URL, where nobody stops it."""
    with server() as started:
        yield started.url


def _owner() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


class _Run:
    def __init__(self, programs: Path, owner: pwd.struct_passwd | None) -> None:
        self._programs, self._owner = programs, owner

    def __call__(self, program: str, *arguments: str) -> None:
        owner = self._owner
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            timeout=_PATIENCE_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
        )
