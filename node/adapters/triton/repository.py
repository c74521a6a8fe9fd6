"""A model repository on disk: cards, both flavours of each configuration, and whether they all agree.

    triton_models/<model>/
      card.yaml            what the node must know (node/core/card.py)
      config.pbtxt         production flavour, TensorRT on a GPU
      configs/cpu.pbtxt    CPU flavour: the same name, tensors and batch size
      canary.npz           the labels that the canary slices must give
      <version>/           model.py and model.onnx; model.plan is built where it is served

No server is needed to read it, and every fault is found before one is started.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2

from node.core.card import Card, parse_card
from node.errors import BadConfiguration


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model, without its batch axis."""

    name: str
    datatype: str  # Triton's name: INT32, UINT8
    dims: tuple[int, ...]  # -1 is free


@dataclass(frozen=True)
class Contract:
    """What a configuration promises to clients."""

    name: str
    max_batch_size: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


SLICES = Tensor("slices", "INT32", (-1, -1))  # native rows and columns; INT32 because TensorRT knows no UINT16
LABELS = Tensor("labels", "UINT8", (-1, -1))  # native rows and columns, encoded as the card says


@dataclass(frozen=True)
class Model:
    """A model whose card, configurations and weights agree."""

    folder: Path
    card: Card
    contract: Contract
    canary: NDArray[np.uint8]  # labels (N, H, W) that the canary slices must give


def read_repository(folder: Path) -> tuple[Model, ...]:
    """Read every model below a folder, by name. Raises BadConfiguration naming the file and the cure."""
    if not folder.is_dir():
        raise BadConfiguration(str(folder), "is not a folder", "Name the folder that holds the models")
    models = tuple(read_model(each) for each in sorted(folder.iterdir()) if (each / "config.pbtxt").is_file())
    if not models:
        raise BadConfiguration(str(folder), "holds no model", "A model is a folder with config.pbtxt and card.yaml")
    return models


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
    return Model(folder, card, contract, _labels(folder / "canary.npz"))


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
    if contract.inputs != (SLICES,) or contract.outputs != (LABELS,) or contract.max_batch_size < 1:
        what = f"takes {contract.inputs} and gives {contract.outputs}"
        raise BadConfiguration(str(file), what, f"The node sends {SLICES} in batches and expects {LABELS}")
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


def _labels(file: Path) -> NDArray[np.uint8]:
    try:
        with np.load(file, allow_pickle=False) as kept:
            labels: NDArray[np.uint8] = kept["labels"]
    except (OSError, KeyError, ValueError) as fault:
        raise BadConfiguration(str(file), "holds no array `labels`") from fault
    return labels
