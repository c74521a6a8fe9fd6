"""Layers that the encoder and the decoder share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ChannelNorm(nn.Module):
    """Layer norm over the channels of an image (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, image: Tensor) -> Tensor:
        mean = image.mean(1, keepdim=True)
        variance = (image - mean).square().mean(1, keepdim=True)
        normal = (image - mean) / torch.sqrt(variance + 1e-6)
        return self.weight[:, None, None] * normal + self.bias[:, None, None]


class Adapter(nn.Module):
    """A bottleneck beside a frozen layer: down, GELU, up; with or without its own skip."""

    def __init__(self, width: int, bottleneck: int, *, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.D_fc1 = nn.Linear(width, bottleneck)
        self.D_fc2 = nn.Linear(bottleneck, width)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.D_fc2(functional.gelu(self.D_fc1(tokens)))
        return tokens + out if self.skip else out


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, heads * d) to (B, heads, N, d)."""
    batch, count, width = tokens.shape
    return tokens.reshape(batch, count, heads, width // heads).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """(B, heads, N, d) to (B, N, heads * d)."""
    batch, heads, count, width = tokens.shape
    return tokens.transpose(1, 2).reshape(batch, count, heads * width)
