"""The image encoder as the authors' repository computes it: the baseline that ours is measured against.

Written from the specification, not copied. What is slow in it is kept: windows are cut out of a padded grid, padded
positions go through every layer of the attention, query-key products of all heads are one tensor, their softmax
another. The state dict's names are those of `node.mricore.encoder.ImageEncoder`, so that both compute with one set of
weights.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from node.mricore.config import NetworkConfig
from node.mricore.encoder import ImageEncoder


class _Attention(nn.Module):
    """Self-attention over (B, H, W, width), every product a tensor of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, rows, columns, width = x.shape
        qkv = self.qkv(x).reshape(batch, rows * columns, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.reshape(3, batch * self.heads, rows * columns, -1).unbind(0)
        weights = ((query * self.scale) @ key.transpose(-2, -1)).softmax(dim=-1)
        seen = (weights @ value).view(batch, self.heads, rows, columns, -1).permute(0, 2, 3, 1, 4)
        return self.proj(seen.reshape(batch, rows, columns, width))


def _cut(x: Tensor, window: int) -> tuple[Tensor, tuple[int, int]]:
    """(B, H, W, C) padded at the bottom and right, as windows (B * n, window, window, C), and the padded size."""
    batch, rows, columns, width = x.shape
    x = functional.pad(x, (0, 0, 0, -columns % window, 0, -rows % window))
    high, wide = x.shape[1], x.shape[2]
    x = x.view(batch, high // window, window, wide // window, window, width)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window, window, width), (high, wide)


def _joined(windows: Tensor, window: int, padded: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """What `_cut` cut, without the padding."""
    high, wide = padded
    batch = len(windows) // (high * wide // window // window)
    x = windows.view(batch, high // window, wide // window, window, window, -1)
    x = x.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, high, wide, -1)
    return x[:, : size[0], : size[1]].contiguous()


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin1, self.act, self.lin2 = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(self.act(self.lin1(x)))


class _Block(nn.Module):
    def __init__(self, config: NetworkConfig, number: int) -> None:
        super().__init__()
        self.window = 0 if number in config.global_blocks else config.window
        self.norm1, self.norm2 = nn.LayerNorm(config.width, eps=1e-6), nn.LayerNorm(config.width, eps=1e-6)
        self.attn = _Attention(config.width, config.heads)
        self.mlp = _Mlp(config.width)

    def forward(self, x: Tensor) -> Tensor:
        seen, size, padded = x, (x.shape[1], x.shape[2]), (0, 0)
        if self.window:
            seen, padded = _cut(seen, self.window)
        seen = self.attn(self.norm1(seen))  # MRI-CORE norms after padding
        if self.window:
            seen = _joined(seen, self.window, padded, size)
        x = x + seen
        return x + self.mlp(self.norm2(x))


class OfficialStyle(ImageEncoder):
    """Image (B, 3, S, S) to embedding (B, embedding, g, g), without adapters."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.blocks = nn.ModuleList(_Block(config, number) for number in range(config.depth))
