"""ViT-B's encoder on one NVIDIA GPU: official-style eager, ours, compiled, in a CUDA graph; fp32, fp16 and bf16.

    python -m benchmarks.gpu [--sizes 224 512 1024] [--batches 1 2 4 8 16 32] [--calls 30]
    python -m benchmarks.gpu --cpu --tiny      the whole path on a processor, with a toy network: for tests

Each way is first compared with the official style in fp32 (relative error of the embedding), then timed by device
events; the median counts. The roofline is a time that no program can beat on this very card: for each size, the
greater of the products at the rate of the fastest large matrix product measured here, and the weights and tokens at
the rate of the fastest large copy. A way that runs out of memory is left out and said.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmarks.official_style import OfficialStyle
from node.mricore.config import NetworkConfig
from node.mricore.encoder import ImageEncoder

TINY = NetworkConfig(width=48, depth=3, heads=3, global_blocks=(2,), embedding=32)
TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
Call = Callable[[], Tensor]


@dataclass(frozen=True)
class Ceilings:
    """What the device reached on large, simple work."""

    flops: dict[str, float]  # a second, by type
    bytes_: float  # a second, read and written


@dataclass(frozen=True)
class Device:
    """Where it runs, and how time is taken there."""

    name: str  # cuda or cpu

    def seconds(self, call: Call, calls: int) -> float:
        """The median call, after three that do not count."""
        for _ in range(3):
            call()
        taken = []
        for _ in range(calls):
            if self.name == "cpu":
                begun = time.perf_counter()
                call()
                taken.append(time.perf_counter() - begun)
                continue
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            call()
            end.record()
            end.synchronize()
            taken.append(start.elapsed_time(end) / 1000)
        return statistics.median(taken)


def ceilings(device: Device, side: int, calls: int) -> Ceilings:
    """Square matrix products in each type, and a copy."""
    flops = {}
    for name, kind in TYPES.items():
        one = torch.randn(side, side, device=device.name).to(kind)
        flops[name] = 2 * side**3 / device.seconds(lambda one=one: one @ one, calls)  # type: ignore[misc]
    source = torch.empty(16 * side * side, dtype=torch.uint8, device=device.name)
    target = torch.empty_like(source)
    return Ceilings(flops, 2 * source.numel() / device.seconds(lambda: target.copy_(source), calls))


def work(config: NetworkConfig, batch: int, kind: torch.dtype) -> tuple[float, float]:
    """Operations (2 a multiply-add) of the products on real tokens, and bytes that must move once: weights, image."""
    tokens, width = config.grid**2, config.width
    a_token = 2 * width * width * 12  # qkv, projection and both layers of the perceptron
    seen = sum(
        tokens if number in config.global_blocks else min(tokens, config.window**2) for number in range(config.depth)
    )
    attention = 4 * width * tokens * seen
    ends = 2 * tokens * (width * 3 * 256 + width * config.embedding + 9 * config.embedding**2)
    weights = sum(each.numel() for each in _meta(config).parameters())
    moved = weights + batch * (3 * config.image_size**2 + tokens * config.embedding)
    return float(batch * (config.depth * tokens * a_token + attention + ends)), float(moved * kind.itemsize)


def _meta(config: NetworkConfig) -> nn.Module:
    with torch.device("meta"):
        return ImageEncoder(config)


def ways(
    config: NetworkConfig, image: Tensor, device: Device, *, compile_: bool
) -> Iterator[tuple[str, str, Callable[[], Call]]]:
    """Name, type and what makes the call: making may take memory and time, and fail."""
    torch.manual_seed(0)
    ours = ImageEncoder(config).eval().requires_grad_(False).to(device.name)
    nn.init.normal_(ours.pos_embed, std=0.1)
    official = OfficialStyle(config).eval().requires_grad_(False).to(device.name)
    state = {key: tensor.clone() for key, tensor in ours.state_dict().items()}
    for name, kind in TYPES.items():
        given = image.to(kind)
        for model in (official, ours):
            model.float().load_state_dict(state)
            model.to(kind)

        def eager(model: nn.Module, given: Tensor = given) -> Call:
            return lambda: model(given)

        yield "official style, eager", name, lambda: eager(official)
        yield "ours, eager", name, lambda: eager(ours)
        if compile_:
            yield "ours, compiled", name, lambda: eager(torch.compile(ours))
        if device.name == "cuda":
            yield "ours, CUDA graph", name, lambda given=given: _graph(ours, given)  # type: ignore[misc]


def _graph(model: nn.Module, given: Tensor) -> Call:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            model(given)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out: Tensor = model(given)

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay


def measure(config: NetworkConfig, batch: int, device: Device, best: Ceilings, calls: int, *, compile_: bool) -> None:
    """The rows of one size and batch."""
    shape = (batch, 3, config.image_size, config.image_size)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(7)).to(device.name)
    exact: Tensor | None = None
    for name, kind, make in ways(config, image, device, compile_=compile_):
        row = f"| {config.image_size} | {batch} | {name} | {kind} |"
        try:
            call = make()
            found = call().float()
            seconds = device.seconds(call, calls)
        except torch.OutOfMemoryError:
            print(f"{row} out of memory | | | |")
            continue
        exact = found.clone() if exact is None else exact
        error = float((found - exact).norm() / exact.norm())
        operations, moved = work(config, batch, TYPES[kind])
        least = max(operations / best.flops[kind], moved / best.bytes_)
        print(f"{row} {error:.1e} | {1000 * seconds:.2f} | {batch / seconds:.1f} | {seconds / least:.2f} |", flush=True)


def main() -> int:
    """Measure and print a table; 2 without a GPU."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sizes", type=int, nargs="+", default=[224, 512, 1024])
    asked.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    asked.add_argument("--calls", type=int, default=30)
    asked.add_argument("--no-compile", action="store_true", help="leave torch.compile out: it takes minutes")
    asked.add_argument("--cpu", action="store_true", help="on the processor: only to try the path")
    asked.add_argument("--tiny", action="store_true", help="a toy network, one small size, two batches, three calls")
    options = asked.parse_args()
    if not options.cpu and not torch.cuda.is_available():
        print("no NVIDIA GPU is visible to torch; nothing was measured (--cpu --tiny tries the path)", file=sys.stderr)
        return 2
    if options.tiny:
        options.sizes, options.batches, options.calls, options.no_compile = [64], [1, 2], 3, True
    device = Device("cpu" if options.cpu else "cuda")
    with torch.inference_mode():
        best = ceilings(device, 256 if options.tiny else 8192, options.calls)
        print("device: " + ("processor" if options.cpu else torch.cuda.get_device_name()))
        rates = ", ".join(f"{name} {rate / 1e12:.2f} TFLOP/s" for name, rate in best.flops.items())
        print(f"measured ceilings: {rates}, copy {best.bytes_ / 1e9:.0f} GB/s\n")
        print("| px | batch | way | type | relative error | median, ms | images/s | times the roofline |")
        print("|---|---|---|---|---|---|---|---|")
        for size in options.sizes:
            config = replace(TINY if options.tiny else NetworkConfig(), image_size=size)
            for batch in options.batches:
                measure(config, batch, device, best, options.calls, compile_=not options.no_compile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
