"""The mask decoder: two-way attention between a few learned tokens and the image, then up-scaling."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from node.mricore.config import NetworkConfig
from node.mricore.layers import Adapter, ChannelNorm, join_heads, split_heads


class CrossAttention(nn.Module):
    """Attention of queries (B, N, width) on keys and values (B, M, width), inside at width / downsample."""

    def __init__(self, width: int, heads: int, downsample: int) -> None:
        super().__init__()
        inner = width // downsample
        self.heads = heads
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        q, k, v = (
            split_heads(project(tokens), self.heads)
            for project, tokens in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        out: Tensor = self.out_proj(join_heads(functional.scaled_dot_product_attention(q, k, v)))
        return out


class Perceptron(nn.Module):
    """Linear, ReLU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.lin2(functional.relu(self.lin1(tokens)))
        return out


class TwoWayLayer(nn.Module):
    """Tokens look at each other, at the image, think, and the image looks at the tokens."""

    def __init__(self, config: NetworkConfig, *, first: bool) -> None:
        super().__init__()
        width, heads = config.embedding, config.decoder_heads
        self.first = first
        self.self_attn = CrossAttention(width, heads, 1)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = CrossAttention(width, heads, 2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width, config.decoder_hidden)
        self.norm3 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = CrossAttention(width, heads, 2)
        self.norm4 = nn.LayerNorm(width)
        self.Adapter: Adapter | None = None
        self.MLP_Adapter: Adapter | None = None
        if config.decoder_adapters:
            self.Adapter = Adapter(width, config.decoder_bottleneck, skip=True)
            self.MLP_Adapter = Adapter(width, config.decoder_bottleneck, skip=False)

    def forward(self, tokens: Tensor, image: Tensor, token_place: Tensor, image_place: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.norm1(self._among_tokens(tokens, token_place))
        seen = self.cross_attn_token_to_image(tokens + token_place, image + image_place, image)
        tokens = self.norm2(self._adapt(tokens + seen))
        thought = self.mlp(tokens)
        if self.MLP_Adapter is not None:
            thought = thought + 0.5 * self.MLP_Adapter(tokens)
        tokens = self.norm3(tokens + thought)
        told = self.cross_attn_image_to_token(image + image_place, tokens + token_place, tokens)
        return tokens, self.norm4(self._adapt(image + told))

    def _among_tokens(self, tokens: Tensor, place: Tensor) -> Tensor:
        if self.first:  # the tokens are their own places here: SAM adds neither them nor a residual
            out: Tensor = self.self_attn(tokens, tokens, tokens)
            return out
        placed = tokens + place
        seen: Tensor = self.self_attn(placed, placed, tokens)
        return tokens + seen

    def _adapt(self, tokens: Tensor) -> Tensor:
        # One adapter serves both directions, as in the authors' state dicts.
        return tokens if self.Adapter is None else self.Adapter(tokens)


class TwoWayTransformer(nn.Module):
    """Two layers and a last look of the tokens at the image."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayLayer(config, first=number == 0) for number in range(2))
        self.final_attn_token_to_image = CrossAttention(config.embedding, config.decoder_heads, 2)
        self.norm_final_attn = nn.LayerNorm(config.embedding)

    def forward(self, tokens: Tensor, image: Tensor, image_place: Tensor) -> tuple[Tensor, Tensor]:
        place = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, place, image_place)
        seen = self.final_attn_token_to_image(tokens + place, image + image_place, image)
        return self.norm_final_attn(tokens + seen), image


class HyperNetwork(nn.Module):
    """A mask token (B, width) to the weights (B, out) of its channel's last layer."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, out)])

    def forward(self, token: Tensor) -> Tensor:
        hidden = functional.relu(self.layers[0](token))
        out: Tensor = self.layers[2](functional.relu(self.layers[1](hidden)))
        return out


class MaskDecoder(nn.Module):
    """Embedding (B, C, g, g) to logits (B, classes, S', S'); S' is S, or S / 4 at 1024 px.

    The tokens of SAM are all there, because they attend to each other; the outputs that MRI-CORE throws away (the
    estimated IoU and mask 0) are not computed.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.embedding
        self.classes = config.classes
        self.transformer = TwoWayTransformer(config)
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(config.classes + 1, width)
        self.output_upscaling = _upscaling((width, *config.upscaling))
        self.output_hypernetworks_mlps = nn.ModuleDict(
            {str(number): HyperNetwork(width, config.upscaling[-1]) for number in range(1, config.classes + 1)}
        )

    def forward(self, embedding: Tensor, dense: Tensor, place: Tensor) -> Tensor:
        """`dense` (1, C, 1, 1) and `place` (1, C, g, g) are the folded prompt encoder."""
        batch, width, side, _ = embedding.shape
        tokens = torch.cat([self.iou_token.weight, self.mask_tokens.weight])[None].expand(batch, -1, -1)
        image = (embedding + dense).flatten(2).transpose(1, 2)
        tokens, image = self.transformer(tokens, image, place.flatten(2).transpose(1, 2))
        upscaled = self.output_upscaling(image.transpose(1, 2).reshape(batch, width, side, side))
        heads = self.output_hypernetworks_mlps
        weights = torch.stack([heads[str(n)](tokens[:, 1 + n]) for n in range(1, self.classes + 1)], dim=1)
        rows = upscaled.shape[2]
        logits: Tensor = (weights @ upscaled.flatten(2)).reshape(batch, self.classes, rows, rows)
        return logits


def _upscaling(channels: tuple[int, ...]) -> nn.Sequential:
    """Transposed convolutions that double the side; a norm after each but the last."""
    steps: list[nn.Module] = []
    for before, after in itertools.pairwise(channels):
        steps += [nn.ConvTranspose2d(before, after, 2, 2), ChannelNorm(after), nn.GELU()]
    del steps[-2]
    return nn.Sequential(*steps)
