"""What a checkpoint and a card make together: a graph to export, and how it is served."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from node.adapters.triton.contract import (
    ANSWERS,
    EMBEDDING,
    FEATURES,
    FLOAT_SLICES,
    LABELS,
    PROBABILITIES,
    SLICES,
    Tensor,
)
from node.core.card import FeaturePath, Kind, NeckSource, Numbers, Pooling, Recipe
from node.errors import BadConfiguration
from node.mricore.assembly import VIT_B, encoder_of, features_of, network_of
from node.mricore.checkpoint import Checkpoint
from node.mricore.checkpoint import Kind as FileKind
from node.mricore.config import NetworkConfig
from node.mricore.draft import Draft
from node.mricore.encoder import ImageEncoder
from node.mricore.features import FeatureEncoder
from node.mricore.graphs import (
    NATIVE_SIZE,
    Classification,
    ClassificationHead,
    Embedding,
    Graph,
    Segmentation,
    SegmentationHead,
    SharedEncoder,
    Vectors,
)
from node.mricore.network import Network
from node.mricore.probe import Probe
from node.mricore.segmenter import Segmenter, preparation

_ATTENTION_BYTES = 2**30  # of one global block's attention matrices, in the CPU flavour


@dataclass(frozen=True)
class Sources:
    """The files of weights that a model is made of."""

    checkpoint: Checkpoint
    sam: Checkpoint | None = None  # where the card takes the position embedding or the neck from Meta's
    sizes: NetworkConfig = VIT_B


@dataclass(frozen=True)
class Part:
    """A graph to export, and what Triton is told of it."""

    graph: Graph
    takes: tuple[Tensor, ...]
    gives: tuple[Tensor, ...]
    at_once: int  # slices that the CPU flavour computes together

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the inputs that are no slices, without the batch."""
        return {tensor.name: tensor.dims for tensor in self.takes if tensor.name != SLICES.name}

    @property
    def floats(self) -> bool:
        """Whether slices are FP32."""
        return FLOAT_SLICES in self.takes

    @property
    def parameters(self) -> int:
        """Numbers in its weights."""
        return sum(each.numel() for each in self.graph.parameters())


def network_in(sources: Sources, draft: Draft) -> Network:
    """The segmentation network that checkpoint and card make together. Raises BadConfiguration unless they fit."""
    stated = draft.network
    network = network_of(
        sources.checkpoint, stated.image_size, stated.pos_embed_source, stated.neck_source, sources.sizes
    )
    if network.config.classes != len(draft.card.segments):
        what = f"names {len(draft.card.segments)}, {sources.checkpoint.file} has {network.config.classes} classes"
        raise BadConfiguration(f"{draft.file}: output.segments", what, "Name one segment for each class, in its order")
    return network


def segmenter_of(sources: Sources, draft: Draft) -> Segmenter:
    """The whole segmenter. Raises BadConfiguration."""
    prepared = preparation(draft.network.contrast, draft.network.normalize)
    return Segmenter(network_in(sources, draft), prepared, draft.card.encoding).requires_grad_(False).eval()


def whole(sources: Sources, draft: Draft, probe: Probe | None) -> Part:
    """A model of one piece. Raises BadConfiguration."""
    if draft.card.kind is Kind.SEGMENTATION:
        segmenter = segmenter_of(sources, draft)
        config = segmenter.network.config
        gives = (LABELS, _probabilities(config), Tensor(EMBEDDING, "FP32", (config.width,)))
        return Part(Segmentation(segmenter), (_slices(draft.network),), gives, at_once(config))
    vectors, config, width = vectors_of(sources, draft)
    vector = Tensor(EMBEDDING, "FP32", (width,))
    takes = (_slices(draft.network),)
    if probe is None:
        return Part(Embedding(vectors), takes, (vector,), at_once(config))
    return Part(Classification(vectors, probe), takes, (_answers(draft), vector), at_once(config))


