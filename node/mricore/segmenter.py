"""From native slices to native labels: everything that surrounds the network, as it is exported.

All of it is written with operators that TensorRT takes too: its Resize has no antialiasing, hence the matrix
products; it sorts 3840 values at most, hence the black and white points are sought in a slice reduced to 64 x 64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from node.core.card import Contrast, Encoding, Normalize
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


def normalise(slices: Tensor, size: int, contrast: Contrast = Contrast.PERCENTILES) -> tuple[Tensor, Tensor]:
    """Slices (N, H, W) to an image (N, 1, size, size) in 0..1 and their contrast (N, 1, 1, 1), 0 for a constant slice.

    A positive linear change of the intensities changes nothing but rounding.
    """
    image = resize(slices[:, None], size, size)
    if contrast is Contrast.MINMAX:  # of the resized slice, as in the authors' data set
        black, white = image.amin((2, 3), keepdim=True), image.amax((2, 3), keepdim=True)
    else:
        coarse = resize(slices[:, None], COARSE, COARSE).flatten(1)
        black = torch.topk(coarse, DARKEST + 1, dim=1, largest=False).values[:, -1][:, None, None, None]
        white = torch.topk(coarse, BRIGHTEST + 1, dim=1).values[:, -1][:, None, None, None]
    between = white - black
    return torch.clamp((image - black) / torch.clamp(between, min=1e-3), 0.0, 1.0), between


@dataclass(frozen=True)
class Preparation:
    """What the network's image is made of, once the contrast has brought a slice to 0..1."""

    contrast: Contrast = Contrast.PERCENTILES
    mean: tuple[float, float, float] = (
        0.45,
        0.45,
        0.45,
    )  # taken off each channel; the defaults are the demonstration's
    deviation: tuple[float, float, float] = (0.23, 0.23, 0.23)  # and what is left divided by


def preparation(contrast: Contrast, normalize: Normalize) -> Preparation:
    """The preparation that a card states."""
    if normalize is Normalize.IMAGENET:
        return Preparation(contrast, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return Preparation(contrast, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def spread(slices: Tensor) -> Tensor:
    """Float slices (N, H, W) of any scale to 0..65535, each by itself; a constant slice is 0."""
    low, high = slices.amin((1, 2), keepdim=True), slices.amax((1, 2), keepdim=True)
    between = high - low
    return (slices - low) / torch.where(between > 0, between, torch.ones_like(between)) * 65535.0


def whiten(image: Tensor, prepared: Preparation) -> Tensor:
    """Image (N, 1, S, S) in 0..1 to the network's (N, 3, S, S)."""
    mean, deviation = (
        torch.tensor(each, dtype=image.dtype)[None, :, None, None] for each in (prepared.mean, prepared.deviation)
    )
    return (image.expand(-1, 3, -1, -1) - mean) / deviation


def label(logits: Tensor, contrast: Tensor, encoding: Encoding) -> Tensor:
    """Logits (N, classes, H, W) and the slices' contrast (N, 1, 1, 1) to labels UINT8 (N, H, W)."""
    something = contrast > 0.5
    # TensorRT makes UINT8 of floats only, hence the arithmetic in floats.
    if encoding is Encoding.LABELMAP:
        greatest, channel = logits.max(1)
        marked = ((greatest > 0) & something[:, 0]).to(torch.float32)
        return (marked * (channel.to(torch.float32) + 1)).to(torch.uint8)
    marked = ((logits > 0) & something).to(torch.float32)
    bits = torch.tensor([2.0**channel for channel in range(marked.shape[1])])
    return (marked * bits[None, :, None, None]).sum(1).to(torch.uint8)


class Segmenter(nn.Module):
    """Slices (N, H, W) of any whole numbers to labels UINT8 (N, H, W) in the encoding of the card.

    In bits, bit c belongs to channel c of the network and segments may overlap; in a label map, the channel with the
    greatest logit has the pixel if that is above 0. A slice of one value, or nearly so, is background.
    """

    def __init__(
        self, network: Network, prepared: Preparation | None = None, encoding: Encoding = Encoding.BITS
    ) -> None:
        super().__init__()
        self.network = network
        self.prepared = prepared or Preparation()
        self.encoding = encoding

    def logits(self, image: Tensor) -> Tensor:
        """Image (N, 1, S, S) in 0..1 to logits (N, classes, S', S')."""
        out: Tensor = self.network(whiten(image, self.prepared))
        return out

    def answer(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Labels UINT8 (N, H, W) and the logits FP32 (N, classes, H, W) that they are made of."""
        size = self.network.config.image_size
        image, contrast = normalise(slices.to(torch.float32), size, self.prepared.contrast)
        logits = resize(self.logits(image), slices.shape[1], slices.shape[2])
        return label(logits, contrast, self.encoding), logits

    def forward(self, slices: Tensor) -> Tensor:
        return self.answer(slices)[0]
