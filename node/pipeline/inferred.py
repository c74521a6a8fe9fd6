"""What a model said, kept until the results are made of it: an attempt that was cut off need not ask again."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.adapters.objects import ResultFiles
from node.core.card import Card

Answer = NDArray[Any]  # labels of a segmentation, uint8; probabilities or vectors of others, float32


@dataclass(frozen=True)
class Inferred:
    """The answer to one job, in a file that counts only for the same input and the same weights."""

    results: ResultFiles
    name: str
    digest: str  # of everything that the labels are a function of

    @classmethod
    def of(cls, results: ResultFiles, folder: str, card: Card, inputs_sha256: str, volume_key: str) -> Inferred:
        parts = (card.name, card.version, card.weights.sha256, card.sha256, inputs_sha256, volume_key)
        return cls(results, f"{folder}/labels.npz", hashlib.sha256("\x1f".join(parts).encode()).hexdigest())

    def find(self) -> Answer | None:
        """The answer that an earlier attempt kept; None when there are none for this input."""
        try:
            with np.load(BytesIO(self.results.path(self.name).read_bytes()), allow_pickle=False) as kept:
                if str(kept["digest"]) != self.digest:
                    return None
                return np.asarray(kept["labels"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None  # never kept, or damaged: asking the model again costs time only

    def keep(self, answer: Answer) -> None:
        """Durable on return, whole or not at all."""
        content = BytesIO()
        np.savez_compressed(content, labels=answer, digest=np.asarray(self.digest))
        self.results.keep(self.name, content.getvalue())

    def drop(self) -> None:
        """The results are kept; nobody needs the labels any more."""
        self.results.drop(self.name)
