"""The training loop: seeded by step, so that an interrupted run goes on as if it had not been."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from node.mricore.checkpoint import contents
from node.mricore.network import Network
from node.mricore.segmenter import Segmenter, normalise
from node.mricore.training.augment import moved, relit
from node.mricore.training.sources import Slices


@dataclass(frozen=True)
class Plan:
    """How to train."""

    steps: int = 2700
    restart: int = 1800  # the step at which the rate rises once more
    batch: int = 8
    rate: float = 7e-4
    decay: float = 0.05
    warm_up: int = 100
    seed: int = 20
    keep_every: int = 100  # steps between checkpoints

    def rate_at(self, step: int) -> float:
        """Linear warm-up, half a cosine to zero, and from `restart` on another half from 0.6 of the rate."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        if step < self.restart:
            return self.rate * _fall((step - self.warm_up) / (self.restart - self.warm_up))
        return 0.6 * self.rate * _fall((step - self.restart) / (self.steps - self.restart))


def _fall(done: float) -> float:
    """Half a cosine from 1 to 0 as `done` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * done))


def start(network: Network, seed: int) -> None:
    """Initial weights: truncated normals for the projections, as vision transformers are begun."""
    generator = torch.Generator().manual_seed(seed)
    for name, weights in network.named_parameters():
        if weights.ndim == 2 or "pos_embed" in name:
            torch.nn.init.trunc_normal_(weights, std=0.02 if "image_encoder" in name else 0.05, generator=generator)
        elif weights.ndim == 4:
            torch.nn.init.kaiming_normal_(weights, nonlinearity="linear", generator=generator)
        elif name.endswith("bias"):
            torch.nn.init.zeros_(weights)
    matrix = network.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    matrix.copy_(torch.randn(matrix.shape, generator=generator))


def batch_of(sources: Sequence[Slices], plan: Plan, step: int, size: int) -> tuple[Tensor, Tensor]:
    """The augmented batch of one step: each source in turn, a random slice of it."""
    generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
    images, truths = [], []
    for number in range(plan.batch):
        source = sources[(step * plan.batch + number) % len(sources)]
        chosen = int(torch.randint(len(source.image), (1,), generator=generator))
        images.append(source.image[chosen])
        truths.append(source.truth[chosen])
    image, _ = normalise(torch.stack(images)[:, 0], size)
    image, truth = moved(image, torch.stack(truths), generator)
    image, _ = normalise(relit(image, generator)[:, 0] * 1000, size)
    return image, truth


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy and one minus the soft Dice of each channel over the batch."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    marked = logits.sigmoid()
    both = (marked * truth).sum((0, 2, 3))
    dice = (2 * both + 1) / (marked.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
    return entropy + (1 - dice).mean()


def train(
    segmenter: Segmenter,
    sources: Sequence[Slices],
    plan: Plan,
    folder: Path,
    say: Callable[[str], None],
    *,
    stop_after: int | None = None,
) -> None:
    """Train in place; checkpoints go to `folder`, and a run that finds one goes on from it.

    `stop_after` ends the run early, after that many steps of the plan.
    """
    optimizer = torch.optim.AdamW(segmenter.parameters(), lr=plan.rate, weight_decay=plan.decay)
    first = _resume(segmenter, optimizer, folder / "checkpoint.pt", plan)
    begun, losses = time.monotonic(), deque[float](maxlen=50)
    segmenter.train()
    for step in range(first, plan.steps if stop_after is None else stop_after):
        losses.append(_step(segmenter, optimizer, sources, plan, step))
        if (step + 1) % 50 == 0:
            pace = (time.monotonic() - begun) / (step + 1 - first)
            say(_progress(step + 1, plan.steps, sum(losses) / len(losses), pace))
        if (step + 1) % plan.keep_every == 0 or step + 1 == plan.steps:
            _keep(segmenter, optimizer, folder / "checkpoint.pt", step + 1)
    segmenter.eval()


def _step(
    segmenter: Segmenter, optimizer: torch.optim.Optimizer, sources: Sequence[Slices], plan: Plan, step: int
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = plan.rate_at(step)
    image, truth = batch_of(sources, plan, step, segmenter.network.config.image_size)
    loss = loss_of(segmenter.logits(image), truth)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(segmenter.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def _progress(done: int, steps: int, loss: float, seconds_a_step: float) -> str:
    left = seconds_a_step * (steps - done) / 60
    return f"step {done:5d} of {steps}  loss {loss:.3f}  {seconds_a_step:.2f} s a step, {left:4.1f} min to go"


def _keep(segmenter: Segmenter, optimizer: torch.optim.Optimizer, path: Path, steps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    kept = {**contents(segmenter.network), "steps": steps, "optimizer": optimizer.state_dict()}
    torch.save(kept, part)
    part.replace(path)


def _resume(segmenter: Segmenter, optimizer: torch.optim.Optimizer, path: Path, plan: Plan) -> int:
    if not path.exists():
        start(segmenter.network, plan.seed)
        return 0
    kept = torch.load(path, weights_only=True)
    segmenter.network.load_state_dict(kept["network"])
    optimizer.load_state_dict(kept["optimizer"])
    return int(kept["steps"])
