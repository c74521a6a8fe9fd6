"""The genuine tritonserver as a child of the node: for development, tests, demonstrations and small CPU sites.

The binary comes from the wheel `nvidia-pytriton`, of which nothing is imported. It is Triton 24.10 and carries known
vulnerabilities, hence: gRPC on the loopback interface only, no HTTP, no metrics, and a random token for everything
but inference and health. Production runs NVIDIA's current container instead.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from node.adapters.ports import free_port
from node.adapters.triton.client import TOKEN_HEADER
from node.adapters.triton.wheel import Wheel
from node.errors import ModelUnavailable

_RESTRICTED = "model-repository,model-config,shared-memory,statistics,trace,logging"
_LOOPBACK = "127.0.0.1"
_EXIT_S = 5  # a server that is asked to stop has this long before it is killed


class EmbeddedTriton:
    """A tritonserver on a model repository in its CPU flavour; a context manager."""

    def __init__(self, repository: Path, work: Path, *, models: Sequence[str], port: int = 0) -> None:
        """Log to `work`/tritonserver.log; port 0 takes a free one. Raises BadConfiguration without the wheel."""
        self.port = port or _free_port()
        self.token = secrets.token_hex(16)
        self.log = work / "tritonserver.log"
        self._repository, self._models, self._wheel = repository.resolve(), tuple(models), Wheel.installed()
        self._shm_prefix = f"mricore{os.getpid()}_{self.port}_"
        self._server: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        self._links: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        """host:port of gRPC."""
        return f"{_LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process id, which is its process group's too; None when it was not started."""
        return self._server.pid if self._server else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._server is not None and self._server.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.stop()

    def start(self, *, timeout_s: float = 90.0) -> None:
        """Start, or start again after `stop` or `kill`, and wait until every model is loaded.

        Raises ModelUnavailable with the last lines of the log when the server exits, is late or cannot load a model.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._links = tempfile.TemporaryDirectory(prefix="mricore-triton-")
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                self._command(self._wheel.backends(Path(self._links.name))),
                env=self._wheel.environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watch = _watch(self._server.pid)
        try:
            self._wait(time.monotonic() + timeout_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask the server to stop, then kill what is left of it and clean up. Safe to call twice."""
        if self._server and self._server.poll() is None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(_EXIT_S)
        self.kill()

    def kill(self) -> None:
        """Kill the server and its model processes at once, and remove their shared memory."""
        if self._watch:
            self._watch.kill()
            self._watch.communicate()
        if self._server:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)  # a dead server leaves its model processes behind
            self._server.wait()
        for left in Path("/dev/shm").glob(f"{self._shm_prefix}*"):  # noqa: S108 # where Triton keeps its tensors
            left.unlink(missing_ok=True)
        if self._links:
            self._links.cleanup()
        self._watch = self._links = None

    def last_lines(self, count: int = 12) -> str:
        """The end of the log, for error messages."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def _command(self, backends: Path) -> list[str]:
        return [
            str(self._wheel.server),
            f"--model-repository={self._repository}",
            "--model-config-name=cpu",
            "--model-control-mode=explicit",  # a model that cannot be loaded leaves the others ready
            *(f"--load-model={name}" for name in self._models),
            "--exit-on-error=false",
            "--disable-auto-complete-config",
            f"--backend-directory={backends}",
            f"--backend-config=python,shm-region-prefix-name={self._shm_prefix}",
            "--allow-http=false",
            "--allow-metrics=false",
            f"--grpc-address={_LOOPBACK}",
            f"--grpc-port={self.port}",
            f"--grpc-restricted-protocol={_RESTRICTED}:{TOKEN_HEADER.removeprefix('triton-grpc-protocol-')}={self.token}",
            "--cuda-memory-pool-byte-size=0:0",
            "--pinned-memory-pool-byte-size=0",
            f"--exit-timeout-secs={_EXIT_S}",
            "--log-format=ISO8601",
        ]

    def _wait(self, ends_at: float) -> None:
        channel = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        client = InferenceServerClient(self.url, channel_args=channel)
        try:
            while not self._loaded(client):
                if not self.alive:
                    raise ModelUnavailable(f"the embedded Triton server stopped:\n{self.last_lines()}")
                if time.monotonic() > ends_at:
                    raise ModelUnavailable(f"the embedded Triton server is late:\n{self.last_lines()}")
                time.sleep(0.05)
        finally:
            client.close()

    def _loaded(self, client: InferenceServerClient) -> bool:
        """Whether all models are ready. Raises ModelUnavailable when the server gave one up."""
        try:
            if not client.is_server_live(client_timeout=1):
                return False
            index = client.get_model_repository_index({TOKEN_HEADER: self.token}, client_timeout=1)
        except InferenceServerException:
            return False
        states = {model.name: model for model in index.models}
        for name in self._models:
            if name not in states or states[name].state == "UNAVAILABLE":
                reason = states[name].reason if name in states else "it is not in the repository"
                raise ModelUnavailable(f"Triton cannot load {name}: {reason}\n{self.last_lines()}")
        return all(states[name].state == "READY" for name in self._models)


def _watch(pid: int) -> subprocess.Popen[bytes]:
    """A shell that stops the server when our end of its pipe closes, that is when we die, even by SIGKILL.

    Not PR_SET_PDEATHSIG: that fires when the starting thread ends, and needs code between fork and exec.
    """
    script = f"read _; kill -TERM {pid}; sleep {_EXIT_S}; kill -KILL -{pid}"
    return subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _free_port() -> int:
    try:
        return free_port()
    except OSError as none:
        raise ModelUnavailable("no port of loopback is free for the embedded Triton server") from none
