"""What a checkpoint is, for people: before a card is written for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from node.core.card import NeckSource, PosEmbedSource
from node.errors import BadConfiguration
from node.mricore.assembly import config_of, features_of, network_of
from node.mricore.checkpoint import Checkpoint, Kind, read
from node.mricore.network import NEVER_CALLED

_MEANING = {
    Kind.TEACHER: "pre-trained MRI-CORE (DINOv2 teacher, ViT-B/16 at 224 px)",
    Kind.FINE_TUNED: "a fine-tuned MRI-CORE, whole",
    Kind.SAM: "Meta's SAM ViT-B; relative positions are dropped, as MRI-CORE drops them",
    Kind.OWN: "written by this project, with its sizes",
}


@dataclass(frozen=True)
class Inspection:
    """What `models inspect` prints."""

    file: str
    kind: Kind
    meaning: str
    sha256: str
    tensors: int
    values: int  # numbers in all tensors
    dropped: dict[str, int]  # part of the network → tensors of it that nobody uses
    image_size: int | None
    classes: int | None
    adapters: str
    segments: str  # "yes", or why `models export` would refuse it


def inspect(path: Path) -> Inspection:
    """Read a checkpoint and try to build its network. Raises BadConfiguration for what is no checkpoint."""
    source = read(path)
    size, classes, adapters, segments = _built(source)
    return Inspection(
        file=source.file,
        kind=source.kind,
        meaning=_MEANING[source.kind],
        sha256=source.sha256,
        tensors=len(source.state),
        values=sum(tensor.numel() for tensor in source.state.values()),
        dropped=_dropped(source),
        image_size=size,
        classes=classes,
        adapters=adapters,
        segments=segments,
    )


def _built(source: Checkpoint) -> tuple[int | None, int | None, str, str]:
    """Image size, classes, adapters, and whether it segments."""
    if source.kind is Kind.TEACHER:
        features_of(source)
        return 224, None, "none", "no: it has no neck and no decoder; its features are whole"
    try:
        config = config_of(source)
        network_of(source, config.image_size, PosEmbedSource.CHECKPOINT, NeckSource.STATE_DICT)
    except BadConfiguration as refusal:
        return None, None, "unknown", f"no: {refusal.what}"
    blocks = ", ".join(map(str, config.adapter_blocks))
    parts = [f"encoder blocks {blocks}"] if blocks else []
    adapters = " and ".join([*parts, *(["decoder"] if config.decoder_adapters else [])]) or "none"
    return config.image_size, config.classes, adapters, "yes"


def _dropped(source: Checkpoint) -> dict[str, int]:
    if source.kind is Kind.TEACHER:
        unused = [key for key in source.state if key.startswith("dino_head.") or key == "mask_token"]
        return dict(Counter(key.split(".")[0] for key in unused))
    return dict(Counter(_part(key) for key in source.state if NEVER_CALLED.search(key)))


def _part(key: str) -> str:
    for name in ("Depth_Adapter", "rel_pos"):
        if name in key:
            return name
    return key.split(".")[1]
