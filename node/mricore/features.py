"""The native path of MRI-CORE's pre-training: a plain ViT-B/16 at 224 px, whole-image features without a neck.

All blocks are global over 196 patches and the class token, and the backbone's final norm comes last: what DINOv2
computes (Oquab et al. 2023) and what the released teacher was trained to make. 27 times cheaper than 1024 px.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from node.mricore.config import NetworkConfig
from node.mricore.encoder import Block, PatchEmbed

NATIVE = replace(NetworkConfig(), image_size=224, global_blocks=tuple(range(12)))
"""ViT-B/16 at 224 px with every block global."""


class FeatureEncoder(nn.Module):
    """Image (B, 3, 224, 224) to two features (B, width) each: the class token and the mean of the patches."""

    def __init__(self, config: NetworkConfig = NATIVE) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.grid**2 + 1, config.width))  # index 0: the class token
        self.patch_embed = PatchEmbed(config.width)
        self.blocks = nn.ModuleList(Block(config, number) for number in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)

    def tokens(self, image: Tensor) -> Tensor:
        """Class token and patches, row by row, after the final norm: (B, 1 + g * g, width)."""
        patches = self.patch_embed(image).flatten(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(image), -1, -1), patches], 1) + self.pos_embed
        grid = tokens[:, None]  # a block takes a grid; a global one does not care which
        for block in self.blocks:
            grid = block(grid)
        out: Tensor = self.norm(grid[:, 0])
        return out

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.tokens(image)
        return tokens[:, 0], tokens[:, 1:].mean(1)
