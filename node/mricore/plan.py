"""A TensorRT plan from a model folder, built by the trtexec of the container that will serve it. Needs no torch.

A plan fits one release of TensorRT and one class of GPU: it is built where it is served and never committed. With
half precision, only what costs time is computed in it: convolutions, linear layers and attention's products. All else
stays in float32: raw intensities reach 65535, which a half cannot hold, and the norms and softmax lose too much.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from node.adapters.triton import Model
from node.adapters.triton.contract import SLICES
from node.errors import BadConfiguration, ModelFailed
from node.mricore.served import BUILT, PLAN

TIMING_CACHE = "timing.cache"  # beside the plan: the next build of the same network takes a fraction of the time
_VERSION = re.compile(r"TensorRT version: ([\d.]+)|\[TensorRT v(\d+)\]")
_GPU = re.compile(r"(?:Selected Device|Device): (.+)")
_HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_TRITON = "TRITON_SERVER_VERSION"  # what NVIDIA's container says of the server in it


@dataclass(frozen=True)
class Order:
    """What plan is wanted."""

    usual: tuple[int, int]  # rows and columns to be best at
    largest: int  # rows and columns at most
    fp16: bool = False


def found(trtexec: str) -> str:
    """The path of trtexec. Raises BadConfiguration where it is not installed."""
    path = shutil.which(trtexec)
    if path is None:
        raise BadConfiguration(
            trtexec,
            "is not on this machine",
            "Build where the plan is served: in NVIDIA's tritonserver container, on its GPU. "
            "Without a GPU no plan is needed: serve the CPU flavour",
        )
    return path


def command(trtexec: str, model: Model, work: Path, order: Order) -> list[str]:
    """trtexec's arguments: from one slice of 32 x 32 to a whole batch of the largest, at its best at the usual size."""
    most, (rows, columns), largest = model.contract.max_batch_size, order.usual, order.largest
    onnx_file = model.folder / model.card.weights.file
    return [
        trtexec,
        f"--onnx={onnx_file}",
        f"--saveEngine={work / PLAN}",
        f"--minShapes={_shapes(model, 1, 32, 32)}",
        f"--optShapes={_shapes(model, max(1, most // 2), rows, columns)}",
        f"--maxShapes={_shapes(model, most, largest, largest)}",
        f"--timingCacheFile={work.parent / TIMING_CACHE}",
        "--skipInference",
        *(_half(onnx_file) if order.fp16 else ()),
    ]


def _shapes(model: Model, batch: int, rows: int, columns: int) -> str:
    """Of every input: only slices have free rows and columns."""
    return ",".join(
        f"{tensor.name}:"
        + "x".join(map(str, (batch, *((rows, columns) if tensor.dims == SLICES.dims else tensor.dims))))
        for tensor in model.contract.inputs
    )


def _half(onnx_file: Path) -> tuple[str, ...]:
    layers = ",".join(f"{name}:fp16" for name in heavy_layers(onnx_file))
    return ("--fp16", "--precisionConstraints=obey", f"--layerPrecisions=*:fp32,{layers}")


def heavy_layers(onnx_file: Path) -> list[str]:
    """The layers that may be computed in half precision, by name.

    Those whose inputs are weights or come from the network itself: not what looks at raw intensities before the first
    convolution, and not the matrices that resize.
    """
    try:
        onnx = importlib.import_module("onnx")
    except ModuleNotFoundError as absent:
        raise BadConfiguration("--fp16", "needs onnx, which is not installed", "pip install onnx") from absent
    graph = onnx.load(onnx_file, load_external_data=False).graph
    fixed = {each.name for each in graph.initializer}
    inside: set[str] = set()
    names: list[str] = []
    for node in graph.node:
        given = [each for each in node.input if each and each not in fixed]
        if node.op_type == "Constant":
            fixed.update(node.output)
        elif node.op_type == "Conv" or any(each in inside for each in given):
            inside.update(node.output)
            if node.op_type in _HEAVY and (node.op_type == "Conv" or all(each in inside for each in given)):
                names.append(node.name)
    return names


def build(model: Model, trtexec: str, order: Order, say: Callable[[str], None]) -> str:
    """Build the plan and record what it was built from and on. Raises BadConfiguration or ModelFailed."""
    folder = model.folder / model.card.version
    work = folder / ".building"
    work.mkdir(exist_ok=True)
    try:
        output = _run(command(found(trtexec), model, work, order), say)
        if not (work / PLAN).is_file():
            raise ModelFailed("trtexec ended without a plan")
        version, gpu = _VERSION.search(output), _GPU.search(output)
        built = {
            "weights_sha256": model.card.weights.sha256,
            "tensorrt": (version[1] or version[2]) if version else "unknown",
            "gpu": gpu[1].strip() if gpu else "unknown",
            "triton": os.environ.get(_TRITON, "unknown"),
            "precision": "fp16" if order.fp16 else "tf32",
            "usual": list(order.usual),
            "largest": order.largest,
            "max_batch_size": model.contract.max_batch_size,
        }
        (work / BUILT).write_text(json.dumps(built, indent=2), encoding="utf-8")
        (folder / BUILT).unlink(missing_ok=True)  # a plan without its record is refused, the reverse could not be
        (work / PLAN).replace(folder / PLAN)
        (work / BUILT).replace(folder / BUILT)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return f"TensorRT {built['tensorrt']} on {built['gpu']}"


def _run(arguments: list[str], say: Callable[[str], None]) -> str:
    """Run trtexec; its lines are passed on as they come. Raises ModelFailed with its last error."""
    say(" ".join(arguments))
    lines: list[str] = []
    try:
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            for line in process.stdout or ():
                lines.append(line)
                say(line.rstrip())
    except OSError as fault:
        raise BadConfiguration(arguments[0], f"cannot be run: {fault.strerror}") from fault
    if process.returncode:
        wrong = [line.strip() for line in lines if "[E]" in line] or [f"exit status {process.returncode}"]
        raise ModelFailed(f"trtexec built no plan: {wrong[-1]}")
    return "".join(lines)
