"""Encoder, folded prompt encoder and decoder in one: image in, logits out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from node.mricore.accounting import account
from node.mricore.config import NetworkConfig
from node.mricore.decoder import MaskDecoder
from node.mricore.encoder import ImageEncoder


class Places(nn.Module):
    """Random Fourier features of the grid positions, (1, C, g, g)."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, width // 2))

    def forward(self) -> Tensor:
        matrix = self.positional_encoding_gaussian_matrix
        steps = (torch.arange(self.grid, dtype=matrix.dtype, device=matrix.device) + 0.5) / self.grid * 2 - 1
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        angles = 2 * math.pi * (torch.stack([x, y], dim=-1) @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).permute(2, 0, 1)[None]


class NoPrompt(nn.Module):
    """SAM's prompt encoder for the only case that MRI-CORE has: no prompt. Both answers are constants."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.pe_layer = Places(config.embedding, config.grid)
        self.no_mask_embed = nn.Embedding(1, config.embedding)

    def forward(self) -> tuple[Tensor, Tensor]:
        """The dense embedding (1, C, 1, 1) and the places (1, C, g, g)."""
        return self.no_mask_embed.weight[:, :, None, None], self.pe_layer()


class Network(nn.Module):
    """Image (B, 3, S, S) to logits (B, classes, S', S'), see `NetworkConfig.upscaling` for S'."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config)
        self.prompt_encoder = NoPrompt(config)
        self.mask_decoder = MaskDecoder(config)

    def forward(self, image: Tensor) -> Tensor:
        return self.decode(self.image_encoder(image))

    def decode(self, features: Tensor) -> Tensor:
        """The encoder's features (B, embedding, g, g) to logits."""
        dense, place = self.prompt_encoder()
        logits: Tensor = self.mask_decoder(features, dense, place)
        return logits


NEVER_CALLED = re.compile(
    r"\.Depth_Adapter\.|\.rel_pos_[hw]$|^prompt_encoder\.(point_embeddings|not_a_point_embed|mask_downscaling)\."
    r"|^mask_decoder\.(iou_prediction_head|output_hypernetworks_mlps\.0)\."
)
"""Tensors of a fine-tuned state dict that have no part in the answer."""


def load_state(network: Network, state: Mapping[str, Tensor], where: str) -> None:
    """Load a fine-tuned SAM-style state dict. Raises BadConfiguration unless every tensor is accounted for."""
    wanted = network.state_dict()
    account(state, wanted, NEVER_CALLED, where)
    network.load_state_dict({key: state[key] for key in wanted})
