"""Random changes of a batch: where the head lies, how bright the tissues are, how good the coil was.

Intensities are never changed through the truth, which would draw the border that the network has to find.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def _uniform(generator: torch.Generator, count: int, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def moved(image: Tensor, truth: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rotate, scale, shift and sometimes mirror image (B, 1, S, S) and truth (B, C, S, S) alike."""
    count = len(image)
    angle = _uniform(generator, count, -20, 20) * math.pi / 180
    scale = _uniform(generator, count, 0.8, 1.3)
    stretch = _uniform(generator, count, 0.85, 1.15)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = mirror * scale * stretch * angle.cos(), -scale * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = mirror * scale * stretch * angle.sin(), scale * angle.cos()
    matrix[:, :, 2] = _uniform(generator, 2 * count, -0.15, 0.15).reshape(count, 2)
    grid = functional.affine_grid(matrix, list(image.shape), align_corners=False)
    warped = functional.grid_sample(torch.cat([image, truth], 1), grid, align_corners=False)
    return warped[:, :1], (warped[:, 1:] > 0.5).float()


def relit(image: Tensor, generator: torch.Generator) -> Tensor:
    """Change the contrast, the coil and the noise of images (B, 1, S, S) in 0..1."""
    count, side = len(image), image.shape[-1]
    image = _curve(image.clamp(0, 1), generator)
    coil = functional.interpolate(
        torch.randn(count, 1, 3, 3, generator=generator) * 0.22, (side, side), mode="bicubic", align_corners=True
    )
    image = image * coil.exp()
    blurred = functional.avg_pool2d(image, 3, 1, 1)
    soft = _uniform(generator, count, -0.3, 1.0).clamp(min=0)[:, None, None, None]
    image = soft * blurred + (1 - soft) * image
    noise = torch.randn(2, *image.shape, generator=generator)
    noise = noise * _uniform(generator, count, 0.0, 0.05)[:, None, None, None]
    return torch.hypot(image + noise[0], noise[1])


def _curve(image: Tensor, generator: torch.Generator) -> Tensor:
    """A gamma for all, and for a third a random curve through which tissues change their order (PD, T2, FLAIR)."""
    count = len(image)
    gamma = torch.exp(0.3 * torch.randn(count, generator=generator))[:, None, None, None]
    plain = image**gamma
    knots = torch.rand(count, 5, generator=generator)
    knots = torch.cat([torch.zeros(count, 1), 0.1 + 0.9 * knots], dim=1)
    place = image * 5
    left = place.floor().clamp(max=4).long()
    flat = left.flatten(1)
    low, high = knots.gather(1, flat).reshape(image.shape), knots.gather(1, flat + 1).reshape(image.shape)
    bent = low + (high - low) * (place - left)
    chosen = (torch.rand(count, generator=generator) < 0.3)[:, None, None, None]
    return torch.where(chosen, bent, plain)
