"""What a configuration promises to clients, and what a card demands of it."""

from __future__ import annotations

from dataclasses import dataclass

from node.core.card import Card, Kind


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
FLOAT_SLICES = Tensor("slices", "FP32", (-1, -1))  # modality values, of any scale
LABELS = Tensor("labels", "UINT8", (-1, -1))  # native rows and columns, encoded as the card says
OF_INPUT = "slices_"  # and the input's name in the card: slices of one of several series
PROBABILITIES, EMBEDDING, ANSWERS, FEATURES = "probabilities", "embedding", "answers", "features"


def slices_of(name: str) -> Tensor:
    """The tensor of one of several inputs of a card."""
    return Tensor(f"{OF_INPUT}{name}", SLICES.datatype, SLICES.dims)


def takes_numbers(tensor: Tensor) -> bool:
    """Whether a tensor holds slices as FP32."""
    named = tensor.name == SLICES.name or tensor.name.startswith(OF_INPUT)
    return named and (tensor.datatype, tensor.dims) == (FLOAT_SLICES.datatype, FLOAT_SLICES.dims)


def unlike_card(contract: Contract, card: Card) -> str:
    """What the card demands, in words; empty where the contract keeps it.

    What is demanded comes first, and in this order; optional outputs follow.
    """
    takes, gives, optional = _demanded(card)
    inputs = _as_whole_numbers(contract.inputs)
    more = contract.outputs[len(gives) :]
    kept = (
        _alike(inputs, takes)
        and _alike(contract.outputs[: len(gives)], gives)
        and all(any(_alike((tensor,), (known,)) for known in optional) for tensor in more)
        and len({tensor.name for tensor in more}) == len(more)
    )
    return "" if kept else f"it takes {_told(takes)} and gives {_told(gives)}, and may give {_told(optional)}"


def _as_whole_numbers(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Slices may be of either kind of numbers, where all of them are."""
    given = [tensor for tensor in inputs if tensor.name == SLICES.name or tensor.name.startswith(OF_INPUT)]
    if not all(takes_numbers(tensor) for tensor in given):
        return inputs
    return tuple(Tensor(each.name, SLICES.datatype, each.dims) if each in given else each for each in inputs)


_ANY = -2  # a number that the card does not say


def _demanded(card: Card) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs, outputs, optional outputs."""
    vector = Tensor(EMBEDDING, "FP32", (_ANY,))
    slices = tuple(slices_of(one.name) for one in card.inputs) or (SLICES,)
    if card.kind is Kind.SEGMENTATION:
        features = (Tensor(FEATURES, "FP32", (_ANY, _ANY, _ANY)),) if card.shared else ()
        probabilities = Tensor(PROBABILITIES, "FP32", (len(card.segments), -1, -1))
        return (*slices, *features), (LABELS,), (probabilities, *(() if card.shared else (vector,)))
    if card.kind is Kind.CLASSIFICATION:
        answers = Tensor(ANSWERS, "FP32", (sum(len(question.answers) for question in card.questions),))
        return ((vector,), (answers,), ()) if card.shared else (slices, (answers,), (vector,))
    width, shape = (card.vector.width, card.vector.features) if card.vector else (_ANY, None)
    features = (Tensor(FEATURES, "FP32", shape),) if shape else ()
    return slices, (Tensor(EMBEDDING, "FP32", (width,)), *features), ()


def _alike(found: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> bool:
    return len(found) == len(wanted) and all(
        (one.name, one.datatype, len(one.dims)) == (other.name, other.datatype, len(other.dims))
        and all(b in (a, _ANY) for a, b in zip(one.dims, other.dims, strict=True))
        for one, other in zip(found, wanted, strict=True)
    )


def _told(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{each.name} {each.datatype} {_dims(each.dims)}" for each in tensors) or "nothing"


def _dims(dims: tuple[int, ...]) -> str:
    return "[" + ", ".join("any" if each == _ANY else str(each) for each in dims) + "]"
