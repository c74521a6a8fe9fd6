"""From a checkpoint and a draft of its card to a model folder that Triton serves."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from node.adapters.triton import canary, read_model
from node.core.card import Card, Encoding, Recipe, parse_card
from node.errors import BadConfiguration, ModelFailed
from node.mricore import export, served
from node.mricore.assembly import network_of
from node.mricore.checkpoint import Checkpoint, read
from node.mricore.config import NetworkConfig
from node.mricore.flavours import MODEL_PY, Serving, cpu, production
from node.mricore.segmenter import Segmenter, preparation

TOLERANCE = 1e-3  # relative error of the logits; 1e-5 to 3e-4 seen where the graph is right, near 1 where it is wrong
_ATTENTION_BYTES = 2**30  # of one global block's attention matrices, in the CPU flavour
_FEWEST = 4  # slices of a batch: as many as the node's client sends in one request

Say = Callable[[str], None]


@dataclass(frozen=True)
class Draft:
    """A card before the hashes are in it."""

    file: Path
    raw: Any  # ruamel.yaml's mapping, which keeps comments
    card: Card
    network: Recipe


def publish(checkpoint: Path, draft: Draft, folder: Path, say: Say, *, tolerance: float = TOLERANCE) -> None:
    """Write the model folder, whole or not at all; one that exists is replaced by the finished one.

    Raises BadConfiguration for a checkpoint or card that does not fit, ModelFailed with the figure when ONNX Runtime
    differs from torch (export.Parity.within).
    """
    with _step(say, f"read {checkpoint.name}"):
        source = read(checkpoint)
        segmenter = segmenter_of(source, draft)
    config = segmenter.network.config
    say(f"  {source.kind}, {config.image_size} px, {config.classes} classes, sha256 {source.sha256[:16]}...")
    partial = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _fill(partial / folder.name, segmenter, source, draft, say, tolerance)
        with _step(say, "check the folder: card, configurations, weights, canary"):
            served.check_canary(read_model(partial / folder.name))
        if folder.exists():
            folder.rename(partial / "replaced")
        (partial / folder.name).rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_draft(file: Path, name: str) -> Draft:
    """Read a card draft, all but the hashes. Raises BadConfiguration naming the key."""
    try:
        raw = YAML().load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise BadConfiguration(str(file), "cannot be read as text") from fault
    except YAMLError as broken:
        raise BadConfiguration(str(file), "is not readable as YAML") from broken
    if not isinstance(raw, dict):
        raise BadConfiguration(str(file), "must be a mapping of keys to values")
    _complete(raw, {"file": "", "sha256": "", "parameters": 0}, {"sha256": ""})
    card = parse_card(_dumped(raw), str(file))
    if card.name != name:
        raise BadConfiguration(f"{file}: name", f"is {card.name!r}, the folder is {name!r}", "Use one name")
    if card.network is None:
        cure = "State image_size, normalize, contrast, pos_embed_source and neck_source (docs/howto-fine-tuned-head.md)"
        raise BadConfiguration(f"{file}: network", "is missing", cure)
    return Draft(file, raw, card, card.network)


def segmenter_of(source: Checkpoint, draft: Draft) -> Segmenter:
    """The segmenter that checkpoint and card make together. Raises BadConfiguration unless they fit."""
    card, stated = draft.card, draft.network
    network = network_of(source, stated.image_size, stated.pos_embed_source, stated.neck_source)
    if network.config.classes != len(card.segments):
        what = f"names {len(card.segments)}, {source.file} has {network.config.classes} classes"
        raise BadConfiguration(f"{draft.file}: output.segments", what, "Name one segment for each class, in its order")
    prepared = preparation(stated.contrast, stated.normalize)
    return Segmenter(network, prepared, card.encoding).requires_grad_(False).eval()


def at_once(config: NetworkConfig) -> int:
    """Slices whose attention matrices fit into the memory that one global block may take."""
    return max(1, min(16, _ATTENTION_BYTES // (4 * config.heads * config.grid**4)))


def _fill(folder: Path, segmenter: Segmenter, source: Checkpoint, draft: Draft, say: Say, tolerance: float) -> None:
    """Every file of the model folder."""
    weights = folder / draft.card.version / "model.onnx"
    weights.parent.mkdir(parents=True)
    (folder / "configs").mkdir()
    with _step(say, "write ONNX (at ViT-B's size a minute or two)"):
        export.trace(segmenter, weights)
    with _step(say, "compare ONNX Runtime with torch"):
        labels = _parity(segmenter, weights, say, tolerance)
    with _step(say, "finish and check ONNX"):
        export.keep_labels(weights)
    np.savez_compressed(folder / "canary.npz", labels=labels)
    _warn(draft.card, labels, say)
    _seal(folder, segmenter, source, draft)


def _parity(segmenter: Segmenter, onnx: Path, say: Say, tolerance: float) -> NDArray[np.uint8]:
    """The canary's labels. Raises ModelFailed where the two engines differ on the canary or on noise of other sizes."""
    noise = np.random.default_rng(2).integers(0, 65536, (3, 301, 177))
    asked = (("the canary", canary.slices()), ("noise", noise))
    found = [(name, export.compare(segmenter, onnx, slices.astype(np.int32))) for name, slices in asked]
    for name, parity in found:
        say(
            f"  {name}: relative error of the logits {parity.typical:.1e} (worst slice {parity.worst:.1e}), "
            f"{parity.labels:.4%} of the labels equal"
        )
    for name, parity in found:
        if not parity.within(tolerance):
            raise ModelFailed(
                f"ONNX Runtime differs from torch on {name}: relative error of the logits {parity.typical:.1e}, "
                f"worst slice {parity.worst:.1e}; nothing was written"
            )
    return found[0][1].answer


