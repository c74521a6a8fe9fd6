"""Every tensor of a state dict is accounted for: what is wanted is there and sound, the rest is known and dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from node.errors import BadConfiguration


def account(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], known: re.Pattern[str], where: str) -> None:
    """Raise BadConfiguration unless `state` holds all that is `wanted`, and nothing else but what is `known`.

    `wanted` may lie on the meta device: its shapes and types count. `known` finds the names of tensors that may be
    there and have no part in the answer. `where` names the file in the message.
    """
    for key in sorted(wanted.keys() - state.keys()):
        raise BadConfiguration(where, f"the state dict lacks {key}{_more(len(wanted.keys() - state.keys()))}")
    unknown = sorted(key for key in state.keys() - wanted.keys() if not known.search(key))
    for key in unknown:
        raise BadConfiguration(where, f"the state dict has unknown {key}{_more(len(unknown))}")
    for key, tensor in wanted.items():
        _same_shape(key, tuple(state[key].shape), tuple(tensor.shape), where)
        if state[key].dtype != tensor.dtype:
            raise BadConfiguration(
                where, f"{key} is {_plain(state[key].dtype)}, not {_plain(tensor.dtype)}", "Save full-precision weights"
            )
        if not torch.isfinite(state[key]).all():
            raise BadConfiguration(where, f"{key} holds values that are not finite", "Its training has failed")


def _same_shape(key: str, found: tuple[int, ...], wanted: tuple[int, ...], where: str) -> None:
    if found != wanted:
        raise BadConfiguration(
            where, f"the state dict has another shape for {key}: {_by(found)}, the network's is {_by(wanted)}"
        )


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a number"


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
