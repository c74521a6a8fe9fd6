"""A checkpoint file: read without running anything in it, recognised, and named as the network names its tensors.

Four kinds are known:

    teacher      MRI_CORE_vitb.pth, the DINOv2 teacher of a plain ViT-B/16 at 224 px: no neck, no decoder
    fine_tuned   the full state dict of a fine-tuned MRI-CORE (image_encoder.*, prompt_encoder.*, mask_decoder.*)
    sam          Meta's SAM ViT-B; its relative positions are dropped, as MRI-CORE drops them
    own          written here by `write`, or by the training: carries its sizes

The layout of the teacher is the one that three third parties report; the code that reads it renames and never guesses.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from node.errors import BadConfiguration
from node.mricore.config import NetworkConfig
from node.mricore.network import Network


class Kind(StrEnum):
    """What a checkpoint is."""

    TEACHER = "teacher"
    FINE_TUNED = "fine_tuned"
    SAM = "sam"
    OWN = "own"


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors under the network's names; nothing is said yet about whether they are complete."""

    file: str  # for messages
    sha256: str  # of the file
    kind: Kind
    state: Mapping[str, Tensor]
    config: NetworkConfig | None  # of an own checkpoint; every other is ViT-B


_OWN = "mricore_node"  # key of the sizes in an own checkpoint
_WRAPPERS = ("teacher", "network", "model", "state_dict")
_CHUNKED = re.compile(r"^blocks\.\d+\.(\d+)\.")
_SAVE_AGAIN = "Save it again with torch.save"


def contents(network: Network) -> dict[str, object]:
    """What an own checkpoint holds: tensors and the sizes they belong to."""
    return {_OWN: asdict(network.config), "network": network.state_dict()}


def write(network: Network, path: Path) -> None:
    """Write an own checkpoint."""
    torch.save(contents(network), path)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint on the CPU. Raises BadConfiguration with one sentence for whatever is no such file."""
    sha256 = _sound(path)
    loaded = _loaded(path)
    where = path.name
    state = _tensors(_unwrapped(loaded), where)
    kind = _kind(loaded, state, where)
    config = _config(loaded[_OWN], where) if kind is Kind.OWN else None
    return Checkpoint(where, sha256, kind, _renamed(state, where) if kind is Kind.TEACHER else state, config)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A plain state dict, read as safely, whatever network it is of. Raises BadConfiguration."""
    _sound(path)
    return _tensors(_unwrapped(_loaded(path)), path.name)


def _sound(path: Path) -> str:
    """The file's sha256, once its archive is found whole; torch itself does not look at the checksums."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise BadConfiguration(path.name, "is a compressed archive, not a checkpoint", _SAVE_AGAIN)
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise BadConfiguration(
                    path.name, "claims to hold more than its size, as no checkpoint does", _SAVE_AGAIN
                )
            damaged = archive.testzip()
    except OSError as fault:
        raise BadConfiguration(str(path), f"cannot be read: {fault.strerror or fault}") from fault
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as fault:
        what = "is cut short, damaged or no checkpoint of torch (1.6 or later)"
        raise BadConfiguration(path.name, what, "Compare its size with the original's") from fault
    if damaged:
        raise BadConfiguration(path.name, f"is damaged: the checksum of {damaged} is wrong", "Copy it again")
    return sha256


def _loaded(path: Path) -> Mapping[object, object]:
    """What torch reads from the file; only tensors and plain values are let in, no code."""
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as refused:
        what = "holds more than tensors and plain values; nothing in it was run"
        raise BadConfiguration(path.name, what, "Save its state_dict() alone") from refused
    except Exception as fault:  # a forged archive can make torch raise anything
        raise BadConfiguration(path.name, "is not a checkpoint that torch can read", _SAVE_AGAIN) from fault
    if not isinstance(loaded, Mapping):
        raise BadConfiguration(path.name, "holds no state dict", "Save the network's state_dict()")
    return cast("Mapping[object, object]", loaded)


def _unwrapped(loaded: Mapping[object, object]) -> Mapping[object, object]:
    for wrapper in _WRAPPERS:
        inner = loaded.get(wrapper)
        if isinstance(inner, Mapping):
            return cast("Mapping[object, object]", inner)
    return loaded


def _tensors(state: Mapping[object, object], where: str) -> dict[str, Tensor]:
    """The tensors by name, without the prefix that data-parallel training leaves."""
    made: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise BadConfiguration(where, f"is no state dict: {str(key)[:60]!r} is no tensor with a name")
        if tensor.layout != torch.strided or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise BadConfiguration(where, f"{key} claims more values than the file holds", _SAVE_AGAIN)
        made[key] = tensor.detach()
    parallel = bool(made) and all(key.startswith("module.") for key in made)
    return {key.removeprefix("module."): tensor for key, tensor in made.items()} if parallel else made


def _kind(loaded: Mapping[object, object], state: Mapping[str, Tensor], where: str) -> Kind:
    if _OWN in loaded:
        return Kind.OWN
    if any(key.startswith("backbone.") for key in state):
        return Kind.TEACHER
    if any(key.startswith("image_encoder.") for key in state):
        return Kind.SAM if any(".rel_pos_" in key for key in state) else Kind.FINE_TUNED
    first = next(iter(state), None)
    begins = f"it begins with {first[:60]!r}" if first else "it is empty"
    raise BadConfiguration(where, f"is a checkpoint of neither MRI-CORE nor SAM: {begins}")


def _config(said: object, where: str) -> NetworkConfig:
    """The sizes of an own checkpoint."""
    names = {field.name for field in fields(NetworkConfig)}
    if not isinstance(said, Mapping) or set(said) != names:
        raise BadConfiguration(where, "does not say its sizes as this version writes them")
    sizes: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
    plain = all(type(value) is type(getattr(NetworkConfig, key)) for key, value in sizes.items())
    if not plain or not _sensible(NetworkConfig(**sizes)):
        raise BadConfiguration(where, "says sizes that no network has")
    return NetworkConfig(**sizes)


def _sensible(config: NetworkConfig) -> bool:
    """Whether a network of these sizes can be built, and is not absurdly large."""
    fits = (
        0 < config.image_size <= 2048 and config.image_size % 16 == 0,
        0 < config.depth <= 64 and 0 < config.classes <= 255 and 0 < config.window <= 128,
        0 < config.width <= 2048 and config.heads > 0 and config.width % config.heads == 0,
        32 <= config.embedding <= 1024 and 0 < config.decoder_hidden <= 8192 and config.decoder_heads > 0,
        0 < config.encoder_bottleneck <= 2048 and 0 < config.decoder_bottleneck <= 1024,
        all(isinstance(block, int) for block in (*config.global_blocks, *config.adapter_blocks)),
    )
    return all(fits) and config.embedding % (2 * config.decoder_heads) == 0


def _renamed(state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The teacher's tensors under the encoder's names. The second number of a block is its place among all blocks."""
    made: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = _CHUNKED.sub(r"blocks.\1.", key.removeprefix("backbone."))
        name = name.replace(".mlp.fc1.", ".mlp.lin1.").replace(".mlp.fc2.", ".mlp.lin2.")
        if name in made:
            raise BadConfiguration(where, f"has two tensors for {name}: its blocks are not numbered through")
        made[name] = tensor
    return made
