"""From a checkpoint and a draft of its card to model folders that Triton serves."""

from __future__ import annotations

import copy
import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.adapters.triton import canary, read_model
from node.core.card import Card, Encoding, Kind
from node.errors import BadConfiguration, ModelFailed
from node.mricore import export, making, served
from node.mricore.checkpoint import read
from node.mricore.draft import Draft, complete, dumped
from node.mricore.flavours import MODEL_PY, Serving, cpu, production
from node.mricore.making import Part, Sources
from node.mricore.probe import Probe, read_probe

TOLERANCE = 1e-3  # relative error of what is measured; 1e-5 to 3e-4 seen where the graph is right, near 1 where wrong
_FEWEST = 4  # slices of a batch: as many as the node's client sends in one request
_TICK_S = 15.0  # a step that takes long says so this often

Say = Callable[[str], None]


@dataclass(frozen=True)
class Publishing:
    """What every model folder of one export has in common."""

    sources: Sources
    say: Say
    tolerance: float = TOLERANCE


def sources_of(checkpoint: Path, sam: Path | None, say: Say) -> Sources:
    """Read the files of weights. Raises BadConfiguration."""
    with step(say, f"read {checkpoint.name}"):
        source = read(checkpoint)
        beside = read(sam) if sam else None
    say(f"  {source.kind}, {len(source.state)} tensors, sha256 {source.sha256[:16]}...")
    return Sources(source, beside)


def publish(publishing: Publishing, draft: Draft, folder: Path, probe: Path | None = None) -> None:
    """Write a model of one piece, whole or not at all; one that exists is replaced by the finished one.

    `probe`: the file of a classification's linear probe. Raises BadConfiguration for a checkpoint, probe or card that
    does not fit, ModelFailed with the figure when ONNX Runtime differs from torch (export.Parity.within).
    """
    sources = publishing.sources
    part = making.whole(sources, draft, probe_of(sources, draft, probe))
    publishing.say(f"  {draft.card.kind}, {part.parameters:,} parameters")
    write(publishing, part, draft, folder, {})


def probe_of(sources: Sources, draft: Draft, file: Path | None) -> Probe | None:
    """The probe of a classification. Raises BadConfiguration where there is none, or one that nobody asked for."""
    if draft.card.kind is not Kind.CLASSIFICATION:
        if file is not None:
            raise BadConfiguration(f"{draft.file}: kind", f"is {draft.card.kind}: only a classification has a probe")
        return None
    if file is None:
        what = "is classification: its linear probe is a file of its own"
        raise BadConfiguration(f"{draft.file}: kind", what, "Name it with --probe")
    _, _, width = making.vectors_of(sources, draft)
    return read_probe(file, draft.card.questions, width)


def write(
    publishing: Publishing, part: Part, draft: Draft, folder: Path, more: Mapping[str, export.Arrays]
) -> export.Arrays:
    """One model folder; torch's answers to the canary, by output.

    `more`: what a head takes besides slices, by what it is made of ("the canary", "noise"). Raises as `publish`.
    """
    say = publishing.say
    partial = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    made = partial / folder.name
    try:
        (made / draft.card.version).mkdir(parents=True)
        (made / "configs").mkdir()
        weights = made / draft.card.version / "model.onnx"
        with step(say, f"{folder.name}: write ONNX (at ViT-B's size a minute or two)"):
            export.trace(part.graph, weights, floats=part.floats, shapes=part.shapes)
        with step(say, f"{folder.name}: compare ONNX Runtime with torch"):
            answers = _parity(publishing, part, weights, more)
        with step(say, f"{folder.name}: finish and check ONNX"):
            export.finish(part.graph, weights)
        first = part.gives[0].name
        np.savez_compressed(made / "canary.npz", **{first: answers[first]})  # type: ignore[arg-type] # numpy's stub
        if draft.card.kind is Kind.SEGMENTATION:
            _warn(draft.card, answers["labels"], say)
        _seal(made, part, draft, publishing.sources.checkpoint.sha256)
        with step(say, f"{folder.name}: check the folder: card, configurations, weights, canary"):
            served.check_canary(read_model(made), folder.parent)
        if folder.exists():
            folder.rename(partial / "replaced")
        made.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return answers


