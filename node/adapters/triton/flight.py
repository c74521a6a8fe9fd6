"""The parts of one inference on their way: answered in any order, ended together.

A part that is canceled here is canceled at the server: Triton takes it out of its queue, and a model that asks
whether it is still wanted stops. So nothing is worked out that nobody waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import NamedTuple, Protocol, Self

from tritonclient.grpc import InferResult
from tritonclient.utils import InferenceServerException

ASK_EVERY_S = 0.5  # whether somebody still waits

StillWanted = Callable[[], None]  # raises when nobody waits any more


class Call(Protocol):
    """A request that was sent."""

    def cancel(self) -> None:
        """End it at the server; harmless when it has ended."""


class Landed(NamedTuple):
    """What came back for one part: an answer or a fault."""

    number: int
    answer: InferResult | None
    fault: InferenceServerException | None


Done = Callable[[InferResult | None, InferenceServerException | None], None]


class Flight:
    """A context manager: what is still on its way when it is left is canceled."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._landed: SimpleQueue[Landed] = SimpleQueue()
        self._ask_at = monotonic() + ASK_EVERY_S

    def __len__(self) -> int:
        """How many parts are on their way."""
        return len(self._calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        for call in self._calls.values():
            call.cancel()

    def send(self, number: int, call: Callable[[Done], Call]) -> None:
        """Send a part; `call` is given what is to be called, from any thread, when it has ended."""

        def done(result: InferResult | None, error: InferenceServerException | None) -> None:
            self._landed.put(Landed(number, result, error))

        self._calls[number] = call(done)

    def next(self, still_wanted: StillWanted) -> Landed:
        """The part that ends next. `still_wanted` is asked now and then, however fast parts land; what it raises ends
        the flight."""
        while True:
            if monotonic() >= self._ask_at:
                self._ask_at = monotonic() + ASK_EVERY_S
                still_wanted()
            with suppress(Empty):
                landed = self._landed.get(timeout=max(0.0, self._ask_at - monotonic()))
                del self._calls[landed.number]
                return landed
