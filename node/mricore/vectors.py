"""The embeddings of whole series, computed here: for a calibration no server is needed, and no torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from node.adapters.decoding import Decoder
from node.adapters.headers import Header, read_header
from node.adapters.triton import Model, read_model
from node.adapters.triton.contract import EMBEDDING, SLICES
from node.core.volume import volumes
from node.errors import BadConfiguration, NodeError, NotProcessable

_AT_ONCE = 8  # slices


@dataclass(frozen=True)
class Embedded:
    """One series: its slices' embeddings (slices, width), or why there are none."""

    series: str  # a label that names no patient: the folder of its first file
    vectors: NDArray[np.float32] | None
    refused: str = ""


class Embedder:
    """Asks a model's weights in ONNX Runtime for embeddings of slices."""

    def __init__(self, model: Model, threads: int = 2) -> None:
        """A head that shares an encoder is asked for its encoder's embedding: the encoder lies beside it.

        Raises BadConfiguration for a model that gives no embedding of slices alone.
        """
        if model.card.shared is not None:
            model = read_model(model.folder.parent / model.card.shared.encoder)
        takes = [tensor.name for tensor in model.contract.inputs]
        if not model.gives(EMBEDDING) or takes != [SLICES.name]:
            what, cure = "gives no embedding of slices", "Export it anew"
            if model.card.inputs:
                what, cure = "takes several series", "Only models of one series can be calibrated so far"
            raise BadConfiguration(model.card.name, what, cure)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        onnx = model.folder / model.card.weights.file
        self._session = onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])
        self._floats = model.takes_floats

    def vectors(self, slices: NDArray[Any]) -> NDArray[np.float32]:
        """Embeddings (N, width) of slices (N, H, W); slices of one value are left out."""
        shown = slices[slices.min((1, 2)) != slices.max((1, 2))]
        sent = shown.astype(np.float32 if self._floats else np.int32)
        parts = [self._session.run([EMBEDDING], {SLICES.name: sent[n : n + _AT_ONCE]})[0] for n in _starts(sent)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def embed(model: Model, files: Iterable[Path]) -> Iterator[Embedded]:
    """Every series of the files, one after the other, by its largest volume; one that cannot be used says why."""
    embedder = Embedder(model)
    with Decoder() as decoder:
        for name, headers in _by_series(files):
            paths = {str(header.ds.get("SOPInstanceUID", "")): path for path, header in headers}
            try:
                found = volumes([header.facts for _, header in headers])
                volume = max(found, key=lambda each: len(each.slices))
                _demand(len(volume.slices), model)
                pixels = decoder.decode(volume, paths)
                vectors = embedder.vectors(pixels.values if model.takes_floats else pixels.as_uint16())
            except NodeError as refused:
                yield Embedded(name, None, str(refused))
                continue
            yield Embedded(name, vectors) if len(vectors) else Embedded(name, None, "every slice is blank")


def _demand(slices: int, model: Model) -> None:
    wanted = model.card.input
    if not wanted.slices_at_least <= slices <= wanted.slices_at_most:
        takes = f"{wanted.slices_at_least} to {wanted.slices_at_most}"
        raise NotProcessable(f"{slices} slices: the model takes {takes}")


def _starts(slices: NDArray[Any]) -> range:
    return range(0, len(slices), _AT_ONCE)


def _by_series(files: Iterable[Path]) -> Sequence[tuple[str, Sequence[tuple[Path, Header]]]]:
    """Series → its files; what has no images is left out."""
    found: Mapping[tuple[str, str], list[tuple[Path, Header]]] = defaultdict(list)
    for path in files:
        try:
            header = read_header(path)
        except NodeError:
            continue
        if header.has_pixels:
            found[str(header.ds.get("SeriesInstanceUID", "")), path.parent.name].append((path, header))
    return [(name, headers) for (_, name), headers in found.items()]