def noise() -> NDArray[np.int32]:
    """Slices of another size than the canary's: a graph that froze a size fails on them."""
    return np.random.default_rng(2).integers(0, 65536, (3, 301, 177)).astype(np.int32)


def given(part: Part, slices: NDArray[Any], more: export.Arrays) -> dict[str, NDArray[Any]]:
    """What a part is asked: slices as it takes them, and what else it takes."""
    asked = {"slices": slices.astype(np.float32 if part.floats else np.int32), **more}
    return {tensor.name: asked[tensor.name] for tensor in part.takes}


def _parity(publishing: Publishing, part: Part, onnx: Path, more: Mapping[str, export.Arrays]) -> export.Arrays:
    """Torch's answers to the canary. Raises ModelFailed where the engines differ on it or on noise of another size."""
    asked = (("the canary", canary.slices()), ("noise", noise()))
    found = [
        (name, export.compare(part.graph, onnx, given(part, slices, more.get(name, {})))) for name, slices in asked
    ]
    measured = part.graph.measured
    for name, parity in found:
        labels = f", {parity.labels:.4%} of the labels equal" if "labels" in part.graph.gives else ""
        publishing.say(
            f"  {name}: relative error of the {measured} {parity.typical:.1e} (worst slice {parity.worst:.1e}){labels}"
        )
    for name, parity in found:
        if not parity.within(publishing.tolerance):
            raise ModelFailed(
                f"ONNX Runtime differs from torch on {name}: relative error of the {measured} {parity.typical:.1e}, "
                f"worst slice {parity.worst:.1e}; nothing was written"
            )
    return found[0][1].answers


def _warn(card: Card, labels: NDArray[np.uint8], say: Say) -> None:
    bits = card.encoding is Encoding.BITS
    marks = {each.label: labels >> (each.number - 1) & 1 if bits else labels == each.number for each in card.segments}
    empty = [label for label, marked in marks.items() if not marked.any()]
    if empty:
        say(f"  note: the canary, a head, holds no {', '.join(empty)}: it proves less of this model")


def _seal(folder: Path, part: Part, draft: Draft, checkpoint_sha256: str) -> None:
    """Card with all hashes, both configurations with the card's, and model.py."""
    version, raw = draft.card.version, copy.deepcopy(draft.raw)
    weights = {
        "file": f"{version}/model.onnx",
        "sha256": sha256((folder / version / "model.onnx").read_bytes()),
        "parameters": part.parameters,
    }
    complete(raw, weights, {"sha256": sha256((folder / "canary.npz").read_bytes())})
    raw["network"]["checkpoint_sha256"] = checkpoint_sha256
    card = dumped(raw)
    (folder / "card.yaml").write_bytes(card)
    (folder / version / "model.py").write_text(MODEL_PY, encoding="utf-8")
    serving = serving_of(draft.card.name, part, sha256(card))
    (folder / "configs" / "cpu.pbtxt").write_text(cpu(serving), encoding="utf-8")
    (folder / "config.pbtxt").write_text(production(serving), encoding="utf-8")


def serving_of(name: str, part: Part, card_sha256: str) -> Serving:
    """How a part is served."""
    return Serving(name, card_sha256, max(_FEWEST, part.at_once), part.at_once, part.takes, part.gives)


def sha256(content: bytes) -> str:
    """As hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def step(say: Say, what: str) -> Iterator[None]:
    """Say what begins, now and then that it goes on, and how long it took."""
    say(f"{what} …")
    begun, over = time.monotonic(), threading.Event()

    def tick() -> None:
        while not over.wait(_TICK_S):
            say(f"  {time.monotonic() - begun:.0f} s so far")

    ticking = threading.Thread(target=tick, name="progress", daemon=True)
    ticking.start()
    try:
        yield
    finally:
        over.set()
        ticking.join()
    say(f"  done in {time.monotonic() - begun:.1f} s")
