"""The image encoder: a plain vision transformer with windowed blocks and a convolutional neck."""

from __future__ import annotations

import math

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
    """Self-attention over a grid (B, R, C, width), without relative positions: MRI-CORE switches SAM's off.

    In windows, SAM pads the grid at the bottom and right to whole windows. The padded positions of a window are all
    the same vector and their answers are cut off, so that they are merged here: one key and value with the weight of
    all of them (ln n added to its logit). This is the same sum, and only real tokens are projected.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, padding: Tensor, window: int) -> Tensor:
        """`padding` (width,) is what a padded position holds; `window` in tokens, 0 for the whole grid at once."""
        qkv = self.qkv(tokens)
        if window:
            padded = self.qkv(padding)
            down, across = _spans(tokens.shape[1], window), _spans(tokens.shape[2], window)
            bands = [[self._windows(qkv[:, r, c], padded, window) for c in across] for r in down]
            seen = torch.cat([torch.cat(band, 2) for band in bands], 1)
        else:
            seen = self._among(qkv.flatten(1, 2), None, 0).reshape(tokens.shape)
        out: Tensor = self.proj(seen)
        return out

    def _windows(self, qkv: Tensor, padded: Tensor, window: int) -> Tensor:
        """Attention in each window of a part of the grid (B, R, C, 3 * width) that has windows of one size only."""
        batch, rows, columns, width = qkv.shape
        high, wide = min(rows, window), min(columns, window)
        down, across = rows // high, columns // wide
        windows = qkv.reshape(batch, down, high, across, wide, width).transpose(2, 3)
        seen = self._among(windows.reshape(-1, high * wide, width), padded, window * window - high * wide)
        grid = seen.reshape(batch, down, across, high, wide, width // 3).transpose(2, 3)
        return grid.reshape(batch, rows, columns, width // 3)

    def _among(self, qkv: Tensor, padded: Tensor | None, count: int) -> Tensor:
        """Attention of tokens (B, N, 3 * width) on themselves and on `count` padded positions."""
        query, key, value = (split_heads(part, self.heads) for part in qkv.chunk(3, dim=-1))
        if padded is None or not count:
            return join_heads(functional.scaled_dot_product_attention(query, key, value))
        _, more_key, more_value = (
            split_heads(part.expand(len(qkv), 1, -1), self.heads) for part in padded.chunk(3, dim=-1)
        )
        weight = torch.tensor([0.0] * qkv.shape[1] + [math.log(count)], dtype=qkv.dtype, device=qkv.device)
        key, value = torch.cat([key, more_key], 2), torch.cat([value, more_value], 2)
        return join_heads(functional.scaled_dot_product_attention(query, key, value, weight[None, None, None]))


def _spans(side: int, window: int) -> list[slice]:
    """The part of a side that whole windows cover, and the rest."""
    whole = side - side % window
    return [slice(start, end) for start, end in ((0, whole), (whole, side)) if end > start]


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
    """A transformer block over a grid (B, R, C, width), global (`window` 0) or in windows of `window` tokens."""

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
        # SAM norms before it pads, MRI-CORE after: a padded position holds the norm of zero, which is the norm's bias.
        seen = self.attn(self.norm1(tokens), self.norm1.bias, self.window)
        if self.Space_Adapter is not None:
            seen = self.Space_Adapter(seen)
        tokens = tokens + seen
        normal = self.norm2(tokens)
        tokens = tokens + self.mlp(normal)
        if self.MLP_Adapter is not None:
            tokens = tokens + 0.5 * self.MLP_Adapter(normal)
        return tokens


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

    def both(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding (B, embedding, g, g), and the mean of the tokens before the neck (B, width)."""
        tokens = self.tokens(image)
        return self.neck(tokens.permute(0, 3, 1, 2)), tokens.mean((1, 2))

    def forward(self, image: Tensor) -> Tensor:
        embedding: Tensor = self.neck(self.tokens(image).permute(0, 3, 1, 2))
        return embedding
