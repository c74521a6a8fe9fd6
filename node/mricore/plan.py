"""A TensorRT plan from a model folder, built by the trtexec of the container that will serve it. Needs no torch.

A plan fits one release of TensorRT and one class of GPU: it is built where it is served and never committed. TF32, not
fp16: raw intensities of a slice reach 65535 and would overflow a half.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from node.adapters.triton import Model
from node.errors import BadConfiguration, ModelFailed
from node.mricore.served import BUILT, PLAN

_VERSION = re.compile(r"TensorRT version: ([\d.]+)|\[TensorRT v(\d+)\]")
_GPU = re.compile(r"(?:Selected Device|Device): (.+)")


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


def command(trtexec: str, model: Model, work: Path, usual: tuple[int, int], largest: int) -> list[str]:
    """trtexec's arguments: from one slice of 32 x 32 to a whole batch of `largest` squared, at its best at `usual`."""
    most = model.contract.max_batch_size
    rows, columns = usual
    return [
        trtexec,
        f"--onnx={model.folder / model.card.weights.file}",
        f"--saveEngine={work / PLAN}",
        "--minShapes=slices:1x32x32",
        f"--optShapes=slices:{max(1, most // 2)}x{rows}x{columns}",
        f"--maxShapes=slices:{most}x{largest}x{largest}",
        f"--timingCacheFile={work / 'timing.cache'}",
        "--skipInference",
    ]


def build(model: Model, trtexec: str, usual: tuple[int, int], largest: int, say: Callable[[str], None]) -> str:
    """Build the plan and record what it was built from and on. Raises BadConfiguration or ModelFailed."""
    folder = model.folder / model.card.version
    work = folder / ".building"
    work.mkdir(exist_ok=True)
    try:
        output = _run(command(found(trtexec), model, work, usual, largest), say)
        if not (work / PLAN).is_file():
            raise ModelFailed("trtexec ended without a plan")
        version, gpu = _VERSION.search(output), _GPU.search(output)
        built = {
            "weights_sha256": model.card.weights.sha256,
            "tensorrt": (version[1] or version[2]) if version else "unknown",
            "gpu": gpu[1].strip() if gpu else "unknown",
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