def _warn(card: Card, labels: NDArray[np.uint8], say: Say) -> None:
    bits = card.encoding is Encoding.BITS
    marks = {each.label: labels >> (each.number - 1) & 1 if bits else labels == each.number for each in card.segments}
    empty = [label for label, marked in marks.items() if not marked.any()]
    if empty:
        say(f"  note: the canary, a head, holds no {', '.join(empty)}: it proves less of this model")


def _seal(folder: Path, segmenter: Segmenter, source: Checkpoint, draft: Draft) -> None:
    """Card with all hashes, both configurations with the card's, and model.py."""
    config, version = segmenter.network.config, draft.card.version
    weights = {
        "file": f"{version}/model.onnx",
        "sha256": _sha256((folder / version / "model.onnx").read_bytes()),
        "parameters": sum(each.numel() for each in segmenter.parameters()),
    }
    _complete(draft.raw, weights, {"sha256": _sha256((folder / "canary.npz").read_bytes())})
    draft.raw["network"]["checkpoint_sha256"] = source.sha256
    card = _dumped(draft.raw)
    (folder / "card.yaml").write_bytes(card)
    (folder / version / "model.py").write_text(MODEL_PY, encoding="utf-8")
    number = at_once(config)
    serving = Serving(draft.card.name, _sha256(card), max(_FEWEST, number), number)
    (folder / "configs" / "cpu.pbtxt").write_text(cpu(serving), encoding="utf-8")
    (folder / "config.pbtxt").write_text(production(serving), encoding="utf-8")


def _complete(raw: Any, weights: dict[str, object], kept: dict[str, object]) -> None:
    for section, values in (("weights", weights), ("canary", kept)):
        if not isinstance(raw.setdefault(section, {}), dict):
            raw[section] = {}
        raw[section].update(values)


def _dumped(raw: Any) -> bytes:
    yaml, text = YAML(), StringIO()
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(raw, text)
    return text.getvalue().encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _step(say: Say, what: str) -> Iterator[None]:
    say(f"{what} …")
    begun = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - begun:.1f} s")
