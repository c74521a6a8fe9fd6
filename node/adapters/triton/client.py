"""The client of a Triton server: slices in, labels out, every fault translated.

Triton answers with gRPC statuses; here is what they mean to the node (measured on 24.10):

    UNAVAILABLE, RESOURCE_EXHAUSTED   server down, queue full or queue timeout    ModelUnavailable
    NOT_FOUND                         unknown, unloaded or still loading          ModelUnavailable
    DEADLINE_EXCEEDED                 too slow                                    ModelUnavailable
    CANCELLED                         the client was closed                       ModelUnavailable
    INTERNAL, "is not healthy"        the model's process died                    reload once, else ModelUnavailable
    INVALID_ARGUMENT, UNIMPLEMENTED   we asked for something the model is not     ModelFailed
    INTERNAL and others               the model raised                            ModelFailed
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from node.adapters.triton import canary
from node.adapters.triton.breaker import Breaker
from node.adapters.triton.contract import LABELS, SLICES, slices_of
from node.adapters.triton.flight import Call, Done, Flight, StillWanted
from node.adapters.triton.repository import Model
from node.adapters.triton.statistics import Statistics, read
from node.adapters.triton.wire import Arrays, came_back, count_of, sent, wired
from node.errors import ModelFailed, ModelUnavailable, NodeError

TOKEN_HEADER = "triton-grpc-protocol-token"  # noqa: S105 # the name of a header, not a token
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_LATER = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "NOT_FOUND", "ABORTED", "DEADLINE_EXCEEDED", "CANCELLED"})
_REQUEST_BYTES = 8 * 2**20  # of one request at most, so that a large series neither fills a queue slot nor the memory
_NOT_AGAIN = -1  # a part is asked for twice at most
_MOST_SLICES = 16  # of one request; Triton joins small requests to batches itself

Slices = NDArray[np.uint16]
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class _Question:
    """What all parts of one inference have in common."""

    model: str
    version: str
    outputs: Sequence[str]
    ends_at: float  # of the monotonic clock
    request_id: str


class TritonClient:
    """A synchronous client of one server, safe to use from several threads."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        requests_in_flight: int = 4,
        slices_per_request: int = 4,
        trace: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`url` is host:port of gRPC; `token` opens the server's restricted protocols, which a reload needs.

        `requests_in_flight` bounds those of one inference, so that Triton can join them to batches. `trace` gives the
        headers that tell the server which step asks.
        """
        self.url = url
        self._headers = {TOKEN_HEADER: token} if token else None
        self._trace = trace
        self._slices_per_request = min(slices_per_request, _MOST_SLICES)
        self._grpc = InferenceServerClient(url, channel_args=_CHANNEL)
        self._at_once = requests_in_flight
        self._breakers: dict[str, Breaker] = defaultdict(Breaker)  # one a model: a missing one stops no other
        self._in_flight: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._reloading = threading.Lock()
        self._reloads = 0

    def close(self) -> None:
        """Close the connection; requests in flight end at the server, and their callers hear ModelUnavailable."""
        self._grpc.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def infer(
        self,
        model: str,
        version: str,
        slices: Slices,
        *,
        deadline_s: float = 120.0,
        request_id: str = "",
        still_wanted: StillWanted = lambda: None,
    ) -> Labels:
        """Label the slices (N, H, W) at their native size; an empty version is the newest.

        `still_wanted` is asked twice a second; what it raises ends the inference at the server.
        Raises ModelUnavailable when the same request may succeed later, ModelFailed when it will not.
        """
        if slices.ndim != 3 or slices.dtype != np.uint16 or not slices.size:
            raise ModelFailed(f"{model}: slices must be uint16 (N, H, W), not {slices.dtype} {slices.shape}")
        answer = self.ask(
            model,
            version,
            {SLICES.name: slices},
            (LABELS.name,),
            deadline_s=deadline_s,
            request_id=request_id,
            still_wanted=still_wanted,
        )
        labels = answer[LABELS.name]
        if labels.dtype != np.uint8 or labels.shape != slices.shape:
            found = f"{labels.dtype} {labels.shape}"
            raise ModelFailed(f"{model}: labels for slices {slices.shape} must be uint8 of that shape, not {found}")
        return labels

    def ask(
        self,
        model: str,
        version: str,
        given: Arrays,
        outputs: Sequence[str],
        *,
        deadline_s: float = 120.0,
        request_id: str = "",
        still_wanted: StillWanted = lambda: None,
    ) -> dict[str, NDArray[Any]]:
        """The outputs asked for, by name, for what the model is given: slices, features of a shared encoder, a vector.

        Slices are uint16 (sent as INT32) or float32. Raises as `infer` does.
        """
        count = count_of(model, given)
        breaker = self._breakers[model]
        breaker.check()
        ends_at = time.monotonic() + deadline_s
        a_slice = sum(wired(each[:1]).nbytes for each in given.values())
        size = min(self._slices_per_request, max(1, _REQUEST_BYTES // max(1, a_slice)))
        parts = [{key: each[n : n + size] for key, each in given.items()} for n in range(0, count, size)]
        ask = _Question(model, version, outputs, ends_at, request_id)
        try:
            answers = self._ask_all(ask, parts, still_wanted)
        except ModelUnavailable:
            breaker.failed()
            raise
        except ModelFailed:
            breaker.worked()  # the server answered
            raise
        breaker.worked()
        return {name: np.concatenate([answer[name] for answer in answers]) for name in outputs}

    def ready(self, model: str, version: str = "", *, timeout_s: float = 2.0) -> bool:
        """Whether the server says that the model is ready. Only a canary proves it."""
        try:
            return bool(self._grpc.is_model_ready(model, version, client_timeout=timeout_s))
        except InferenceServerException:
            return False

    def version(self, *, timeout_s: float = 5.0) -> str:
        """The server's release, as in 2.51.0. Raises ModelUnavailable."""
        try:
            return str(self._grpc.get_server_metadata(client_timeout=timeout_s).version)
        except InferenceServerException as fault:
            raise ModelUnavailable(f"the server at {self.url} does not say its release") from fault

    def canary(self, model: Model, *, deadline_s: float = 60.0) -> None:
        """Ask for the canary slices. Raises ModelUnavailable, or ModelFailed for an answer that differs.

        A shared head is asked by way of its encoder.
        """
        names = [slices_of(one.name).name for one in model.card.inputs] or [SLICES.name]
        given: Arrays = {
            name: canary.slices(number).astype(np.float32 if model.takes_floats else np.uint16)
            for number, name in enumerate(names)
        }
        if model.card.shared is not None:
            needed = [tensor.name for tensor in model.contract.inputs if tensor.name != SLICES.name]
            encoder = model.card.shared.encoder
            given = {**given, **self.ask(encoder, "", given, needed, deadline_s=deadline_s, request_id="canary")}
        first = model.contract.outputs[0].name
        mine = {tensor.name: given[tensor.name] for tensor in model.contract.inputs}
        said = self.ask(model.card.name, model.card.version, mine, (first,), deadline_s=deadline_s, request_id="canary")
        canary.compare(model.card, said[first], model.canary)

    def statistics(self, *, timeout_s: float = 1.0) -> Sequence[Statistics]:
        """What the server counted, for every version of every model. Raises ModelUnavailable when it does not say."""
        try:
            return read(self._grpc.get_inference_statistics(headers=self._headers, client_timeout=timeout_s))
        except (InferenceServerException, ValueError) as fault:  # ValueError: a channel that was closed
            raise ModelUnavailable("the server does not tell its statistics") from fault

    def left_alone(self, model: str) -> bool:
        """Whether the model failed so often in a row that nobody asks for a while."""
        return self._breakers[model].is_open if model in self._breakers else False

    def in_flight(self) -> Mapping[str, int]:
        """Model → requests that the server has not answered yet."""
        with self._counting:
            return dict(self._in_flight)

    def _ask_all(self, ask: _Question, parts: Sequence[Arrays], still_wanted: StillWanted) -> list[Arrays]:
        """All parts, a bounded number in flight; whatever ends this early ends them at the server."""
        answers: dict[int, Arrays] = {}
        left, sent_after = deque(range(len(parts))), dict[int, int]()  # part → reloads before it was sent last
        with Flight() as flight:
            while len(answers) < len(parts):
                while left and len(flight) < self._at_once:
                    number = left.popleft()
                    first = number not in sent_after
                    sent_after[number] = self._reloads if first else _NOT_AGAIN
                    flight.send(number, lambda done, part=parts[number]: self._send(ask, part, done))  # type: ignore[misc]
                landed = flight.next(still_wanted)
                if landed.fault is None:
                    answers[landed.number] = _came_back(ask, parts[landed.number], landed.answer)
                else:
                    self._recover(ask.model, landed.fault, sent_after[landed.number])
                    left.appendleft(landed.number)
        return [answers[number] for number in range(len(parts))]

    def _send(self, ask: _Question, part: Arrays, done: Done) -> Call:
        seconds = ask.ends_at - time.monotonic()
        if seconds <= 0:
            raise ModelUnavailable(f"{ask.model}: no answer before the deadline")
        inputs = sent(part)

        def landed(result: InferResult | None, error: InferenceServerException | None) -> None:
            self._count(ask.model, -1)
            done(result, error)

        self._count(ask.model, 1)
        try:
            call: Call = self._grpc.async_infer(
                ask.model,
                inputs,
                landed,
                ask.version,
                [InferRequestedOutput(name) for name in ask.outputs],
                ask.request_id,
                client_timeout=seconds,
                timeout=int(seconds * 1e6),
                headers=dict(self._trace()) or None,
            )
        except ValueError as closed:  # a channel that was closed
            self._count(ask.model, -1)
            raise ModelUnavailable(f"{ask.model}: the node is stopping") from closed
        return call

    def _count(self, model: str, more: int) -> None:
        with self._counting:
            self._in_flight[model] += more

    def _recover(self, model: str, fault: InferenceServerException, reloads: int) -> None:
        """Raise what the fault means, unless the model's process died and was started anew: then ask once more."""
        if reloads == _NOT_AGAIN or (not _process_died(fault) and self._reloads == reloads):
            raise _translated(model, fault) from fault
        self._reload(model, reloads)

    def _reload(self, model: str, reloads: int) -> None:
        """Unload and load; loading alone does nothing for a dead process. Threads that saw it die do so once."""
        with self._reloading:
            if self._reloads != reloads:
                return
            self._reloads += 1
            try:
                self._grpc.unload_model(model, headers=self._headers, client_timeout=30)
                self._grpc.load_model(model, headers=self._headers, client_timeout=60)
            except InferenceServerException as fault:
                raise ModelUnavailable(f"{model}: its process died and could not be started again") from fault


def _came_back(ask: _Question, part: Arrays, answer: InferResult | None) -> Arrays:
    return came_back(ask.model, ask.outputs, len(next(iter(part.values()))), answer)


def _process_died(fault: InferenceServerException) -> bool:
    return "is not healthy" in fault.message() or "Failed to initialize stub" in fault.message()


def _translated(model: str, fault: InferenceServerException) -> NodeError:
    status = str(fault.status() or "").removeprefix("StatusCode.")
    if status in _LATER:
        return ModelUnavailable(f"{model}: {_BECAUSE.get(status, 'the server cannot take it now')} ({status})")
    if _process_died(fault):
        return ModelUnavailable(f"{model}: its process died")
    return ModelFailed(f"{model}: {_first_line(fault.message())} ({status})")


_BECAUSE = {
    "UNAVAILABLE": "the server is down or its queue is full",
    "NOT_FOUND": "the server does not know it, or is still loading it",
    "DEADLINE_EXCEEDED": "no answer before the deadline",
}


def _first_line(message: str) -> str:
    return message.strip().partition("\n")[0][:300]
