"""From a trained network to a model folder that Triton serves: weights, canary labels, card and fingerprints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from node.adapters.triton import canary
from node.errors import BadConfiguration
from node.mricore.export import export
from node.mricore.segmenter import Segmenter
from node.mricore.training.evaluate import Figure, labels_of


def publish(segmenter: Segmenter, folder: Path, figures: Sequence[Figure]) -> None:
    """Write 1/model.onnx and canary.npz, and bring card.yaml and both configurations up to date."""
    weights, expected = folder / "1" / "model.onnx", folder / "canary.npz"
    export(segmenter, weights)
    np.savez_compressed(expected, labels=labels_of(segmenter, canary.slices()))
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    card = yaml.load((folder / "card.yaml").read_text())
    card["weights"]["sha256"] = _sha256(weights)
    card["weights"]["parameters"] = sum(each.numel() for each in segmenter.parameters())
    card["canary"]["sha256"] = _sha256(expected)
    if figures:
        card["quality"] = [_entry(figure) for figure in figures]
    written = StringIO()
    yaml.dump(card, written)
    (folder / "card.yaml").write_text(written.getvalue())
    for configuration in (folder / "config.pbtxt", folder / "configs" / "cpu.pbtxt"):
        _seal(configuration, _sha256(folder / "card.yaml"))


def _entry(figure: Figure) -> dict[str, object]:
    """A figure as plain YAML values; the share of marked pixels says what happens where nothing should be marked."""
    return {
        "series": figure.series,
        "slices": figure.slices,
        "reference": figure.reference,
        "dice_head": None if figure.head is None else round(figure.head, 3),
        "dice_brain": None if figure.brain is None else round(figure.brain, 3),
        "marked_head": round(figure.marked_head, 3),
        "marked_brain": round(figure.marked_brain, 3),
    }


def _seal(configuration: Path, sha256: str) -> None:
    """Put the card's fingerprint into a configuration."""
    pattern = r'(key: "card_sha256" value: \{ string_value: ")[0-9a-f]*(")'
    text, count = re.subn(pattern, rf"\g<1>{sha256}\g<2>", configuration.read_text())
    if count != 1:
        raise BadConfiguration(str(configuration), "must have one parameter card_sha256 on a line of its own")
    configuration.write_text(text)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
