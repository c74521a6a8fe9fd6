"""Models: what is installed, and whether the server gives the answers that the cards promise."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from node.adapters.telemetry import OFF, Tracing
from node.adapters.triton import Model, Statistics, StillWanted, TritonClient
from node.adapters.triton.calibration import Calibration, LiveCalibration
from node.adapters.triton.contract import EMBEDDING, LABELS, SLICES, Tensor, slices_of
from node.core.card import Card, Shared
from node.core.ood import Oddity
from node.errors import ModelFailed, ModelUnavailable, NodeError, NotProcessable
from node.pipeline.features import Arrays, KeptFeatures, features_name

_log = structlog.get_logger(__name__)

Judged = Callable[[Oddity], None]

_NOT_ASKED = "the canary was not asked yet"


class Models:
    """The models of one server. Nothing is inferred by a model whose canary has not passed."""

    def __init__(
        self,
        models: Sequence[Model],
        client: TritonClient,
        deadline_seconds: float,
        features: KeptFeatures | None = None,
        tracing: Tracing = OFF,
    ) -> None:
        """`features` keeps what shared encoders said, for the other heads of the same images."""
        self._features, self._tracing = features, tracing
        self._models = {model.card.name: model for model in models}
        self._calibrations = {model.card.name: LiveCalibration(model) for model in models}
        self._client, self._deadline_seconds = client, deadline_seconds
        self._faults = dict.fromkeys(self._models, _NOT_ASKED)
        self._canaries: Counter[tuple[str, bool]] = Counter()
        self._asked_at: dict[str, datetime] = {}
        self._lock = threading.Lock()

    @property
    def cards(self) -> Mapping[str, Card]:
        return {name: model.card for name, model in self._models.items()}

    def faults(self) -> dict[str, str]:
        """Model → why it may not be used. Empty: all are ready."""
        with self._lock:
            return dict(self._faults)

    def ask_canaries(self, now: datetime | None = None, names: Collection[str] | None = None) -> dict[str, str]:
        """Infer the known input with each model, or those named, and compare; returns `faults`.

        `now` is kept as the time of it."""
        for name in self._models if names is None else names:
            try:
                self._client.canary(self._models[name])
            except NodeError as fault:
                if self.faults().get(name) != str(fault):  # asked every second until it passes, and told once
                    _log.warning("canary failed", model=name, reason=str(fault))
                self._count(name, passed=False)
                self._note(name, str(fault))
            else:
                self._count(name, passed=True)
                self._note(name, "")
            if now is not None:
                with self._lock:
                    self._asked_at[name] = now
        return self.faults()

    def look_for_calibrations(self) -> None:
        """Take up what `models calibrate` wrote, or somebody removed, since the last look."""
        for calibration in self._calibrations.values():
            calibration.look()

    def canaries(self) -> Mapping[tuple[str, bool], int]:
        """Model, whether its canary passed → how often, since this process started."""
        with self._lock:
            return dict(self._canaries)

    def asked_at(self) -> dict[str, datetime]:
        """Model → when its canary was asked last."""
        with self._lock:
            return dict(self._asked_at)

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
        self,
        card: Card,
        slices: NDArray[Any],
        request_id: str,
        still_wanted: StillWanted,
        images: str = "",
        judged: Judged = lambda _: None,
        others: Arrays = MappingProxyType({}),
    ) -> NDArray[Any]:
        """What the model says of native slices (N, H, W), one answer for each: its first output.

        Labels of a segmentation, probabilities of a classification, vectors of an embedding. Of a model with several
        inputs `slices` are the reference's, `others` (N, ...) those of the others by name. Where all inputs' slices are
        of one value they are not sent: the answer is 0, background. `images` is a digest of what the slices are made
        of: heads that share an encoder find its features by it; without it they are computed anew. `judged` is told
        how unlike the usual series these slices are, where the model has a calibration and gives the embedding that
        it takes. Raises ModelUnavailable or ModelFailed, or what `still_wanted` raises.
        """
        model = self._usable(card.name)
        shown = ~blank(slices)
        for other in others.values():
            shown |= ~blank(other)
        first = model.contract.outputs[0]
        if not shown.any():
            return _spread(first, np.zeros((0, 1), np.float32), slices, shown)
        asking = _Asking(self._ask, request_id, still_wanted)
        reference = slices_of(card.reference.name).name if card.reference else SLICES.name
        given: Arrays = {reference: slices[shown]}
        given = {**given, **{slices_of(name).name: other[shown] for name, other in others.items()}}
        if card.shared is not None:
            given = {**given, **self._shared(model, card.shared, given, images, shown, asking)}
        if missing := [tensor.name for tensor in model.contract.inputs if tensor.name not in given]:
            raise ModelFailed(f"{card.name}: the node has no {', '.join(missing)} for it")
        mine = {tensor.name: given[tensor.name] for tensor in model.contract.inputs}
        calibration = self._calibrations[card.name].now
        own = calibration is not None and EMBEDDING not in given and model.gives(EMBEDDING)
        said = asking(model, mine, tuple(dict.fromkeys((first.name, EMBEDDING) if own else (first.name,))))
        vectors = (said if own else given).get(EMBEDDING)  # of a shared head: its encoder's
        if calibration is not None and vectors is not None:
            judged(_judged(card, calibration, vectors))
        return _spread(first, said[first.name], slices, shown)

    def takes_floats(self, card: Card) -> bool:
        """Whether slices are modality values in float32, not whole numbers in uint16."""
        model = self._models.get(card.name)
        return model is not None and model.takes_floats

    def _shared(
        self, head: Model, shared: Shared, given: Arrays, images: str, shown: NDArray[np.bool_], asking: _Asking
    ) -> Arrays:
        """The encoder's features of the slices that are shown, computed once for all heads of these images."""
        encoder = self._usable(shared.encoder)
        outputs = tuple(tensor.name for tensor in encoder.contract.outputs)  # all: another head may need another

        def make() -> Arrays:
            return asking(encoder, given, outputs)

        if not images or self._features is None:
            return make()
        return self._features.get(features_name(encoder.card, images, shown), make, asking.still_wanted)

    def _usable(self, name: str) -> Model:
        with self._lock:
            fault = self._faults.get(name, "")
        if fault:
            raise ModelUnavailable(f"{name} is not ready: {fault}")
        return self._models[name]

    def _ask(
        self, model: Model, given: Arrays, outputs: Sequence[str], request_id: str, still_wanted: StillWanted
    ) -> dict[str, NDArray[Any]]:
        slices = len(next(iter(given.values())))
        try:
            with self._tracing.step("ask", model=model.card.name, model_version=model.card.version, slices=slices):
                return self._client.ask(
                    model.card.name,
                    model.card.version,
                    given,
                    outputs,
                    deadline_s=self._deadline_seconds,
                    request_id=request_id,
                    still_wanted=still_wanted,
                )
        except ModelUnavailable as gone:
            # A server that comes back may be another one: the canary decides again before anything is believed.
            self._note(model.card.name, str(gone))
            raise


