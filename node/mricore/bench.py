"""How fast a model answers: by batch, and by the way a client asks it. Needs no torch.

Ways of one batch, taking turns so that a busy machine is busy for all of them:

    direct         ONNX Runtime in this process, as the CPU flavour's model.py opens it
    grpc           one request to Triton
    shared-memory  the same, tensors in a segment of shared memory; a server on this host only

And of a whole series: direct, in the portions that the CPU flavour takes, beside the node's own client, which sends
several requests at once. Their ratio is what the way through Triton costs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import shared_memory
from typing import Any
from uuid import uuid4

import numpy as np
import onnxruntime
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, model_config_pb2
from tritonclient.utils import InferenceServerException

from node.adapters.triton import Model, TritonClient
from node.adapters.triton.client import TOKEN_HEADER
from node.adapters.triton.contract import SLICES
from node.core import phantom
from node.errors import BadConfiguration, ModelFailed

DIRECT, GRPC, SHARED_MEMORY, CLIENT = "direct", "grpc", "shared-memory", "node"
_WARM_UP = 2  # calls of each way that are not counted

Slices = NDArray[np.uint16]
Ask = Callable[[], NDArray[Any]]


@dataclass(frozen=True)
class Server:
    """A Triton server and what opens it."""

    url: str  # host:port of gRPC
    token: str | None = None


@dataclass(frozen=True)
class Timing:
    """One way of asking, with one number of slices a call."""

    way: str
    slices: int
    calls: int
    p50_ms: float
    p95_ms: float
    slices_per_s: float  # of the median call


@dataclass(frozen=True)
class Bench:
    """What `models bench` found."""

    model: str
    rows: int
    columns: int
    threads: int  # of ONNX Runtime, here and in the CPU flavour
    batches: tuple[Timing, ...]
    series: tuple[Timing, ...]
    overhead: float  # median, over the turns, of the node's time for a series over ONNX Runtime's, less 1


@dataclass(frozen=True)
class Load:
    """What is asked."""

    rows: int = 256
    columns: int = 256
    batches: tuple[int, ...] = (1, 2, 4, 8, 16)
    series: int = 32  # slices
    calls: int = 20  # of each way and batch
    ways: tuple[str, ...] = (DIRECT, GRPC, SHARED_MEMORY)

    @property
    def steps(self) -> int:
        """How often `measure` reports progress."""
        return (len(self.batches) * len(self.ways) + len((DIRECT, CLIENT))) * (self.calls + _WARM_UP)


def measure(model: Model, server: Server, load: Load, done: Callable[[], None]) -> Bench:
    """Measure; `done` is called after each call. Every way's answer is compared with the direct one's first.

    Raises BadConfiguration for a model that takes more than slices, ModelFailed where two ways differ or one fails.
    """
    if [tensor.name for tensor in model.contract.inputs] != [SLICES.name]:
        what, cure = "takes features of a shared encoder", "Measure the encoder"
        if model.card.inputs:
            what, cure = "takes several series", "Only models of one series can be measured so far"
        raise BadConfiguration(model.card.name, what, cure)
    threads, at_once = _cpu_flavour(model)
    every = np.resize(_phantom(load.rows, load.columns), (max(load.series, *load.batches), load.rows, load.columns))
    with _Ways(model, server, threads) as ways:
        batches: list[Timing] = []
        for batch in [size for size in load.batches if size <= model.contract.max_batch_size]:
            asks = {way: ways.ask(way, every[:batch]) for way in load.ways}
            batches += _timings(_taking_turns(asks, load.calls, done), batch)
        turns = _taking_turns(ways.series(every[: load.series], at_once), load.calls, done)
    overhead = float(np.median(np.divide(turns[CLIENT], turns[DIRECT]))) - 1
    series = tuple(_timings(turns, load.series))
    return Bench(model.card.name, load.rows, load.columns, threads, tuple(batches), series, round(overhead, 3))


def _cpu_flavour(model: Model) -> tuple[int, int]:
    """Threads, and slices computed together, as configs/cpu.pbtxt states them."""
    file = model.folder / "configs" / "cpu.pbtxt"
    stated = text_format.Parse(file.read_text(encoding="utf-8"), model_config_pb2.ModelConfig()).parameters
    threads, at_once = (stated[key].string_value for key in ("threads", "slices_at_once"))
    return int(threads), int(at_once)


def _phantom(rows: int, columns: int) -> Slices:
    return phantom.voxels(phantom.Grid(slices=16, rows=rows, columns=columns, slice_spacing=6.0), seed=5).array


def _taking_turns(asks: dict[str, Ask], calls: int, done: Callable[[], None]) -> dict[str, list[float]]:
    """Way → seconds of each counted call."""
    seconds: dict[str, list[float]] = {way: [] for way in asks}
    first: NDArray[Any] | None = None
    for turn in range(calls + _WARM_UP):
        for way, ask in asks.items():
            begun = time.perf_counter()
            answer = ask()
            seconds[way].append(time.perf_counter() - begun)
            if turn == 0:
                first = answer if first is None else first
                _same(way, first, answer)
            done()
    return {way: taken[_WARM_UP:] for way, taken in seconds.items()}


def _same(way: str, wanted: NDArray[Any], found: NDArray[Any]) -> None:
    """A border pixel may flip between two machines; a wrong way shows on more than one in a thousand."""
    if found.shape != wanted.shape or (np.abs(found.astype(np.float64) - wanted) > 1e-3).mean() > 1e-3:
        raise ModelFailed(f"{way} answers otherwise than ONNX Runtime; its speed means nothing")


def _timings(turns: Mapping[str, Sequence[float]], slices: int) -> list[Timing]:
    timings = []
    for way, seconds in turns.items():
        p50, p95 = (1000 * float(np.quantile(seconds, q)) for q in (0.5, 0.95))
        timings.append(Timing(way, slices, len(seconds), round(p50, 2), round(p95, 2), round(1000 * slices / p50, 1)))
    return timings


class _Ways:
    """Every way of asking one model; a context manager that gives shared memory back."""

    def __init__(self, model: Model, server: Server, threads: int) -> None:
        self._model, self._server, self._threads = model, server, threads
        self._output = model.contract.outputs[0]
        self._type = np.float32 if model.takes_floats else np.int32
        self._datatype = "FP32" if model.takes_floats else SLICES.datatype
        self._headers = {TOKEN_HEADER: server.token} if server.token else None
        self._open = ExitStack()

    def __enter__(self) -> _Ways:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        onnx = self._model.folder / self._model.card.weights.file
        self._session = onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])
        self._grpc = InferenceServerClient(self._server.url)
        self._open.callback(self._grpc.close)
        self._client = self._open.enter_context(TritonClient(self._server.url, token=self._server.token))
        return self

    def __exit__(self, *fault: object) -> None:
        self._open.close()

    def ask(self, way: str, part: Slices) -> Ask:
        """One batch, one way."""
        if way == DIRECT:
            return lambda: self._direct(part)
        sent = InferInput(SLICES.name, part.shape, self._datatype)
        wanted = InferRequestedOutput(self._output.name)
        if way == GRPC:
            return lambda: self._asked(sent, wanted, part)
        return self._by_shared_memory(sent, wanted, part)

    def series(self, part: Slices, at_once: int) -> dict[str, Ask]:
        """A whole series, both ways."""
        card = self._model.card

        def direct() -> NDArray[Any]:
            return np.concatenate([self._direct(part[n : n + at_once]) for n in range(0, len(part), at_once)])

        return {DIRECT: direct, CLIENT: lambda: self._client.infer(card.name, card.version, part)}

    def _direct(self, part: Slices) -> NDArray[Any]:
        (answer,) = self._session.run([self._output.name], {SLICES.name: part.astype(self._type)})
        return np.asarray(answer)

    def _asked(self, sent: InferInput, wanted: InferRequestedOutput, part: Slices) -> NDArray[Any]:
        sent.set_data_from_numpy(part.astype(self._type))
        return np.asarray(self._infer(sent, wanted).as_numpy(self._output.name))

    def _infer(self, sent: InferInput, wanted: InferRequestedOutput) -> Any:
        card = self._model.card
        try:
            return self._grpc.infer(card.name, [sent], card.version, [wanted])
        except InferenceServerException as fault:
            raise ModelFailed(f"{card.name}: {fault.message()}") from fault

    def _by_shared_memory(self, sent: InferInput, wanted: InferRequestedOutput, part: Slices) -> Ask:
        answer = self._direct(part)
        given = self._segment(part.astype(self._type).nbytes)
        taken = self._segment(answer.nbytes)
        sent.set_shared_memory(given.name, part.size * 4)
        wanted.set_shared_memory(taken.name, answer.nbytes)
        into: NDArray[Any] = np.ndarray(part.shape, self._type, buffer=given.buf)

        def ask() -> NDArray[Any]:
            into[:] = part
            self._infer(sent, wanted)
            return np.ndarray(answer.shape, answer.dtype, buffer=taken.buf).copy()

        return ask

    def _segment(self, size: int) -> shared_memory.SharedMemory:
        """A segment that the server knows by its name, until this is closed."""
        return self._open.enter_context(_segment(self._grpc, size, self._headers))


@contextmanager
def _segment(
    grpc: InferenceServerClient, size: int, headers: dict[str, str] | None
) -> Iterator[shared_memory.SharedMemory]:
    segment = shared_memory.SharedMemory(f"mricore-bench-{os.getpid()}-{uuid4().hex}", create=True, size=size)
    try:
        grpc.register_system_shared_memory(segment.name, f"/{segment.name}", size, headers=headers)
        yield segment
        grpc.unregister_system_shared_memory(segment.name, headers=headers)
    except InferenceServerException as fault:
        raise ModelFailed(f"the server takes no shared memory: {fault.message()}") from fault
    finally:
        segment.close()
        segment.unlink()
