"""Model card: what the node must know of a model (triton_models/<model>/card.yaml).

The card is the contract between Triton, the rules and the results: which series the model was made for,
what goes in, what comes out, and by which coded terms its answers are called. `config.pbtxt` carries the
sha256 of the card's bytes, so that the two cannot drift apart.
"""

from node.core.card.card import (
    Answer,
    Brought,
    Card,
    Code,
    Encoding,
    Input,
    Kind,
    NamedInput,
    Question,
    Segment,
    Shared,
    Vector,
    Weights,
)
from node.core.card.parse import parse_card
from node.core.card.recipe import Contrast, FeaturePath, NeckSource, Normalize, Numbers, Pooling, PosEmbedSource, Recipe

__all__ = [
    "Answer",
    "Brought",
    "Card",
    "Code",
    "Contrast",
    "Encoding",
    "FeaturePath",
    "Input",
    "Kind",
    "NamedInput",
    "NeckSource",
    "Normalize",
    "Numbers",
    "Pooling",
    "PosEmbedSource",
    "Question",
    "Recipe",
    "Segment",
    "Shared",
    "Vector",
    "Weights",
    "parse_card",
]