@dataclass(frozen=True)
class _Asking:
    """What the requests of one inference have in common."""

    ask: Callable[[Model, Arrays, Sequence[str], str, StillWanted], dict[str, NDArray[Any]]]
    request_id: str
    still_wanted: StillWanted

    def __call__(self, model: Model, given: Arrays, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        return self.ask(model, given, outputs, self.request_id, self.still_wanted)


def _judged(card: Card, calibration: Calibration, vectors: NDArray[Any]) -> Oddity:
    try:
        return replace(calibration.reference.oddity(vectors), calibration=calibration.sha256)
    except ValueError as unlike:
        raise ModelFailed(f"{card.name}: {unlike}") from unlike


def blank(slices: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the slices (N, H, W) hold one value only."""
    return np.asarray(slices.min((1, 2)) == slices.max((1, 2)), np.bool_)


def _spread(output: Tensor, answers: NDArray[Any], slices: NDArray[Any], shown: NDArray[np.bool_]) -> NDArray[Any]:
    """Answers of the slices that were shown, with 0 for the others. Raises ModelFailed for what is no such answer."""
    labels = output.name == LABELS.name
    wanted = slices.shape[1:] if labels else output.dims
    kind = np.uint8 if labels else np.float32
    if len(answers) and (answers.shape[1:] != tuple(wanted) or answers.dtype != kind):
        raise ModelFailed(f"{output.name} must be {np.dtype(kind)} {wanted}, not {answers.dtype} {answers.shape[1:]}")
    whole = np.zeros((len(slices), *wanted), kind)
    if len(answers):
        whole[shown] = answers
    return whole
