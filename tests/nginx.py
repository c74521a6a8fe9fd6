"""Debian's nginx with deploy/nginx's configuration, in front of a node; skips where it is not installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pytest

from tests.bench import until
from tests.certificates import Authority
from tests.orthanc import free_port
from tests.processes import PATIENCE_S, REPOSITORY

_TEMPLATE = REPOSITORY / "deploy" / "nginx" / "mricore.conf.template"
_MAIN = """
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/mricore.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """Running."""

    folder: Path
    tls_port: int
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.tls_port}"

    def set_aside(self) -> list[str]:
        """Files in which it waits with what it did not pass on."""
        return [str(one) for name in ("body", "proxy") for one in (self.folder / name).rglob("*") if one.is_file()]

    def memory(self) -> int:
        """Bytes that its worker holds."""
        (worker,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
        return int(line) * 1024


@contextmanager
def nginx(folder: Path, authority: Authority, web: int, receive: int) -> Iterator[Nginx]:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        pytest.skip("needs the Debian package nginx-light")
    folder.mkdir()
    tls_port, port = free_port(), free_port()
    certificate, key = authority.issue("node")
    text = Template(_plain(_TEMPLATE.read_text(), program)).safe_substitute(
        MRICORE_WEB=f"127.0.0.1:{web}",
        MRICORE_RECEIVE=f"127.0.0.1:{receive}",
        MRICORE_NAME="localhost",
        MRICORE_TLS_PORT=str(tls_port),
        MRICORE_PORT=str(port),
        MRICORE_PUBLIC_PORT=str(tls_port),
        MRICORE_CERTIFICATE=str(certificate),
        MRICORE_KEY=str(key),
    )
    (folder / "mricore.conf").write_text(
        text.replace("/dev/stdout", f"{folder}/access.log").replace("/dev/stderr", f"{folder}/error.log")
    )
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder) + ("user root;\n" if os.geteuid() == 0 else ""))
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr, tested.stderr
    process = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        until(lambda: (folder / "pid").exists() and (folder / "pid").read_text().strip() != "", "nginx", PATIENCE_S)
        yield Nginx(folder, tls_port, port, process)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _plain(text: str, program: str) -> str:
    """Debian 12's is older than the image's: it says HTTP/2 in another place."""
    said = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=PATIENCE_S, check=True).stderr
    (version,) = re.findall(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    if tuple(map(int, version)) < (1, 25, 1):
        text = text.replace("  http2 on;\n", "").replace(" ssl;\n  ", " ssl http2;\n  ", 1)
    return text
