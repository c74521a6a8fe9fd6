"""A model of two series, in a folder as `models export` makes them: bright in the one, bright in the other.

It knows nothing of heads. What it marks can be told from its inputs alone, and an input that was mistaken for the other
shows.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime

from node.adapters.triton import Model, canary, read_model
from node.adapters.triton.contract import LABELS, slices_of
from node.mricore.flavours import MODEL_PY, Serving, cpu, production

NAME = "two_contrasts"
RULE = """name: both
when: {Modality: MR, series.orientation: axial, series.slices: {at_least: 4}}
needs:
  t1: {SeriesDescription: {contains: t1}}
  flair: {SeriesDescription: {contains: flair}}
within: 4 h
else: hold
on_unknown: no-match
then: [{infer: two_contrasts}, {deliver: [out]}]
"""
BRIGHT = 500  # above it a voxel counts; the second input's border is twice as high

CARD = """\
name: two_contrasts
version: '1'
title: Bright in T1, bright in FLAIR (test)
intended_use: Tests of models that take several series. Not for clinical use.
limits: It marks what is bright.
kind: segmentation
inputs:
  - name: t1
    reference: true
    modality: [MR]
    orientation: [axial]
    slices: {at_least: 4, at_most: 512}
    body_parts: []
    intensity: as stored
  - name: flair
    brought: BROUGHT
    outside: 0
    covers_at_least: 0.5
    modality: [MR]
    orientation: [axial]
    slices: {at_least: 4, at_most: 512}
    body_parts: []
    intensity: as stored
output:
  encoding: bits
  segments:
    - number: 1
      label: Bright in T1
      category: {value: '123037004', scheme: SCT, meaning: Anatomical Structure}
      type: {value: '69536005', scheme: SCT, meaning: Head}
      color: [75.0, 10.0, 55.0]
    - number: 2
      label: Bright in FLAIR
      category: {value: '123037004', scheme: SCT, meaning: Anatomical Structure}
      type: {value: '12738006', scheme: SCT, meaning: Brain}
      color: [60.0, 55.0, 10.0]
weights:
  file: 1/model.onnx
  sha256: WEIGHTS
  origin: two thresholds
  licence: Apache-2.0
  parameters: 2
algorithm_family: {value: '123110', scheme: DCM, meaning: Artificial Intelligence}
canary:
  sha256: CANARY
"""
TAKES = (slices_of("t1"), slices_of("flair"))


def model_folder(repository: Path, brought: str = "resampled") -> Model:
    """Write the model below a repository, and read it as the node does."""
    folder = repository / NAME
    (folder / "1").mkdir(parents=True)
    (folder / "configs").mkdir()
    (folder / "1" / "model.py").write_text(MODEL_PY)
    weights = _weights()
    (folder / "1" / "model.onnx").write_bytes(weights)
    given = {tensor.name: canary.slices(number).astype(np.int32) for number, tensor in enumerate(TAKES)}
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    np.savez(folder / "canary.npz", labels=session.run(["labels"], given)[0])
    card = CARD.replace("BROUGHT", brought).replace("WEIGHTS", hashlib.sha256(weights).hexdigest())
    card = card.replace("CANARY", hashlib.sha256((folder / "canary.npz").read_bytes()).hexdigest())
    (folder / "card.yaml").write_text(card)
    serving = Serving(NAME, hashlib.sha256(card.encode()).hexdigest(), 16, 16, TAKES, (LABELS,), threads=1)
    (folder / "config.pbtxt").write_text(production(serving))
    (folder / "configs" / "cpu.pbtxt").write_text(cpu(serving))
    return read_model(folder)


def _weights() -> bytes:
    from onnx import TensorProto, helper  # of the extra `models`

    dims = ["n", "rows", "columns"]
    marks = [
        helper.make_node("Greater", ["slices_t1", "low"], ["in_t1"]),
        helper.make_node("Greater", ["slices_flair", "high"], ["in_flair"]),
        helper.make_node("Cast", ["in_t1"], ["one"], to=TensorProto.UINT8),
        helper.make_node("Cast", ["in_flair"], ["other"], to=TensorProto.UINT8),
        helper.make_node("Mul", ["other", "two"], ["second"]),
        helper.make_node("Add", ["one", "second"], ["labels"]),
    ]
    graph = helper.make_graph(
        marks,
        NAME,
        [helper.make_tensor_value_info(tensor.name, TensorProto.INT32, dims) for tensor in TAKES],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, dims)],
        [
            helper.make_tensor("low", TensorProto.INT32, [], [BRIGHT]),
            helper.make_tensor("high", TensorProto.INT32, [], [2 * BRIGHT]),
            helper.make_tensor("two", TensorProto.UINT8, [], [2]),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content
