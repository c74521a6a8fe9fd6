"""The ground of a drill: a node, a receiver, a sender and the way to a model server, all of its own."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx
from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.transport import ThreadedAssociationServer

from node.adapters.database import trace
from node.adapters.database.trace import JobLine, SeriesLine
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.ports import free_port
from node.adapters.triton import EmbeddedTriton
from node.adapters.triton.repository import ensembles
from node.app.clock import utc_now
from node.app.drill.plan import QUIET_S, Plan
from node.app.node import Node
from node.config import Settings
from node.core import phantom
from node.core.drill import PATIENT
from node.core.results import to_bytes
from node.errors import DestinationUnavailable, ModelUnavailable

SENDER, RECEIVER = "MRICORE_DRILL", "DRILL_PACS"
SLICES = 12  # a model may ask for eight at least, and one comes late
_SPARSE = replace(phantom.AXIAL, slices=SLICES, slice_spacing=13.0, rows=128, columns=128, pixel_spacing=(1.875, 1.875))
_DESTINATIONS = {"dead-pacs": "drill-dead"}
_PATIENCE_S, _POLL_S = 240.0, 0.1


class Receiver:
    """A Storage SCP that keeps data sets in memory, started and stopped as an exercise wants."""

    def __init__(self) -> None:
        self.came: dict[str, Dataset] = {}
        self.port = free_port()
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        ae = AE(ae_title=RECEIVER)
        ae.supported_contexts = AllStoragePresentationContexts
        ae.add_supported_context("1.2.840.10008.1.1")
        server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        self._server = server if isinstance(server, ThreadedAssociationServer) else None

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server = None

    def _store(self, event: evt.Event) -> int:
        ds = event.dataset
        self.came[str(ds.SOPInstanceUID)] = ds
        return 0x0000


class Way:
    """The way to a model server: a port that hands on what comes, until it is cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._open, self._over = threading.Event(), threading.Event()
        self._open.set()
        self._connections: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="way", daemon=True).start()

    def cut(self) -> None:
        self._open.clear()
        for one in list(self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._over.set()
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if not self._open.is_set():
                near.close()
                continue
            try:
                far = socket.create_connection(self._target, timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for one, other in ((near, far), (far, near)):
                self._connections.add(one)
                threading.Thread(target=self._carry, args=(one, other), name="way", daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while chunk := one.recv(1 << 16):
                other.sendall(chunk)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._connections.discard(one)
        one.close()


class Ground:
    """What exercises work on. `say` is told what happens."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self.plan, self.folder, self.say = plan, folder, say
        self.receiver, self.dead = Receiver(), Receiver()
        self._triton: EmbeddedTriton | None = None
        self.way: Way | None = None
        self._node: Node | None = None
        self.run = f"{utc_now():%Y%m%d%H%M%S}"

    @property
    def node(self) -> Node:
        if self._node is None:
            raise DestinationUnavailable("the drill's node was not started")
        return self._node

    def start(self) -> None:
        """Raises NodeError where the node or its model server cannot be started."""
        self.receiver.start()
        url, token = self._model_server()
        self.say("the drill's node starts")
        self._node = Node(Settings.model_validate(self._settings(url, token)))
        self._node.start()
        self.until(lambda: not self._node_faults(), "the model's canary gives the known answer")

    def stop(self) -> None:
        if self._node:
            self._node.stop()
        for receiver in (self.receiver, self.dead):
            receiver.stop()
        if self.way:
            self.way.close()
        if self._triton:
            self._triton.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def phantom(self, name: str, **more: str) -> list[Dataset]:
        """What a scanner would send for an exercise."""
        made = phantom.instances(
            phantom.voxels(_SPARSE),
            when=datetime(2026, 1, 5, 9, 30),  # noqa: DTZ001 # DICOM has no zone here
            seed=f"drill {self.run} {name}",
            patient_id=patient_of(name),
            patient_name=more.get("patient_name", f"Drill^{name.title()}"),
            accession_number="DRILL",
        )
        for ds in made:
            ds.SpecificCharacterSet = more.get("charset", "ISO_IR 192").split("\\")
        return made

    def send(self, datasets: Sequence[Dataset], port: int | None = None) -> list[int | None]:
        """By C-STORE, on one association; the statuses."""
        files = []
        for ds in datasets:
            path = self.folder / "sent" / f"{ds.SOPInstanceUID}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_bytes(ds))
            files.append((path, read_file_head(path)))
        peer = Peer(self.plan.ae_title, "127.0.0.1", port or self.node.dicom_port, SENDER)
        return [one.status for one in send(peer, files)]

    def series(self, datasets: Sequence[Dataset]) -> SeriesLine | None:
        return trace.line(self.node.database, str(datasets[0].SeriesInstanceUID))

    def job(self, datasets: Sequence[Dataset], version: int = 1) -> JobLine | None:
        """The job of one version of a series."""
        seen = self.series(datasets)
        return next((one for one in seen.jobs if one.version == version), None) if seen else None

    def ready(self) -> bool:
        answer = httpx.get(f"http://127.0.0.1:{self.node.http_port}/readyz", timeout=30, trust_env=False)
        return answer.status_code == 200

    def until(self, what: Callable[[], object], words: str, patience_s: float = _PATIENCE_S) -> None:
        """Raises NeverError."""
        give_up = time.monotonic() + patience_s
        while not what():
            if time.monotonic() > give_up:
                raise NeverError(words)
            time.sleep(_POLL_S)

    def _node_faults(self) -> bool:
        return not self.ready()

    def _model_server(self) -> tuple[str, str]:
        """A server of its own behind the way, or the one of the settings: the drill only cuts its own way to it."""
        plan = self.plan
        if plan.triton_url == "embedded":
            self.say("a model server of the drill's own starts")
            models = self._models()
            self._triton = EmbeddedTriton(models, self.folder / "triton", models=[plan.model, *ensembles(models)])
            self._triton.start()
            target, token = self._triton.url, self._triton.token
        else:
            target, token = plan.triton_url.removeprefix("grpc://"), plan.triton_token
        host, _, port = target.rpartition(":")
        where = (host.strip("[]"), int(port))
        _demand_there(where, plan.triton_url)
        self.way = Way(where)
        return f"grpc://127.0.0.1:{self.way.port}", token

    def _settings(self, url: str, token: str) -> dict[str, object]:
        """Loopback, free ports, short waits."""
        plan = self.plan
        where = {"kind": "dicom", "ae_title": RECEIVER, "host": "127.0.0.1", "timeout_seconds": 20}
        ports = {"drill": self.receiver.port, "drill-dead": self.dead.port}
        return {
            "node": {"ae_title": plan.ae_title, "data_dir": self.folder / "node", "stop_seconds": 5},
            "dicom": {"host": "127.0.0.1", "port": 0, "accept": "listed"},
            "http": {"host": "127.0.0.1", "port": 0},
            "storage": {"low_watermark": 0},
            "triton": {
                "url": url,
                "token": token,
                "models": self._models(),
                "deadline_seconds": plan.deadline_seconds,
            },
            "rules": {"directory": self._rules(), "keep_headers_days": 0},
            "completion": {"quiet_seconds": QUIET_S, "grid_seconds": 2, "settle_seconds": 0.5, "longest_seconds": 6},
            "source": [{"name": "drill", "ae_title": SENDER}],
            "destination": [{"name": name, "port": port, **where} for name, port in ports.items()],
        }

    def _models(self) -> Path:
        """Of the repository only the model that is drilled: others would be asked too."""
        folder = self.folder / "models"
        if folder.exists():
            return folder
        folder.mkdir(parents=True)
        for one in Path(self.plan.models).iterdir():
            if one.name == self.plan.model or not (one / "card.yaml").exists():
                (folder / one.name).symlink_to(one.resolve())
        return folder

    def _rules(self) -> Path:
        folder = self.folder / "rules"
        folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate((*_DESTINATIONS, "")):
            (folder / f"0-drill-{number}.yaml").write_text(_rule(name, self.plan.model), encoding="utf-8")
        return folder


class NeverError(Exception):
    """What was waited for did not come."""


def patient_of(name: str) -> str:
    return f"{PATIENT}-{name.upper()}"


def _rule(name: str, model: str) -> str:
    wanted = f"PatientID: {patient_of(name)}" if name else f"PatientID: {{starts: {PATIENT}}}"
    return (
        f"name: drill-{name or 'others'}\ndescription: Phantoms of the fault drill\npriority: routine\n"
        f"when:\n  Modality: MR\n  {wanted}\non_unknown: no-match\n"
        f"then:\n  - infer: {{model: {model}, unsuitable: not-processable}}\n"
        f"  - deliver: [{_DESTINATIONS.get(name, 'drill')}]\n"
    )


@contextmanager
def ground(plan: Plan, folder: Path, say: Callable[[str], None]) -> Iterator[Ground]:
    made = Ground(plan, folder, say)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _demand_there(where: tuple[str, int], url: str) -> None:
    """Raises ModelUnavailable: without a model server nothing can be drilled but that."""
    try:
        socket.create_connection(where, timeout=5).close()
    except OSError as refused:
        raise ModelUnavailable(f"{url} takes no connections: see `mricore-node check`") from refused
