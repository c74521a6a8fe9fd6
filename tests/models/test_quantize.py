"""8-bit linear layers: the same graph outside, nearly the same labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("torch", reason="needs the extra `models`")
pytest.importorskip("onnx", reason="needs the extra `models`")

from node.adapters.triton import canary, read_model
from node.mricore.quantize import VNNI, processor_flags, quantize
from node.mricore.training.evaluate import dice
from tests.triton_fixture import MODEL, REPOSITORY


def test_the_demonstration_model_keeps_its_labels_in_eight_bits(tmp_path: Path) -> None:
    model, made = read_model(REPOSITORY / MODEL), tmp_path / "int8.onnx"
    quantize(model.folder / model.card.weights.file, made)
    assert made.stat().st_size < 0.75 * (model.folder / model.card.weights.file).stat().st_size
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    (labels,) = session.run(["labels"], {"slices": canary.slices().astype(np.int32)})
    for bit in range(len(model.card.segments)):
        assert dice(labels >> bit & 1 == 1, model.canary >> bit & 1 == 1) > 0.995


def test_processors_without_vnni_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\nprocessor\t: 1\nflags\t\t: fpu\n"
    )
    assert processor_flags(tmp_path / "cpuinfo") & VNNI == {"avx512_vnni"}
    assert not processor_flags(tmp_path / "absent")
