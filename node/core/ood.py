"""How unlike a site's usual series one is: a distance in the space of a model's own embeddings.

A reference is fitted to the embeddings of slices of series that are usual where the model is used:

1. brought to length 1 (as Sun et al. 2022 do), centred, and rotated to the principal components that hold most of the
   variance (PCA), so that directions in which nothing ever varied cannot dominate;
2. divided by the standard deviations of the components, their variances drawn towards their mean (shrinkage), since
   few series say little of the small ones. Distances are then Mahalanobis's;
3. a slice's score is its distance to its nearest neighbour among slices of the reference in that space, which also
   holds where usual series form several clouds;
4. a series' score is the median over its slices: some odd slices make no odd series.

The percentile tells where the score lies among reference series, each of them scored against all others. It says that
a series looks unlike those, to this model; not that the model is wrong on it, nor, when it is low, that it is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.errors import BadConfiguration

VERSION = 1  # of the arrays of a reference
SERIES_AT_LEAST = 3  # each is scored against the others
_VARIANCE = 0.99  # that the principal components hold
_COMPONENTS_AT_MOST = 8
_SHRINKAGE = 0.1  # of each variance, towards the mean of all
_NEIGHBOURS = 1
_SLICES_AT_MOST = 64  # of one reference series: neighbouring slices are much alike

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Oddity:
    """What is said of a series."""

    score: float  # in standard deviations of usual slices
    percentile: float  # 0..100, among reference series
    calibration: str = ""  # SHA-256 of the file that holds the reference

    @property
    def unusual(self) -> bool:
        """Whether no reference series was as far from the others."""
        return self.percentile >= 100.0


@dataclass(frozen=True)
class Reference:
    """What is usual, fitted by `fit`."""

    mean: Vectors  # (width,)
    axes: Vectors  # (components, width), divided by the standard deviations
    slices: Vectors  # (slices, components): the reference in the whitened space
    scores: Vectors  # (series,): of each reference series against the others, ascending

    def oddity(self, vectors: Vectors) -> Oddity:
        """Of a series, by its slices' embeddings (slices, width). Raises ValueError for vectors of another width."""
        if vectors.ndim != 2 or not len(vectors) or vectors.shape[1] != len(self.mean):
            raise ValueError(f"embeddings must be (slices, {len(self.mean)}), not {vectors.shape}")
        score = _score(_whitened(vectors, self.mean, self.axes), self.slices)
        below = np.searchsorted(self.scores, score, side="right")
        return Oddity(round(score, 3), round(100 * float(below) / len(self.scores), 1))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What a file must hold for `reference`."""
        return {"mean": self.mean, "axes": self.axes, "slices": self.slices, "scores": self.scores}


def fit(series: Sequence[Vectors]) -> Reference:
    """Fit a reference to the embeddings (slices, width) of usual series. Raises BadConfiguration for too few."""
    if len(series) < SERIES_AT_LEAST:
        cure = "Name more of them; some dozens make a useful percentile"
        raise BadConfiguration("calibration", f"{len(series)} series are fewer than {SERIES_AT_LEAST}", cure)
    thinned = [_thinned(each) for each in series]
    scores = []
    for left_out, each in enumerate(thinned):
        others = [other for number, other in enumerate(thinned) if number != left_out]
        mean, axes = _axes(others)
        scores.append(_score(_whitened(each, mean, axes), _whitened(np.concatenate(others), mean, axes)))
    mean, axes = _axes(thinned)
    return Reference(
        mean, axes, _whitened(np.concatenate(thinned), mean, axes), np.sort(np.asarray(scores, np.float32))
    )


def reference(arrays: Mapping[str, NDArray[np.float32]]) -> Reference:
    """Read what `Reference.arrays` gave. Raises ValueError for arrays that do not fit together."""
    try:
        mean, axes, slices, scores = (np.asarray(arrays[name], np.float32) for name in Reference.__dataclass_fields__)
    except KeyError as missing:
        raise ValueError(f"holds no array {missing}") from missing
    fits = (
        mean.ndim == scores.ndim == 1
        and axes.ndim == slices.ndim == 2
        and axes.shape == (slices.shape[1], len(mean))
        and len(scores) >= SERIES_AT_LEAST
        and len(slices) > 0
    )
    if not fits or not all(np.isfinite(each).all() for each in (mean, axes, slices, scores)):
        raise ValueError("its arrays do not fit together")
    return Reference(mean, axes, slices, scores)


def _thinned(vectors: Vectors) -> Vectors:
    """Some slices of a series, evenly spread, so that a long series does not outweigh the others."""
    chosen = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), _SLICES_AT_MOST)).round().astype(int))
    return np.asarray(vectors[chosen], np.float32)


def _axes(series: Sequence[Vectors]) -> tuple[Vectors, Vectors]:
    """Mean (width,) and whitening axes (components, width)."""
    every = _normal(np.concatenate(series)).astype(np.float64)
    mean = every.mean(0)
    _, singular, rows = np.linalg.svd(every - mean, full_matrices=False)
    variances = np.square(singular) / max(1, len(every) - 1)
    share = np.cumsum(variances) / max(float(variances.sum()), 1e-30)
    kept = max(1, min(_COMPONENTS_AT_MOST, int(np.searchsorted(share, _VARIANCE)) + 1))
    shrunken = (1 - _SHRINKAGE) * variances[:kept] + _SHRINKAGE * variances[:kept].mean()
    return mean.astype(np.float32), (rows[:kept] / np.sqrt(np.maximum(shrunken, 1e-12))[:, None]).astype(np.float32)


def _whitened(vectors: Vectors, mean: Vectors, axes: Vectors) -> Vectors:
    return np.asarray((_normal(vectors) - mean) @ axes.T, np.float32)


def _normal(vectors: Vectors) -> Vectors:
    """Of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def _score(slices: Vectors, among: Vectors) -> float:
    """The median slice's mean distance to its nearest neighbours, per component."""
    squares = (slices**2).sum(1)[:, None] + (among**2).sum(1)[None] - 2 * slices @ among.T
    nearest = np.sort(np.maximum(squares, 0), axis=1)[:, : min(_NEIGHBOURS, len(among))]
    return float(np.median(np.sqrt(nearest).mean(1)) / np.sqrt(slices.shape[1]))
