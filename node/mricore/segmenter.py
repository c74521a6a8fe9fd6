"""From native slices to native labels: everything that surrounds the network, as it is exported.

All of it is written with operators that TensorRT takes too: its Resize has no antialiasing, hence the matrix
products; it sorts 3840 values at most, hence the black and white points are sought in a slice reduced to 64 x 64.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from node.mricore.network import Network

COARSE = 64  # pixels of a side on which the black and white points are measured
DARKEST, BRIGHTEST = 20, 41  # of the 4096 coarse pixels: the 0.5th and the 99th percentile


def resize(image: Tensor, rows: int, columns: int) -> Tensor:
    """Bilinear with antialiasing, aspect ratio not kept: (B, C, H, W) to (B, C, rows, columns)."""
    down = _weights(image.shape[-2], rows)
    across = _weights(image.shape[-1], columns)
    return down @ image @ across.transpose(0, 1)


def _weights(source: int, target: int) -> Tensor:
    """The (target, source) matrix of triangular weights; each row sums to 1."""
    places = torch.arange(source, dtype=torch.float32) + 0.5
    centres = torch.arange(target, dtype=torch.float32) + 0.5
    # Both sizes are counted, not divided as numbers: an exported graph must not freeze them.
    scale = torch.ones_like(places).sum() / torch.ones_like(centres).sum()
    distance = torch.abs(places[None, :] - centres[:, None] * scale)
    weights = torch.relu(1.0 - distance / torch.clamp(scale, min=1.0))
    return weights / weights.sum(1, keepdim=True)


def normalise(slices: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Slices (N, H, W) to an image (N, 1, size, size) in 0..1 and their contrast (N, 1, 1, 1), 0 for a constant slice.

    A positive linear change of the intensities changes nothing but rounding.
    """
    image = slices[:, None]
    coarse = resize(image, COARSE, COARSE).flatten(1)
    black = torch.topk(coarse, DARKEST + 1, dim=1, largest=False).values[:, -1][:, None, None, None]
    white = torch.topk(coarse, BRIGHTEST + 1, dim=1).values[:, -1][:, None, None, None]
    contrast = white - black
    image = (resize(image, size, size) - black) / torch.clamp(contrast, min=1e-3)
    return torch.clamp(image, 0.0, 1.0), contrast


class Segmenter(nn.Module):
    """Slices (N, H, W) of any whole numbers to labels UINT8 (N, H, W); bit c belongs to channel c of the network."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def logits(self, image: Tensor) -> Tensor:
        """Normalised image (N, 1, S, S) to logits (N, classes, S, S)."""
        out: Tensor = self.network((image.expand(-1, 3, -1, -1) - 0.45) / 0.23)
        return out

    def forward(self, slices: Tensor) -> Tensor:
        image, contrast = normalise(slices.to(torch.float32), self.network.config.image_size)
        logits = resize(self.logits(image), slices.shape[1], slices.shape[2])
        marked = ((logits > 0) & (contrast > 0.5)).to(torch.float32)
        bits = torch.tensor([2.0**channel for channel in range(marked.shape[1])])
        # The sum is one of floats because TensorRT makes UINT8 of floats only.
        return (marked * bits[None, :, None, None]).sum(1).to(torch.uint8)
