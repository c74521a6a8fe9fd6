"""What `models export` must be told of a checkpoint: stated in the card, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Normalize(StrEnum):
    """What the network's image is, once each slice spans 0..1. Not in a checkpoint: whoever trained it knows."""

    IMAGENET = "imagenet"  # minus (.485, .456, .406), over (.229, .224, .225): the authors' training script
    UNIT = "unit"  # 0..1 as it is: the authors' README
    MINMAX = "minmax"  # stretched to 0..1 once more, as the authors do for MedSAM; here the same as unit


class Contrast(StrEnum):
    """What becomes 0 and 1 of each slice."""

    MINMAX = "minmax"  # its least and greatest value once resized: the authors' data set
    PERCENTILES = "percentiles"  # the 0.5th and the 99th percentile; what lies outside is clipped


class PosEmbedSource(StrEnum):
    """Where the position embedding comes from; the official loader drops the checkpoint's."""

    CHECKPOINT = "checkpoint"  # of the file itself, resized where the grid differs
    SAM = "sam"  # of Meta's ViT-B: what the official builder does with pretrained_sam=True
    ZEROS = "zeros"  # none: what the official builder does with pretrained_sam=False


class NeckSource(StrEnum):
    """Where the neck behind the encoder comes from; a DINOv2 teacher has none."""

    STATE_DICT = "state_dict"  # of the file itself
    SAM = "sam"  # of Meta's ViT-B
    NONE = "none"  # no neck: features are the tokens before it


class Numbers(StrEnum):
    """What is sent for a pixel."""

    WHOLE = "whole"  # 16 bits: the stored values, or the range of the volume in 65536 steps
    FLOAT = "float"  # modality values as they are


class FeaturePath(StrEnum):
    """How a slice becomes a vector."""

    NATIVE = "native"  # a plain ViT at 224 px, every block global: what the teacher was trained to make
    SAM = "sam"  # SAM's windowed encoder: the tokens before the neck


class Pooling(StrEnum):
    """Which vector."""

    CLS = "cls"  # the class token; of the native path alone
    MEAN = "mean"  # the mean over all patches
    CLS_MEAN = "cls_mean"  # both, one after the other; of the native path alone


@dataclass(frozen=True)
class Recipe:
    """What `models export` must be told of a checkpoint: stated, never guessed."""

    image_size: int  # pixels of a side, as it was trained
    normalize: Normalize
    contrast: Contrast
    pos_embed_source: PosEmbedSource
    neck_source: NeckSource
    checkpoint_sha256: str  # of the file that was exported; empty before
    path: FeaturePath = FeaturePath.SAM
    pooling: Pooling = Pooling.MEAN
    numbers: Numbers = Numbers.WHOLE
