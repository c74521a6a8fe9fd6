"""A real PostgreSQL on loopback for tests; skips where Debian's package is not installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.orthanc import free_port

_TIMEOUT_S = 120


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server on an empty cluster; yields its SQLAlchemy URL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("needs the Debian package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # below /tmp: the server's user must be able to enter it
    cluster, port = folder / "cluster", free_port()
    owner = _owner()
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    run = _Run(programs[-1], owner)
    try:
        run("initdb", "-D", str(cluster), "-U", "mricore", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run("pg_ctl", "-D", str(cluster), "-l", str(folder / "log"), "-w", "-o", options, "start")
        yield f"postgresql+psycopg://mricore@127.0.0.1:{port}/postgres"
    finally:
        if (cluster / "postmaster.pid").exists():
            run("pg_ctl", "-D", str(cluster), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


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
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
        )
