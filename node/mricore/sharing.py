"""One encoder, many heads: a frozen encoder as a model of its own, and heads that take its features.

Only heads whose encoder is untouched can share it: adapters in the first blocks make every feature the head's own. The
encoder's folder is named by the weights and the preparation that it was made of, so that heads of the same encoder
find the same one; the head's card names it. The features travel in full precision, 4 MiB a slice at 1024 px: in two
parts the network gives the labels that it gives in one.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.adapters.triton import Model, canary, read_model
from node.core.card import FeaturePath, Kind, NeckSource
from node.errors import BadConfiguration
from node.mricore import export, making
from node.mricore.assembly import network_of
from node.mricore.draft import Draft, drafted
from node.mricore.flavours import ensemble
from node.mricore.making import Part
from node.mricore.model_folder import Publishing, given, noise, probe_of, serving_of, step, write
from node.mricore.network import Network

Given = Mapping[str, export.Arrays]


def publish_shared(publishing: Publishing, draft: Draft, folder: Path, probe: Path | None = None) -> None:
    """Write the head, the ensemble `<name>_whole`, and the encoder unless it is beside them already.

    Raises as model_folder.publish, and BadConfiguration for a network whose encoder cannot be shared.
    """
    network = _shareable(publishing, draft)
    encoder = making.encoder(network, draft)
    name = encoder_name(network, draft)
    home = folder.parent / name
    if home.exists():
        publishing.say(f"{name}: is there already, and serves this head too")
    else:
        write(publishing, encoder, _encoder_draft(draft, name, network), home, {})
    served = read_model(home)
    part = _head(publishing, network, draft, probe)
    with step(publishing.say, f"{folder.name}: features of the canary"):
        more = _features(encoder)
    write(publishing, part, _head_draft(draft, served), folder, more)
    _write_ensemble(folder, served, part, encoder)


def encoder_name(network: Network, draft: Draft) -> str:
    """By weights and preparation: heads of the same encoder find the same one."""
    digest, stated = hashlib.sha256(), draft.network
    for part in (stated.image_size, stated.normalize, stated.contrast, stated.numbers):
        digest.update(f"{part}\x1f".encode())
    for key, tensor in sorted(network.image_encoder.state_dict().items()):
        digest.update(f"{key}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return f"encoder_{digest.hexdigest()[:16]}"


def _shareable(publishing: Publishing, draft: Draft) -> Network:
    stated = draft.network
    if draft.card.kind is Kind.EMBEDDING or stated.path is FeaturePath.NATIVE:
        what = "is no head behind SAM's encoder: there is nothing to share"
        raise BadConfiguration(f"{draft.file}: kind", what, "Export it without --share")
    sources = publishing.sources
    if draft.card.kind is Kind.SEGMENTATION:
        network = making.network_in(sources, draft)
    else:
        network = network_of(
            sources.checkpoint, stated.image_size, stated.pos_embed_source, NeckSource.STATE_DICT, sources.sizes
        ).eval()
    if blocks := network.config.adapter_blocks:
        what = f"has adapters in the encoder's blocks {', '.join(map(str, blocks))}: its features serve no other head"
        raise BadConfiguration(sources.checkpoint.file, what, "Export it whole, without --share")
    return network


def _head(publishing: Publishing, network: Network, draft: Draft, probe: Path | None) -> Part:
    fitted = probe_of(publishing.sources, draft, probe)
    if fitted is not None:
        return making.probe_head(fitted, network.config.width, draft)
    return making.head(network, draft)


def _features(encoder: Part) -> Given:
    """Torch's features and vectors of the canary and of noise."""
    asked: dict[str, NDArray[Any]] = {"the canary": canary.slices(), "noise": noise()}
    return {name: _encoded(encoder, slices) for name, slices in asked.items()}


def _encoded(encoder: Part, slices: NDArray[Any]) -> export.Arrays:
    parts = [export.asked(encoder.graph, given(encoder, each[None], {})) for each in slices]
    return {name: np.concatenate([part[name] for part in parts]) for name in encoder.graph.gives}


def _encoder_draft(draft: Draft, name: str, network: Network) -> Draft:
    raw = copy.deepcopy(draft.raw)
    config = network.config
    raw.update(
        name=name,
        version="1",
        kind=Kind.EMBEDDING.value,
        title="Encoder that heads share",
        intended_use="Serves the heads whose cards name it. It answers no question by itself: no rule names it.",
        output={"width": config.width, "features": [config.embedding, config.grid, config.grid]},
    )
    raw["network"].setdefault("path", FeaturePath.SAM.value)
    return drafted(raw, draft.file, name)


def _head_draft(draft: Draft, encoder: Model) -> Draft:
    raw = copy.deepcopy(draft.raw)
    raw["shared"] = {"encoder": encoder.card.name, "weights_sha256": encoder.card.weights.sha256}
    return Draft(draft.file, raw, draft.card, draft.network)


def _write_ensemble(folder: Path, encoder: Model, part: Part, encoding: Part) -> None:
    home = folder.parent / f"{folder.name}_whole"
    (home / "1").mkdir(parents=True, exist_ok=True)
    (home / "1" / ".keep").write_text("", encoding="utf-8")  # an ensemble has a version and no files
    text = ensemble(home.name, encoder.card.name, serving_of(folder.name, part, ""), encoding.takes)
    (home / "config.pbtxt").write_text(text, encoding="utf-8")
