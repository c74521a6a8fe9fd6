"""ViT-B's encoder on this machine's processor: ours, as served, beside official-style eager code, interleaved.

    python -m benchmarks.cpu_encoder [--size 512] [--rounds 7] [--threads 2] [--data FOLDER]

All compute with one set of invented weights, and each answer is first compared with the official style's. Then the
demonstration model is quantised in the same way and both of its forms are evaluated: 8 bits are worth nothing if the
Dice coefficient pays for them. `--data` holds the folders mr and seg of the series that the demonstration was
evaluated on; without it there is the phantom alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.official_style import OfficialStyle
from node.core import phantom
from node.mricore import invented
from node.mricore.config import NetworkConfig
from node.mricore.encoder import ImageEncoder
from node.mricore.export import OPSET
from node.mricore.quantize import VNNI, processor_flags, quantize
from node.mricore.segmenter import Segmenter
from node.mricore.training.evaluate import dice, evaluate

DEMONSTRATION = Path(__file__).parents[1] / "triton_models" / "mri_core_head" / "1" / "model.onnx"
Way = Callable[[], NDArray[np.float32]]


def weights(config: NetworkConfig) -> dict[str, Tensor]:
    """Invented weights of the encoder, without adapters."""
    encoder = ImageEncoder(config).state_dict()
    made = invented.state(config.image_size, 1)
    return {key: made[f"image_encoder.{key}"] for key in encoder}


def session(onnx: Path, threads: int) -> onnxruntime.InferenceSession:
    """As the CPU flavour's model.py opens it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])


def write_onnx(encoder: ImageEncoder, size: int, path: Path) -> None:
    """The encoder as the segmenter's export writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            encoder,
            (torch.rand(2, 3, size, size),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["embedding"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            verbose=False,
        )
        cast("torch.onnx.ONNXProgram", program).save(path)


def ways(size: int, threads: int, folder: Path) -> dict[str, Way]:
    """Name → one pass over one image; the first is the baseline."""
    config = NetworkConfig(image_size=size)
    state = weights(config)
    official, ours = OfficialStyle(config).eval(), ImageEncoder(config).eval()
    official.load_state_dict(state)
    ours.load_state_dict(state)
    write_onnx(ours, size, folder / "float.onnx")
    quantize(folder / "float.onnx", folder / "int8.onnx")
    float32, int8 = session(folder / "float.onnx", threads), session(folder / "int8.onnx", threads)
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(7))
    sent = {"image": image.numpy()}
    found: dict[str, Way] = {
        "official style, torch eager": lambda: official(image).numpy(),
        "ours, torch eager": lambda: ours(image).numpy(),
        "ours, ONNX Runtime (as served)": lambda: float32.run(None, sent)[0],
        "ours, ONNX Runtime int8": lambda: int8.run(None, sent)[0],
    }
    if processor_flags() & {"avx512_bf16", "amx_bf16"}:
        half = ImageEncoder(config).eval()
        half.load_state_dict(state)
        half.to(torch.bfloat16)
        found["ours, torch bfloat16"] = lambda: half(image.bfloat16()).float().numpy()
    return found


def measure(among: dict[str, Way], rounds: int) -> None:
    """Compare, then take turns, then print."""
    with torch.inference_mode():
        wanted, *_ = (way() for way in among.values())
        errors = {name: np.linalg.norm(way() - wanted) / np.linalg.norm(wanted) for name, way in among.items()}
        seconds: dict[str, list[float]] = {name: [] for name in among}
        for _ in range(rounds):
            for name, way in among.items():
                begin = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    baseline = next(iter(medians.values()))
    print("| way | relative difference | median, s | least to most, s | faster by |\n|---|---|---|---|---|")
    for name, taken in seconds.items():
        spread = f"{min(taken):.2f} to {max(taken):.2f}"
        print(f"| {name} | {errors[name]:.1e} | {medians[name]:.2f} | {spread} | {baseline / medians[name]:.2f} x |")


@dataclass(frozen=True)
class Asked:
    """A session with a segmenter's manners."""

    session: onnxruntime.InferenceSession

    def __call__(self, slices: Tensor) -> Tensor:
        return torch.from_numpy(self.session.run(["labels"], {"slices": slices.numpy()})[0])


def dice_loss(threads: int, data: Path | None, folder: Path) -> None:
    """What 8 bits cost the demonstration model, row by row."""
    quantize(DEMONSTRATION, folder / "demonstration.int8.onnx")
    forms = [Asked(session(path, threads)) for path in (DEMONSTRATION, folder / "demonstration.int8.onnx")]
    made = phantom.voxels(seed=1)
    slices = torch.from_numpy(made.array.astype(np.int32))
    answers = [form(slices).numpy() for form in forms]
    print("\n| demonstration model on | segment | Dice, float32 | Dice, int8 | loss |\n|---|---|---|---|---|")
    for bit, (label, truth) in enumerate((("head", made.head), ("brain", made.brain))):
        one, other = (dice(answer >> bit & 1 == 1, truth) for answer in answers)
        print(f"| phantom | {label} | {one:.4f} | {other:.4f} | {one - other:+.4f} |")
    if data is None:
        return
    for full, small in zip(*(evaluate(cast("Segmenter", form), data) for form in forms), strict=True):
        for label in ("head", "brain"):
            one, other = getattr(full, label), getattr(small, label)
            if one is not None and not full.series.startswith("phantom"):
                print(f"| {full.series} | {label} | {one:.4f} | {other:.4f} | {one - other:+.4f} |")


def main() -> None:
    """Measure and print two tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--size", type=int, default=512, help="pixels of a side")
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--threads", type=int, default=2)
    asked.add_argument("--data", type=Path)
    options = asked.parse_args()
    torch.set_num_threads(options.threads)
    flags = processor_flags()
    print(f"8-bit products in hardware: {', '.join(sorted(flags & VNNI)) or 'no, int8 is not worth while here'}")
    with tempfile.TemporaryDirectory() as folder:
        measure(ways(options.size, options.threads, Path(folder)), options.rounds)
        dice_loss(options.threads, options.data, Path(folder))


if __name__ == "__main__":
    main()
