"""Networks as they are exported: which tensors they take and give, with everything that surrounds them inside.

Each gives, besides its answers, one float output by which two engines are compared; `export.finish` drops it where it
is not an answer itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from node.core.card import Encoding, Pooling
from node.mricore.encoder import ImageEncoder
from node.mricore.features import FeatureEncoder
from node.mricore.network import Network
from node.mricore.probe import Probe
from node.mricore.segmenter import Preparation, Segmenter, label, normalise, resize, spread, whiten

LOGITS = "logits"
NATIVE_SIZE = 224  # pixels of a side of the native path


class Graph(nn.Module):
    """A network with named inputs and outputs; `forward` gives the answers, then `measured` if it is none of them."""

    takes: tuple[str, ...] = ("slices",)
    gives: tuple[str, ...]
    measured: str = LOGITS


class Ready(nn.Module):
    """Slices (N, H, W), whole numbers or floats, to the network's image (N, 3, S, S) and the contrast (N, 1, 1, 1)."""

    def __init__(self, size: int, prepared: Preparation) -> None:
        super().__init__()
        self.size, self.prepared = size, prepared

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        values = spread(slices) if slices.dtype.is_floating_point else slices.to(torch.float32)
        image, contrast = normalise(values, self.size, self.prepared.contrast)
        return whiten(image, self.prepared), contrast


class Segmentation(Graph):
    """Slices to labels; and, for whoever asks, probabilities (N, classes, H, W) and the mean token (N, width)."""

    gives = ("labels", "probabilities", "embedding")

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.ready = Ready(segmenter.network.config.image_size, segmenter.prepared)
        self.network, self.encoding = segmenter.network, segmenter.encoding

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        image, contrast = self.ready(slices)
        features, vector = self.network.image_encoder.both(image)
        return _segmented(self.network, features, contrast, slices, self.encoding, vector)


class SegmentationHead(Graph):
    """The same behind a shared encoder: slices and its features (N, C, g, g) to labels and probabilities."""

    takes = ("slices", "features")
    gives = ("labels", "probabilities")

    def __init__(self, network: Network, prepared: Preparation, encoding: Encoding) -> None:
        super().__init__()
        self.ready, self.network, self.encoding = Ready(network.config.image_size, prepared), network, encoding

    def forward(self, slices: Tensor, features: Tensor) -> tuple[Tensor, ...]:
        _, contrast = self.ready(slices)
        return _segmented(self.network, features, contrast, slices, self.encoding)


def _segmented(
    network: Network, features: Tensor, contrast: Tensor, slices: Tensor, encoding: Encoding, *more: Tensor
) -> tuple[Tensor, ...]:
    """Labels, probabilities, what else there is, logits."""
    logits = resize(network.decode(features), slices.shape[1], slices.shape[2])
    something = (contrast > 0.5).to(logits.dtype)
    return (label(logits, contrast, encoding), logits.sigmoid() * something, *more, logits)


class Vectors(nn.Module):
    """Slices to a vector of each (N, width): the class token, the mean patch, or both."""

    def __init__(self, encoder: FeatureEncoder | ImageEncoder, size: int, prepared: Preparation, pooling: Pooling):
        super().__init__()
        self.ready, self.encoder, self.pooling = Ready(size, prepared), encoder, pooling

    def forward(self, slices: Tensor) -> Tensor:
        image, _ = self.ready(slices)
        if isinstance(self.encoder, ImageEncoder):
            return self.encoder.tokens(image).mean((1, 2))
        token, mean = self.encoder(image)
        if self.pooling is Pooling.CLS:
            return torch.as_tensor(token)
        return torch.as_tensor(mean) if self.pooling is Pooling.MEAN else torch.cat([token, mean], 1)


class Embedding(Graph):
    """Slices to a vector of each."""

    gives = ("embedding",)
    measured = "embedding"

    def __init__(self, vectors: Vectors) -> None:
        super().__init__()
        self.vectors = vectors

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        return (self.vectors(slices),)


class SharedEncoder(Graph):
    """Slices to the features that heads take, (N, C, g, g), and the mean token (N, width)."""

    gives = ("embedding", "features")
    measured = "features"

    def __init__(self, encoder: ImageEncoder, size: int, prepared: Preparation) -> None:
        super().__init__()
        self.ready, self.encoder = Ready(size, prepared), encoder

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        image, _ = self.ready(slices)
        features, vector = self.encoder.both(image)
        return vector, features


class Classification(Graph):
    """Slices to the probabilities of all answers (N, answers); and, for whoever asks, the vector they were read off."""

    gives = ("answers", "embedding")

    def __init__(self, vectors: Vectors, probe: Probe) -> None:
        super().__init__()
        self.vectors, self.probe = vectors, probe

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        vector = self.vectors(slices)
        answers, logits = self.probe(vector)
        return answers, vector, logits


class ClassificationHead(Graph):
    """The same behind a shared encoder: its vector (N, width) to the probabilities of all answers."""

    takes = ("embedding",)
    gives = ("answers",)

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self.probe = probe

    def forward(self, vector: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.probe(vector))
