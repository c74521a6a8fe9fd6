"""How well a calibration tells series apart: `python -m benchmarks.ood DATA [--model FOLDER]`.

DATA is a folder of folders of DICOM, one each a series. Heads are usual; a knee, a neck and a field map are not. Two
questions, and each is answered for whole series and for single slices (area under the ROC curve, 0.5 is chance):

    like the reference   other slices of the very series that the reference was fitted to: the same people and scanners
    never seen           each head against a reference of the other heads: other people, makers and sequences
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from node.adapters.triton import read_model
from node.core import ood
from node.mricore.vectors import embed

MODEL = Path(__file__).parents[1] / "triton_models" / "mri_core_head"
HEADS = (
    "siemens-t1-sag-hfs", "studyforrest-t1-ax-defaced", "ge-pd-ax-brain", "siemens-xa30-t1-enh", "derived-fpg-flair-ax",
    "canon-dti-classic", "philips-pcasl-classic",
)  # fmt: skip
OTHERS = ("ge-knee-mese-te1", "ge-knee-mese-te5", "derived-sct-cspine-t2s-ax", "ge-b0map-multi")
Vectors = NDArray[np.float32]
Scores = Sequence[float]


def auroc(usual: Scores, other: Scores) -> float:
    """The chance that something else scores higher than something usual."""
    below = np.asarray(usual)[:, None]
    above = np.asarray(other)[None]
    return float((above > below).mean() + 0.5 * (above == below).mean())


def blocks(vectors: Vectors, odd: int) -> Vectors:
    """Every other sixth of a series: neighbouring slices do not stand on both sides."""
    return vectors[np.arange(len(vectors)) * 6 // len(vectors) % 2 == odd]


def scores(reference: ood.Reference, vectors: Vectors) -> tuple[float, Scores]:
    """Of a series, and of each of its slices."""
    return reference.oddity(vectors).score, [reference.oddity(each[None]).score for each in vectors]


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("data", type=Path)
    asked.add_argument("--model", type=Path, default=MODEL)
    options = asked.parse_args()
    files = [path for name in HEADS + OTHERS for path in sorted((options.data / name).glob("*"))]
    found = {each.series: each.vectors for each in embed(read_model(options.model), files) if each.vectors is not None}
    heads = {name: found[name] for name in HEADS}
    whole = ood.fit(list(heads.values()))
    half = ood.fit([blocks(each, 0) for each in heads.values()])
    never = {name: _without(heads, name) for name in heads}
    cases = {
        "like the reference": (
            {name: scores(half, blocks(each, 1)) for name, each in heads.items()},
            {name: scores(half, found[name]) for name in OTHERS},
        ),
        "never seen": (
            {name: scores(never[name], each) for name, each in heads.items()},
            {name: scores(whole, found[name]) for name in OTHERS},
        ),
    }
    print("| question | AUROC, series | AUROC, slices |\n|---|---|---|")
    for question, (usual, other) in cases.items():
        of_series = auroc([each for each, _ in usual.values()], [each for each, _ in other.values()])
        of_slices = auroc(*(np.concatenate([each for _, each in side.values()]) for side in (usual, other)))
        print(f"| {question} | {of_series:.2f} | {of_slices:.2f} |")
    print("\n| series | slices | score, never seen | score, like the reference |\n|---|---|---|---|")
    for name in HEADS + OTHERS:
        of = [next(side[name][0] for side in sides if name in side) for sides in cases.values()]
        print(f"| {name} | {len(found[name])} | {of[1]:.2f} | {of[0]:.2f} |")


def _without(heads: Mapping[str, Vectors], name: str) -> ood.Reference:
    return ood.fit([each for other, each in heads.items() if other != name])


if __name__ == "__main__":
    main()
