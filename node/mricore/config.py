"""Sizes of the network: one dataclass from which every layer is built."""

from __future__ import annotations

from dataclasses import dataclass

PATCH = 16  # pixels of a token's side, as in every ViT-x/16


@dataclass(frozen=True)
class NetworkConfig:
    """An MRI-CORE network. The defaults are those of ViT-B/16 at 1024 px with one class and no adapters."""

    image_size: int = 1024  # pixels of a side, a multiple of 16
    classes: int = 1  # channels of the answer: independent sigmoids
    width: int = 768  # channels of a token
    depth: int = 12  # transformer blocks
    heads: int = 12
    window: int = 14  # tokens of a window's side in the blocks that are not global
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    adapter_blocks: tuple[int, ...] = ()  # encoder blocks with bottleneck adapters
    encoder_bottleneck: int = 192
    embedding: int = 256  # channels after the neck and in the decoder
    decoder_heads: int = 8
    decoder_hidden: int = 2048  # of the decoder's perceptrons
    decoder_adapters: bool = False
    decoder_bottleneck: int = 64

    @property
    def grid(self) -> int:
        """Tokens along one side of the image."""
        return self.image_size // PATCH

    @property
    def upscaling(self) -> tuple[int, ...]:
        """Channels after each doubling of the decoder.

        At 1024 px two doublings give logits of a quarter of the side, as in SAM; at every other size four give logits
        of the image's own size. A state dict trained at 1024 px therefore fits no other size.
        """
        doublings = 2 if self.image_size == 1024 else 4
        return tuple(self.embedding >> step for step in (2, 3, 4, 5)[:doublings])


MRI_CORE = NetworkConfig(adapter_blocks=(0, 1, 10, 11), decoder_adapters=True)
"""MRI-CORE as its authors fine-tune it: adapters in the first and last two blocks and in the decoder."""

HEAD = NetworkConfig(
    image_size=256,
    classes=2,
    width=192,
    depth=6,
    heads=6,
    window=8,
    global_blocks=(2, 5),
    embedding=128,
    decoder_hidden=512,
)
"""The demonstration model: the same family at a width that two CPU cores can train and serve."""
