"""From a checkpoint and what the card states to a network: strict, and with no source chosen in silence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from node.core.card import NeckSource, PosEmbedSource
from node.errors import BadConfiguration
from node.mricore.accounting import account
from node.mricore.checkpoint import Checkpoint, Kind
from node.mricore.config import NetworkConfig
from node.mricore.encoder import ImageEncoder
from node.mricore.features import NATIVE, FeatureEncoder
from node.mricore.network import NEVER_CALLED, Network

VIT_B = NetworkConfig()
_NOT_FEATURES = re.compile(r"^(mask_token$|dino_head\.)")  # of the teacher: iBOT's mask and the head of the loss
_NOT_ENCODER = re.compile(r"^(mask_token$|cls_token$|norm\.|dino_head\.)")
_Built = TypeVar("_Built", bound=nn.Module)


def config_of(checkpoint: Checkpoint, sizes: NetworkConfig = VIT_B) -> NetworkConfig:
    """The configuration that a full state dict is of: its image size, classes and adapters are read off its tensors.

    `sizes` gives width, depth, heads and windows, which tensors do not tell. Raises BadConfiguration for a teacher.
    """
    if checkpoint.config is not None:
        return checkpoint.config
    if checkpoint.kind is Kind.TEACHER:
        raise BadConfiguration(
            checkpoint.file,
            "is the pre-trained teacher: it has no neck and no decoder, so that it segments nothing",
            "Fine-tune it first and export the fine-tuned state dict",
        )
    state = checkpoint.state
    grid = _axis(checkpoint, "image_encoder.pos_embed", 1)
    adapters = {int(found[1]) for key in state if (found := _ADAPTED.match(key))}
    return replace(
        sizes,
        image_size=16 * grid,
        classes=_axis(checkpoint, "mask_decoder.mask_tokens.weight", 0) - 1,
        adapter_blocks=tuple(sorted(adapters)),
        decoder_adapters=any(key.startswith("mask_decoder.") and ".Adapter." in key for key in state),
    )


_ADAPTED = re.compile(r"^image_encoder\.blocks\.(\d{1,2})\.(?:Space|MLP)_Adapter\.")


def _axis(checkpoint: Checkpoint, key: str, axis: int) -> int:
    """The length of an axis of a tensor that every full state dict has; 2 to 256 and no network is larger."""
    if key not in checkpoint.state:
        raise BadConfiguration(checkpoint.file, f"the state dict lacks {key}: it is not that of a whole network")
    shape = checkpoint.state[key].shape
    if len(shape) <= axis or not 2 <= shape[axis] <= 256:
        raise BadConfiguration(checkpoint.file, f"the state dict has another shape for {key}: {tuple(shape)}")
    return shape[axis]


def network_of(
    checkpoint: Checkpoint,
    image_size: int,
    pos_embed_source: PosEmbedSource,
    neck_source: NeckSource,
    sizes: NetworkConfig = VIT_B,
) -> Network:
    """The whole network of a fine-tuned, SAM or own checkpoint. Raises BadConfiguration unless all is as stated."""
    config = config_of(checkpoint, sizes)
    if config.image_size != image_size:
        what = f"was trained at {config.image_size} px, the card states image_size {image_size}"
        raise BadConfiguration(checkpoint.file, what, "The decoder of one size fits no other: state the trained one")
    if pos_embed_source is not PosEmbedSource.CHECKPOINT or neck_source is not NeckSource.STATE_DICT:
        raise BadConfiguration(
            checkpoint.file,
            f"holds the position embedding and the neck it was trained with; the card states {pos_embed_source} "
            f"and {neck_source}",
            "State pos_embed_source: checkpoint and neck_source: state_dict",
        )
    with torch.device("meta"):
        network = Network(config)
    return _filled(network, checkpoint.state, NEVER_CALLED, checkpoint.file)


def features_of(checkpoint: Checkpoint, config: NetworkConfig = NATIVE) -> FeatureEncoder:
    """The native 224 px encoder of a teacher. Raises BadConfiguration for another kind or unless it is complete."""
    _must_be_teacher(checkpoint)
    with torch.device("meta"):
        encoder = FeatureEncoder(config)
    return _filled(encoder, checkpoint.state, _NOT_FEATURES, checkpoint.file)


def encoder_of(
    checkpoint: Checkpoint,
    image_size: int,
    pos_embed_source: PosEmbedSource,
    neck_source: NeckSource,
    sam: Checkpoint | None = None,
    sizes: NetworkConfig = VIT_B,
) -> ImageEncoder:
    """SAM's windowed encoder with a teacher's blocks, as fine-tuning begins with it.

    With neck_source none, only `ImageEncoder.tokens` may be used: the neck is zero. `sam` is needed where a source
    says so. Raises BadConfiguration.
    """
    _must_be_teacher(checkpoint)
    config = replace(sizes, image_size=image_size)
    state = dict(checkpoint.state)
    state["pos_embed"] = _positions(checkpoint, config, pos_embed_source, sam)
    state.update(_neck(checkpoint, config, neck_source, sam))
    with torch.device("meta"):
        encoder = ImageEncoder(config)
    return _filled(encoder, state, _NOT_ENCODER, checkpoint.file)


def _must_be_teacher(checkpoint: Checkpoint) -> None:
    if checkpoint.kind is not Kind.TEACHER:
        raise BadConfiguration(checkpoint.file, f"is {checkpoint.kind}, not the pre-trained teacher")


def _positions(checkpoint: Checkpoint, config: NetworkConfig, source: PosEmbedSource, sam: Checkpoint | None) -> Tensor:
    """The position embedding (1, g, g, width)."""
    if source is PosEmbedSource.ZEROS:
        return torch.zeros(1, config.grid, config.grid, config.width)
    if source is PosEmbedSource.SAM:
        return _resized(_of_sam(sam, "pos_embed", "pos_embed_source: sam"), config.grid)
    own = checkpoint.state.get("pos_embed")
    if own is None or own.ndim != 3 or (side := round((own.shape[1] - 1) ** 0.5)) ** 2 != own.shape[1] - 1:
        raise BadConfiguration(checkpoint.file, "the state dict has no pos_embed of a class token and a square grid")
    return _resized(own[:, 1:].reshape(1, side, side, -1), config.grid)


def _neck(
    checkpoint: Checkpoint, config: NetworkConfig, source: NeckSource, sam: Checkpoint | None
) -> Mapping[str, Tensor]:
    """The neck's tensors under the encoder's names."""
    if source is NeckSource.STATE_DICT:
        what = "is a teacher and has no neck; the card states neck_source state_dict"
        raise BadConfiguration(checkpoint.file, what, "State sam, or none for the tokens before it")
    with torch.device("meta"):
        wanted = ImageEncoder(config).neck.state_dict(prefix="neck.")
    if source is NeckSource.NONE:
        return {key: torch.zeros(tensor.shape) for key, tensor in wanted.items()}
    return {key: _of_sam(sam, key, "neck_source: sam") for key in wanted}


def _of_sam(sam: Checkpoint | None, key: str, asked: str) -> Tensor:
    if sam is None or sam.kind is not Kind.SAM:
        raise BadConfiguration(sam.file if sam else asked, "needs Meta's SAM ViT-B checkpoint beside the teacher")
    if f"image_encoder.{key}" not in sam.state:
        raise BadConfiguration(sam.file, f"the state dict lacks image_encoder.{key}")
    return sam.state[f"image_encoder.{key}"]


def _resized(positions: Tensor, grid: int) -> Tensor:
    """Bilinear, corners not aligned: (1, s, s, width) to (1, grid, grid, width)."""
    if positions.shape[1:3] == (grid, grid):
        return positions.contiguous()
    image = functional.interpolate(positions.permute(0, 3, 1, 2), (grid, grid), mode="bilinear", align_corners=False)
    return image.permute(0, 2, 3, 1).contiguous()


def _filled(module: _Built, state: Mapping[str, Tensor], known: re.Pattern[str], where: str) -> _Built:
    """A module on the meta device, with the state's tensors in place."""
    wanted = module.state_dict()
    account(state, wanted, known, where)
    module.load_state_dict({key: state[key] for key in wanted}, assign=True)
    return module.requires_grad_(False).eval()
