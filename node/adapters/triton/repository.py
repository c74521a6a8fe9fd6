"""A model repository on disk: cards, both flavours of each configuration, and whether they all agree.

    triton_models/<model>/
      card.yaml            what the node must know (node/core/card.py)
      config.pbtxt         production flavour, TensorRT on a GPU
      configs/cpu.pbtxt    CPU flavour: the same name, tensors and batch size
      canary.npz           what the canary slices must give: labels, answers or embedding, by the card's kind
      <version>/           model.py and model.onnx; model.plan is built where it is served

An ensemble has a configuration only: it joins a shared encoder and a head for clients other than the node.

No server is needed to read it, and every fault is found before one is started.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2

from node.adapters.triton.contract import LABELS, SLICES, Contract, Tensor, takes_numbers, unlike_card
from node.core.card import Card, parse_card
from node.errors import BadConfiguration

__all__ = ["LABELS", "SLICES", "Contract", "Model", "Tensor", "ensembles", "read_model", "read_repository"]


@dataclass(frozen=True)
class Model:
    """A model whose card, configurations and weights agree."""

    folder: Path
    card: Card
    contract: Contract
    canary: NDArray[Any]  # what the canary slices must give: the model's first output

    @property
    def takes_floats(self) -> bool:
        """Whether slices are sent as FP32 modality values, not as whole numbers."""
        return any(takes_numbers(tensor) for tensor in self.contract.inputs)

    def gives(self, output: str) -> bool:
        """Whether it has an output of that name."""
        return any(tensor.name == output for tensor in self.contract.outputs)


def read_repository(folder: Path) -> tuple[Model, ...]:
    """Read every model below a folder, by name. Raises BadConfiguration naming the file and the cure."""
    if not folder.is_dir():
        raise BadConfiguration(str(folder), "is not a folder", "Name the folder that holds the models")
    there = sorted(each for each in folder.iterdir() if (each / "config.pbtxt").is_file())
    models = tuple(read_model(each) for each in there if not _is_ensemble(each))
    if not models:
        raise BadConfiguration(str(folder), "holds no model", "A model is a folder with config.pbtxt and card.yaml")
    weights = {model.card.name: model.card.weights.sha256 for model in models}
    for model in models:
        _same_encoder(model, weights)
    return models


def ensembles(folder: Path) -> tuple[str, ...]:
    """The names of the repository's ensembles."""
    return tuple(sorted(each.parent.name for each in folder.glob("*/config.pbtxt") if _is_ensemble(each.parent)))


def _is_ensemble(folder: Path) -> bool:
    return not (folder / "card.yaml").exists() and b'platform: "ensemble"' in _bytes(folder / "config.pbtxt")


def _same_encoder(model: Model, weights: Mapping[str, str]) -> None:
    """A shared head and its encoder are of one network."""
    shared = model.card.shared
    if shared is None or weights.get(shared.encoder) == shared.weights_sha256:
        return
    what = f"names the encoder {shared.encoder}, which is not there"
    if shared.encoder in weights:
        what = f"was cut from another encoder than the {shared.encoder} that is there"
    raise BadConfiguration(f"{model.folder / 'card.yaml'}: shared", what, "Export the head again, with --share")


def read_model(folder: Path) -> Model:
    """Read one model. Raises BadConfiguration naming the file and the cure."""
    card_file = folder / "card.yaml"
    card = parse_card(_bytes(card_file), str(card_file))
    if card.name != folder.name:
        raise BadConfiguration(f"{card_file}: name", f"is {card.name!r}, the folder is {folder.name!r}", "Use one name")
    contract = _agreed(folder, card)
    if not (folder / card.version).is_dir():
        raise BadConfiguration(f"{card_file}: version", f"there is no folder {card.version!r} beside the card")
    _same_hash(folder / card.weights.file, card.weights.sha256, f"{card_file}: weights.sha256")
    _same_hash(folder / "canary.npz", card.canary_sha256, f"{card_file}: canary.sha256")
    return Model(folder, card, contract, _kept(folder / "canary.npz", contract.outputs[0].name))


def _agreed(folder: Path, card: Card) -> Contract:
    """The contract that both flavours promise and the card expects."""
    contracts = [_contract(file, card) for file in (folder / "config.pbtxt", folder / "configs" / "cpu.pbtxt")]
    if contracts[0] != contracts[1]:
        raise BadConfiguration(
            str(folder / "configs" / "cpu.pbtxt"),
            f"promises {contracts[1]}, config.pbtxt {contracts[0]}",
            "Name, tensors and max_batch_size must be the same in both",
        )
    return contracts[0]


def _contract(file: Path, card: Card) -> Contract:
    try:
        config = text_format.Parse(_bytes(file).decode(), model_config_pb2.ModelConfig())
    except (text_format.ParseError, UnicodeDecodeError) as broken:
        raise BadConfiguration(str(file), f"is not a Triton model configuration: {broken}") from broken
    if config.name != card.name:
        raise BadConfiguration(f"{file}: name", f"is {config.name!r}, the card's is {card.name!r}", "Use one name")
    stated = config.parameters["card_sha256"].string_value if "card_sha256" in config.parameters else ""
    if stated != card.sha256:
        cure = f"Read the card again, then put {card.sha256}"
        raise BadConfiguration(f"{file}: card_sha256", "does not belong to card.yaml", cure)
    contract = Contract(
        name=config.name,
        max_batch_size=config.max_batch_size,
        inputs=tuple(_tensor(each) for each in config.input),
        outputs=tuple(_tensor(each) for each in config.output),
    )
    if (unlike := unlike_card(contract, card)) or contract.max_batch_size < 1:
        what = f"takes {contract.inputs} and gives {contract.outputs} in batches of {contract.max_batch_size}"
        raise BadConfiguration(str(file), what, f"By its card: {unlike or 'batches of 1 at least'}")
    return contract


def _tensor(stated: model_config_pb2.ModelInput | model_config_pb2.ModelOutput) -> Tensor:
    datatype = model_config_pb2.DataType.Name(stated.data_type).removeprefix("TYPE_")
    return Tensor(stated.name, datatype, tuple(stated.dims))


def _same_hash(file: Path, sha256: str, key: str) -> None:
    found = hashlib.sha256(_bytes(file)).hexdigest()
    if found != sha256:
        raise BadConfiguration(key, f"{file.name} has sha256 {found}", "The file is not the one the card was made for")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise BadConfiguration(str(file), f"cannot be read: {fault.strerror}") from fault


def _kept(file: Path, name: str) -> NDArray[Any]:
    try:
        with np.load(file, allow_pickle=False) as kept:
            array: NDArray[Any] = kept[name]
    except (OSError, KeyError, ValueError) as fault:
        raise BadConfiguration(str(file), f"holds no array `{name}`") from fault
    return array
