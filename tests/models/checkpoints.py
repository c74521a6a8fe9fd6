"""Checkpoint files of invented weights: the layouts that are reported or listed, at full size and at a small one."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from node.mricore.config import NetworkConfig

GOLDEN = Path(__file__).parents[3] / "shared" / "data" / "golden"

SMALL = NetworkConfig(
    image_size=64,
    classes=2,
    width=48,
    depth=3,
    heads=3,
    window=3,
    global_blocks=(2,),
    adapter_blocks=(0,),
    encoder_bottleneck=12,
    embedding=64,
    decoder_hidden=32,
    decoder_adapters=True,
    decoder_bottleneck=16,
)
"""A network of every part, with windows that need padding."""

NATIVE_SMALL = replace(SMALL, image_size=224, global_blocks=(0, 1, 2), adapter_blocks=(), decoder_adapters=False)


def golden_array(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor that the golden vectors were made with (one generator per tensor, seeded by its name)."""
    drawn = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) == 1:
        made = 0.1 * drawn + (1 if key.endswith("weight") else 0)
    elif "pos_embed" in key:
        made = 0.1 * drawn
    elif "gaussian_matrix" in key or (len(shape) == 2 and ("token" in key or "embed" in key)):
        made = drawn
    else:
        fan = shape[0] if len(shape) == 4 and "output_upscaling" in key else np.prod(shape[1:])
        made = drawn / np.sqrt(fan)
    return np.asarray(made, np.float32)


def invented(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """A golden tensor for each name."""
    return {key: torch.from_numpy(golden_array(key, shape)) for key, shape in shapes.items()}


def listed(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one of the listings beside the golden vectors."""
    lines = [line.split("\t")[:2] for line in (GOLDEN / name).read_text().splitlines() if line[:1] not in ("#", "")]
    return {key: tuple(int(n) for n in shape.strip("()").split(",") if n.strip()) for key, shape in lines}


def teacher_state(config: NetworkConfig) -> dict[str, Tensor]:
    """The state dict of a DINOv2 teacher as reported, with chunks of blocks and a small head of the loss."""
    width = config.width
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 197, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for number in range(config.depth):
        block = f"blocks.{number // 2}.{number}."
        for norm in ("norm1", "norm2"):
            shapes |= {f"{block}{norm}.weight": (width,), f"{block}{norm}.bias": (width,)}
        for layer, out, into in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", 4 * width, width),
            ("mlp.fc2", width, 4 * width),
        ):
            shapes |= {f"{block}{layer}.weight": (out, into), f"{block}{layer}.bias": (out,)}
    state = invented({f"backbone.{key}": shape for key, shape in shapes.items()})
    return {
        **state,
        "dino_head.mlp.0.weight": torch.zeros(8, width),
        "dino_head.last_layer.weight_g": torch.zeros(9, 1),
    }


def full_state(config: NetworkConfig) -> dict[str, Tensor]:
    """A fine-tuned state dict of our network, with tensors that the authors save and nobody uses."""
    from node.mricore.network import Network

    with torch.device("meta"):
        shapes = {key: tuple(tensor.shape) for key, tensor in Network(config).state_dict().items()}
    dead = {
        "image_encoder.blocks.0.Depth_Adapter.D_fc1.weight": (12, 48),
        "prompt_encoder.not_a_point_embed.weight": (1, 64),
        "mask_decoder.iou_prediction_head.layers.0.weight": (64, 64),
    }
    return invented({**shapes, **dead})
