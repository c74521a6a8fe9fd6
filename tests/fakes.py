"""Second implementations of what talks to other machines: a model server and destinations that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.adapters.destinations import Outcome, Outgoing
from node.adapters.triton import Statistics, StillWanted, read_model
from node.core.card import Card
from node.core.ood import Oddity
from node.core.status import Meaning
from node.errors import DestinationUnavailable, ModelUnavailable, NotProcessable
from node.pipeline.models import Judged

MODEL = "mri_core_head"
CARD = read_model(Path(__file__).parents[1] / "triton_models" / MODEL).card


class FakeModels:
    """Stands for pipeline.models.Models: answers with the bright half, or raises what it was given."""

    def __init__(self) -> None:
        self.raises: list[Exception] = []  # one for each of the next inferences
        self.asked: list[str] = []  # request identifiers
        self.oddity: Oddity | None = None  # what each series is judged to be
        self.during: Callable[[], None] = lambda: None  # called in the middle of an inference

    @property
    def cards(self) -> Mapping[str, Card]:
        return {MODEL: CARD}

    def faults(self) -> dict[str, str]:
        return {}

    def canaries(self) -> Mapping[tuple[str, bool], int]:
        return {(MODEL, True): 1}

    def statistics(self) -> Sequence[Statistics]:
        raise ModelUnavailable("nobody counts")

    def in_flight(self) -> Mapping[str, int]:
        return {}

    def left_alone(self) -> frozenset[str]:
        return frozenset()

    def card(self, name: str, version: str) -> Card:
        if name != MODEL or version not in ("", CARD.version):
            raise NotProcessable(f"the model {name} is not installed on this node")
        return CARD

    def takes_floats(self, card: Card) -> bool:
        return False

    def infer(
        self,
        card: Card,
        slices: NDArray[np.uint16],
        request_id: str,
        still_wanted: StillWanted,
        images: str = "",
        judged: Judged = lambda _: None,
        others: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    ) -> NDArray[Any]:
        if self.oddity:
            judged(self.oddity)
        self.asked.append(request_id)
        self.during()
        still_wanted()
        if self.raises:
            raise self.raises.pop(0)
        return np.asarray(slices > slices.mean(), np.uint8)


class FakeDestination:
    """Remembers what it took; answers as told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.down = False
        self.answers: dict[str, list[Meaning]] = {}  # kind → the next answers; else it takes everything
        self.taken: list[tuple[str, bytes]] = []  # kind, content
        self.during: Callable[[], None] = lambda: None

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        self.during()
        if self.down:
            raise DestinationUnavailable(f"{self.name} cannot be reached")
        return [self._answer(one) for one in objects]

    def _answer(self, one: Outgoing) -> Outcome:
        left = self.answers.get(one.kind, [])
        meaning = left.pop(0) if left else Meaning.DELIVERED
        if meaning is Meaning.DELIVERED:
            self.taken.append((one.kind, one.path.read_bytes()))
        return Outcome(meaning, {"delivered": "0000", "wait": "A700", "refused": "0122"}[meaning.value])

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.taken]