def encoder(network: Network, draft: Draft) -> Part:
    """The encoder that heads share."""
    config, stated = network.config, draft.network
    graph = SharedEncoder(network.image_encoder, config.image_size, preparation(stated.contrast, stated.normalize))
    gives = (Tensor(EMBEDDING, "FP32", (config.width,)), _features(config))
    return Part(graph, (_slices(stated),), gives, at_once(config))


def head(network: Network, draft: Draft) -> Part:
    """The rest of a segmentation network behind a shared encoder."""
    prepared = preparation(draft.network.contrast, draft.network.normalize)
    graph = SegmentationHead(network, prepared, draft.card.encoding)
    del graph.network.image_encoder  # the other part's
    takes = (_slices(draft.network), _features(network.config))
    return Part(graph, takes, (LABELS, _probabilities(network.config)), 16)


def probe_head(probe: Probe, width: int, draft: Draft) -> Part:
    """A linear probe behind a shared encoder."""
    return Part(ClassificationHead(probe), (Tensor(EMBEDDING, "FP32", (width,)),), (_answers(draft),), 16)


def vectors_of(sources: Sources, draft: Draft) -> tuple[Vectors, NetworkConfig, int]:
    """What makes a vector of a slice, its sizes, and the vector's width. Raises BadConfiguration."""
    stated = draft.network
    built, config = _backbone(sources, draft)
    prepared = preparation(stated.contrast, stated.normalize)
    vectors = Vectors(built, config.image_size, prepared, stated.pooling).requires_grad_(False).eval()
    return vectors, config, config.width * (2 if stated.pooling is Pooling.CLS_MEAN else 1)


def _backbone(sources: Sources, draft: Draft) -> tuple[FeatureEncoder | ImageEncoder, NetworkConfig]:
    stated, checkpoint = draft.network, sources.checkpoint
    if stated.path is FeaturePath.NATIVE:
        if stated.image_size != NATIVE_SIZE or stated.neck_source is not NeckSource.NONE:
            what = f"path native is {NATIVE_SIZE} px and has no neck"
            cure = f"State image_size: {NATIVE_SIZE} and neck_source: none"
            raise BadConfiguration(f"{draft.file}: network", what, cure)
        blocks = tuple(range(sources.sizes.depth))
        config = replace(
            sources.sizes, image_size=NATIVE_SIZE, global_blocks=blocks, adapter_blocks=(), decoder_adapters=False
        )
        return features_of(checkpoint, config), config
    if checkpoint.kind is FileKind.TEACHER:
        plain = replace(sources.sizes, image_size=stated.image_size, adapter_blocks=())
        args = (stated.image_size, stated.pos_embed_source, stated.neck_source, sources.sam, plain)
        return encoder_of(checkpoint, *args), plain
    network = network_of(checkpoint, stated.image_size, stated.pos_embed_source, stated.neck_source, sources.sizes)
    return network.image_encoder, network.config


def at_once(config: NetworkConfig) -> int:
    """Slices whose attention matrices fit into the memory that one global block may take."""
    return max(1, min(16, _ATTENTION_BYTES // (4 * config.heads * config.grid**4)))


def count(module: nn.Module) -> int:
    """Numbers in a module's weights."""
    return sum(each.numel() for each in module.parameters())


def _slices(stated: Recipe) -> Tensor:
    return FLOAT_SLICES if stated.numbers is Numbers.FLOAT else SLICES


def _probabilities(config: NetworkConfig) -> Tensor:
    return Tensor(PROBABILITIES, "FP32", (config.classes, -1, -1))


def _features(config: NetworkConfig) -> Tensor:
    return Tensor(FEATURES, "FP32", (config.embedding, config.grid, config.grid))


def _answers(draft: Draft) -> Tensor:
    return Tensor(ANSWERS, "FP32", (sum(len(question.answers) for question in draft.card.questions),))
