"""Models: what is installed, and whether the server gives the answers that the cards promise."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from node.adapters.triton import Model, Statistics, StillWanted, TritonClient
from node.core.card import Card
from node.errors import ModelUnavailable, NodeError, NotProcessable

_log = structlog.get_logger(__name__)

_NOT_ASKED = "the canary was not asked yet"


class Models:
    """The models of one server. Nothing is inferred by a model whose canary has not passed."""

    def __init__(self, models: Sequence[Model], client: TritonClient, deadline_seconds: float) -> None:
        self._models = {model.card.name: model for model in models}
        self._client, self._deadline_seconds = client, deadline_seconds
        self._faults = dict.fromkeys(self._models, _NOT_ASKED)
        self._canaries: Counter[tuple[str, bool]] = Counter()
        self._lock = threading.Lock()

    @property
    def cards(self) -> Mapping[str, Card]:
        return {name: model.card for name, model in self._models.items()}

    def faults(self) -> dict[str, str]:
        """Model → why it may not be used. Empty: all are ready."""
        with self._lock:
            return dict(self._faults)

    def ask_canaries(self) -> dict[str, str]:
        """Infer the known input with each model and compare; returns `faults`."""
        for name, model in self._models.items():
            try:
                self._client.canary(model)
            except NodeError as fault:
                _log.warning("canary failed", model=name, reason=str(fault))
                self._count(name, passed=False)
                self._note(name, str(fault))
            else:
                self._count(name, passed=True)
                self._note(name, "")
        return self.faults()

    def canaries(self) -> Mapping[tuple[str, bool], int]:
        """Model, whether its canary passed → how often, since this process started."""
        with self._lock:
            return dict(self._canaries)

    def statistics(self) -> Sequence[Statistics]:
        """What the server counted. Raises ModelUnavailable when it does not say."""
        return self._client.statistics()

    def in_flight(self) -> Mapping[str, int]:
        """Model → requests of this process that the server has not answered yet."""
        return self._client.in_flight()

    def left_alone(self) -> frozenset[str]:
        """The models that are not asked for a while, because they failed several times in a row."""
        return frozenset(name for name in self._models if self._client.left_alone(name))

    def _count(self, name: str, *, passed: bool) -> None:
        with self._lock:
            self._canaries[name, passed] += 1

    def _note(self, name: str, fault: str) -> None:
        with self._lock:
            self._faults.pop(name, None)
            if fault:
                self._faults[name] = fault

    def card(self, name: str, version: str) -> Card:
        """The card of a model and version ("": the one that is installed). Raises NotProcessable without it."""
        model = self._models.get(name)
        if model is None:
            raise NotProcessable(f"the model {name} is not installed on this node")
        if version and version != model.card.version:
            raise NotProcessable(f"version {version} of {name} is not installed: {model.card.version} is")
        return model.card

    def infer(
        self, card: Card, slices: NDArray[np.uint16], request_id: str, still_wanted: StillWanted
    ) -> NDArray[np.uint8]:
        """Labels of native slices (N, H, W). Raises ModelUnavailable or ModelFailed, or what `still_wanted` raises."""
        with self._lock:
            fault = self._faults.get(card.name, "")
        if fault:
            raise ModelUnavailable(f"{card.name} is not ready: {fault}")
        try:
            return self._client.infer(
                card.name,
                card.version,
                slices,
                deadline_s=self._deadline_seconds,
                request_id=request_id,
                still_wanted=still_wanted,
            )
        except ModelUnavailable as gone:
            # A server that comes back may be another one: the canary decides again before anything is believed.
            self._note(card.name, str(gone))
            raise
