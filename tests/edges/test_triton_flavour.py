"""The CPU flavour's model.py stops between two batches of slices once nobody waits for any of its requests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.triton_fixture import MODEL, REPOSITORY

SLICES = np.arange(6 * 4, dtype=np.int32).reshape(6, 2, 2)


@dataclass
class Session:
    """Stands for ONNX Runtime: labels are the slices; it remembers how many it was shown."""

    shown: int = 0

    def run(self, names: list[str], given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.shown += len(given["slices"])
        return [given["slices"] for _ in names]


@dataclass
class Request:
    """Stands for a request of Triton's."""

    is_cancelled: Callable[[], bool]


@pytest.fixture
def flavour(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The model of the file that is served, beside a session that only counts. Triton's module is the server's own."""
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", ModuleType("triton_python_backend_utils"))
    scope: dict[str, Any] = {}
    exec((REPOSITORY / MODEL / "1" / "model.py").read_text(), scope)  # noqa: S102 # no package: Triton runs the file
    model = scope["TritonPythonModel"]()
    model.takes, model.gives, model.most, model.session = ["slices"], ["labels"], 2, Session()
    return model


def test_what_somebody_waits_for_is_worked_out_whole(flavour: Any) -> None:
    (labels,) = flavour.answer(["labels"], [SLICES], [Request(lambda: True), Request(lambda: False)])
    assert np.array_equal(labels, SLICES)


def test_it_stops_when_the_last_one_has_left(flavour: Any) -> None:
    left = Request(lambda: flavour.session.shown >= 2)
    assert flavour.answer(["labels"], [SLICES], [left, left]) is None
    assert flavour.session.shown == 2
