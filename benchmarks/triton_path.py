"""What the way through Triton costs a series: the node's client and an embedded server beside ONNX Runtime alone.

    python -m benchmarks.triton_path [--slices 32] [--size 256] [--calls 20]

Both run the demonstration model with two threads and take turns. Wall time is that of the two calls of one turn; on a
machine that others use, the processor time of everybody who took part (this process, the server, its model process)
is the steadier figure, and both are printed. `mricore-node models bench` shows the ways of one batch besides.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import psutil

from node.adapters.triton import EmbeddedTriton, TritonClient, read_model
from node.core import phantom

MODEL = Path(__file__).parents[1] / "triton_models" / "mri_core_head"
AT_ONCE = 16  # slices that the CPU flavour computes together
THREADS = 2


def processor_seconds(processes: Sequence[psutil.Process]) -> float:
    """Used so far by all of them."""
    return sum(sum(each.cpu_times()[:2]) for each in processes)


def timed(call: Callable[[], object], processes: Sequence[psutil.Process]) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    used, begun = processor_seconds(processes), time.perf_counter()
    call()
    return time.perf_counter() - begun, processor_seconds(processes) - used


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--slices", type=int, default=32)
    asked.add_argument("--size", type=int, default=256)
    asked.add_argument("--calls", type=int, default=20)
    options = asked.parse_args()
    grid = phantom.Grid(slices=options.slices, rows=options.size, columns=options.size, slice_spacing=4.0)
    series, model = phantom.voxels(grid, seed=5).array, read_model(MODEL)
    sessions = onnxruntime.SessionOptions()
    sessions.intra_op_num_threads, sessions.inter_op_num_threads = THREADS, 1
    sessions.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(MODEL / model.card.weights.file, sessions, ["CPUExecutionProvider"])

    def direct() -> np.ndarray:
        wide = series.astype(np.int32)
        parts = [session.run(["labels"], {"slices": wide[n : n + AT_ONCE]})[0] for n in range(0, len(wide), AT_ONCE)]
        return np.concatenate(parts)

    with (
        tempfile.TemporaryDirectory() as work,
        EmbeddedTriton(MODEL.parent, Path(work), models=[MODEL.name]) as server,
        TritonClient(server.url, token=server.token) as client,
    ):
        processes = [psutil.Process(), psutil.Process(server.pid)]
        processes += processes[1].children(recursive=True)

        def through_triton() -> np.ndarray:
            return client.infer(model.card.name, model.card.version, series)

        differ = float((direct() != through_triton()).mean())
        assert differ < 1e-4, f"{differ:.2%} of the labels differ"
        turns = []
        for _ in range(options.calls):
            turns.append((timed(direct, processes), timed(through_triton, processes)))
    for name, which in (("wall", 0), ("processor", 1)):
        alone, through = ([turn[way][which] for turn in turns] for way in (0, 1))
        each = statistics.median(b / a for a, b in zip(alone, through, strict=True))
        print(
            f"{name:10} direct {statistics.median(alone):.3f} s (least {min(alone):.3f}), through Triton "
            f"{statistics.median(through):.3f} s (least {min(through):.3f}); of the medians "
            f"{statistics.median(through) / statistics.median(alone) - 1:+.1%}, of the turns {each - 1:+.1%}, "
            f"of the least {min(through) / min(alone) - 1:+.1%}"
        )


if __name__ == "__main__":
    main()
