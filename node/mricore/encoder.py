"""The image encoder: a plain vision transformer with windowed blocks and a convolutional neck."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from node.mricore.config import PATCH, NetworkConfig
from node.mricore.layers import Adapter, ChannelNorm, join_heads, split_heads


class PatchEmbed(nn.Module):
    """Image (B, 3, S, S) to tokens (B, g, g, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, image: Tensor) -> Tensor:
        tokens: Tensor = self.proj(image)
        return tokens.permute(0, 2, 3, 1)


class Attention(nn.Module):
    """Self-attention over (B, N, width), without relative positions: MRI-CORE switches SAM's off."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = (split_heads(part, self.heads) for part in self.qkv(tokens).chunk(3, dim=-1))
        out: Tensor = self.proj(join_heads(functional.scaled_dot_product_attention(query, key, value)))
        return out


class Perceptron(nn.Module):
    """Linear, exact GELU, linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, 4 * width)
        self.lin2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.lin2(functional.gelu(self.lin1(tokens)))
        return out


class Block(nn.Module):
    """A transformer block over (B, g, g, width), global (`window` 0) or in windows of `window` tokens."""

    def __init__(self, config: NetworkConfig, number: int) -> None:
        super().__init__()
        width = config.width
        self.window = 0 if number in config.global_blocks else config.window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, config.heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Perceptron(width)
        self.Space_Adapter: Adapter | None = None
        self.MLP_Adapter: Adapter | None = None
        if number in config.adapter_blocks:
            self.Space_Adapter = Adapter(width, config.encoder_bottleneck, skip=True)
            self.MLP_Adapter = Adapter(width, config.encoder_bottleneck, skip=False)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, side = tokens.shape[0], tokens.shape[1]
        tokens = tokens + self._merge(self._attend(self._partition(tokens)), batch, side)
        normal = self.norm2(tokens)
        tokens = tokens + self.mlp(normal)
        if self.MLP_Adapter is not None:
            tokens = tokens + 0.5 * self.MLP_Adapter(normal)
        return tokens

    def _attend(self, windows: Tensor) -> Tensor:
        # The norm comes after the padding (SAM: before), so that padded positions hold the norm's bias, not zero.
        out: Tensor = self.attn(self.norm1(windows))
        return out if self.Space_Adapter is None else self.Space_Adapter(out)

    def _partition(self, tokens: Tensor) -> Tensor:
        """(B, g, g, width) to (B * windows, tokens of a window, width), padded at the bottom and right."""
        batch, side, _, width = tokens.shape
        if not self.window:
            return tokens.reshape(batch, side * side, width)
        pad = -side % self.window
        across = (side + pad) // self.window
        padded = functional.pad(tokens, (0, 0, 0, pad, 0, pad)) if pad else tokens
        windows = padded.reshape(batch, across, self.window, across, self.window, width).transpose(2, 3)
        return windows.reshape(batch * across * across, self.window * self.window, width)

    def _merge(self, windows: Tensor, batch: int, side: int) -> Tensor:
        """The way back from `_partition`; the padding is cut off."""
        width = windows.shape[-1]
        if not self.window:
            return windows.reshape(batch, side, side, width)
        across = (side + -side % self.window) // self.window
        grid = windows.reshape(batch, across, across, self.window, self.window, width).transpose(2, 3)
        return grid.reshape(batch, across * self.window, across * self.window, width)[:, :side, :side]


class ImageEncoder(nn.Module):
    """Image (B, 3, S, S) to embedding (B, embedding, g, g)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, config.grid, config.grid, config.width))
        self.blocks = nn.ModuleList(Block(config, number) for number in range(config.depth))
        self.neck = nn.Sequential(
            nn.Conv2d(config.width, config.embedding, 1, bias=False),
            ChannelNorm(config.embedding),
            nn.Conv2d(config.embedding, config.embedding, 3, padding=1, bias=False),
            ChannelNorm(config.embedding),
        )

    def tokens(self, image: Tensor) -> Tensor:
        """Tokens before the neck, (B, g, g, width): the features that MRI-CORE's pre-training made."""
        tokens: Tensor = self.patch_embed(image) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def forward(self, image: Tensor) -> Tensor:
        embedding: Tensor = self.neck(self.tokens(image).permute(0, 3, 1, 2))
        return embedding
