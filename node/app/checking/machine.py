"""The machine: disk, memory, clock, ports, names."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from node.adapters.database import Database
from node.adapters.database.clock import shared
from node.app.clock import Clock
from node.config import Settings
from node.core.inspection import Verdict
from node.errors import BadConfiguration
from node.pipeline.checking import Looked, Part

_WRITES, _SIZE = 20, 4096
_SLOW_MS, _VERY_SLOW_MS = 20.0, 200.0  # of one fdatasync: a received instance waits for several
_FEW_INODES = 100_000
_MEMORY, _LITTLE_MEMORY = 2 * 10**9, 5 * 10**8
_CLOCK_S, _CLOCK_FAR_S = 1.0, 5.0
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_STATUS_BYTES = 256  # more than a struct timex has


def machine_parts(settings: Settings, database: Database, clock: Clock) -> list[Part]:
    folders = {"data": settings.node.data_dir, "instances": settings.instances}
    same = settings.instances.is_relative_to(settings.node.data_dir)
    disks = [
        Part(f"disk of {name}", partial(_disk, folder), 30, "It hangs: look at the disk, or the network share")
        for name, folder in folders.items()
        if name == "data" or not same
    ]
    dicom, http = settings.dicom, settings.http
    ports = [
        Part("port of DICOM", partial(_port, "dicom.port", dicom.host, dicom.port)),
        Part("port of HTTP", partial(_port, "http.port", http.host, http.port)),
    ]
    if dicom.tls_port:
        ports.append(Part("port of DICOM TLS", partial(_port, "dicom.tls_port", dicom.host, dicom.tls_port)))
    return [
        *disks,
        Part("memory", _memory),
        Part("clock", partial(_clock, database, clock), 20),
        *ports,
        Part("name of this machine", _name, 10, "The name server does not answer: look at /etc/resolv.conf"),
    ]


def _disk(folder: Path) -> Looked:
    """What fdatasync takes, and how much room and how many files are left."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        took = sorted(_forced(folder))
        free = os.statvfs(folder)
    except OSError as broken:
        raise BadConfiguration(
            "", f"{folder} cannot be written ({broken.strerror})", "Give the node's user the folder"
        ) from broken
    middle, worst = statistics.median(took), took[-1]
    room, nodes = shutil.disk_usage(folder), free.f_favail
    told = (
        f"{room.free / 1e9:.1f} of {room.total / 1e9:.1f} GB free; forced in {middle:.1f} ms, at worst {worst:.1f} ms"
    )
    if free.f_files and nodes < _FEW_INODES:
        return Looked(Verdict.ATTENTION, f"{told}; only {nodes} more files fit", "Remove files, or make more inodes")
    if middle > _VERY_SLOW_MS:
        return Looked(Verdict.FAILED, f"{told}: too slow to receive on", "Use a local disk with power-loss protection")
    if middle > _SLOW_MS:
        return Looked(Verdict.ATTENTION, f"{told}: slow", "Use a disk with power-loss protection; not a network share")
    return Looked(Verdict.OK, told)


def _forced(folder: Path) -> list[float]:
    """Milliseconds of each of some small durable writes."""
    path = folder / f".check-{secrets.token_hex(8)}"
    took = []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_WRITES):
                file.write(bytes(_SIZE))
                begin = time.perf_counter()
                os.fdatasync(file.fileno())
                took.append((time.perf_counter() - begin) * 1000)
    finally:
        path.unlink(missing_ok=True)
    return took


def _memory() -> Looked:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return Looked(Verdict.NOT_ASKED, "this system does not tell")
    told = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    free, whole = told.get("MemAvailable", 0), told.get("MemTotal", 0)
    limit = _limit()
    if limit and limit[0] < whole:
        whole, free = limit[0], min(free, limit[0] - limit[1])
    sentence = f"{free / 1e9:.1f} of {whole / 1e9:.1f} GB available"
    cure = "Give the machine more, or run fewer jobs.makers at once"
    if free < _LITTLE_MEMORY:
        return Looked(Verdict.FAILED, sentence, cure)
    return Looked(Verdict.ATTENTION, sentence, cure) if free < _MEMORY else Looked(Verdict.OK, sentence)


def _limit() -> tuple[int, int] | None:
    """Of a container, and what it uses; None without one."""
    group = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):
        return int((group / "memory.max").read_text()), int((group / "memory.current").read_text())
    return None


def _clock(database: Database, clock: Clock) -> Looked:
    kept = _kept()
    ruling = shared(database, clock)
    if ruling:
        ruling.look()
        ahead = abs(ruling.ahead.total_seconds())
        told = f"{ahead:.1f} s from the database's, which counts"
        cure = "Run chrony or systemd-timesyncd on both machines"
        if ahead > _CLOCK_S:
            return Looked(Verdict.FAILED if ahead > _CLOCK_FAR_S else Verdict.ATTENTION, told, cure)
        return Looked(Verdict.OK, f"{told}; {kept or 'nobody says whether it is kept'}")
    if kept.startswith("kept"):
        return Looked(Verdict.OK, kept)
    cure = "Run chrony or systemd-timesyncd: times in reports and audits rest on it"
    return Looked(Verdict.ATTENTION, kept or "nobody says whether it is kept", cure)


def _kept() -> str:
    """By whom this machine's clock is kept: chrony with its offset, else what the kernel knows."""
    with suppress(OSError, subprocess.SubprocessError, ValueError, IndexError):
        said = subprocess.run(["chronyc", "-c", "tracking"], capture_output=True, text=True, timeout=5, check=True)
        told = said.stdout.strip().split(",")
        return (
            f"kept by chrony, {abs(float(told[4])) * 1000:.1f} ms off"
            if told[-1] == "Normal"
            else "chrony is not in step"
        )
    with suppress(OSError, AttributeError):
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_STATUS_BYTES))
        if state >= 0:
            return "not kept by anybody" if state == _UNSYNCHRONISED else "kept, says the kernel"
    return ""


def _port(key: str, host: str, port: int) -> Looked:
    """Somebody listens, or it could be opened."""
    if port == 0:
        return Looked(Verdict.ATTENTION, "the system chooses one at every start", f"Set {key}")
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 # what was configured
    with suppress(OSError), socket.create_connection((local, port), timeout=3):
        return Looked(Verdict.OK, f"{host}:{port} takes connections")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as refused:
        cure = "Choose another port, or let the service bind it (AmbientCapabilities=CAP_NET_BIND_SERVICE)"
        raise BadConfiguration(key, f"{host}:{port} cannot be opened ({refused.strerror})", cure) from refused
    return Looked(Verdict.OK, f"{host}:{port} is free: the node does not run here")


def _name() -> Looked:
    mine = socket.gethostname()
    try:
        found = socket.getaddrinfo(mine, None, type=socket.SOCK_STREAM)
    except OSError:
        return Looked(Verdict.ATTENTION, f"{mine} has no address", "Name it in /etc/hosts or the name server")
    return Looked(Verdict.OK, f"{mine} is {', '.join(dict.fromkeys(str(one[4][0]) for one in found))}")
