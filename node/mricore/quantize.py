"""A graph for the CPU whose linear layers compute in 8 bits: ONNX Runtime's dynamic quantisation.

Weights are int8 with one scale per output channel, activations uint8 with a scale found at each call. Convolutions,
norms, softmax and the whole preparation of a slice stay float32. On processors without VNNI (or AMX) products of
uint8 and int8 may saturate in 16 bits: there it is neither quick nor exact, and the canary decides.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic

VNNI = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})  # of /proc/cpuinfo


def quantize(onnx: Path, to: Path) -> None:
    """Write the graph of `onnx` with 8-bit linear layers to `to`; same inputs, same outputs."""
    with _quiet():
        quantize_dynamic(onnx, to, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)


def processor_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What the processor says it can do; empty where the system does not tell."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without ONNX Runtime's advice to preprocess: the graph is already simplified."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
