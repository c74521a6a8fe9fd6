"""What goes into a model: one series, or several by name."""

from __future__ import annotations

import math
import re

from node.core.card.card import Brought, Input, NamedInput
from node.core.card.reader import Reader
from node.errors import BadConfiguration

MOST_INPUTS = 8
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")  # as rules name their needs
_HIGHEST = 65535  # of whole numbers that are sent


def read_input(read: Reader) -> Input:
    """What a series must be."""
    slices = read.section("slices")
    return Input(
        modality=read.texts("modality"),
        orientation=read.texts("orientation"),
        slices_at_least=slices.integer("at_least"),
        slices_at_most=slices.integer("at_most"),
        body_parts=read.texts("body_parts"),
        intensity=read.text("intensity"),
    )


def read_inputs(card: Reader) -> tuple[NamedInput, ...]:
    """`inputs` of a card, in the order of the model's tensors. Raises BadConfiguration."""
    if card.has("input"):
        raise BadConfiguration(card.at("inputs"), "stands beside input", "Keep one of them")
    if card.has("shared"):
        raise BadConfiguration(card.at("inputs"), "cannot go with a shared encoder", "Export the model as a whole")
    inputs = tuple(_named(one) for one in card.sections("inputs"))
    names = [one.name for one in inputs]
    if not 2 <= len(inputs) <= MOST_INPUTS or len(set(names)) < len(names):
        raise BadConfiguration(card.at("inputs"), f"must be 2 to {MOST_INPUTS}, and no name twice", "One is `input`")
    if sum(one.reference for one in inputs) != 1:
        raise BadConfiguration(card.at("inputs"), "needs one `reference: true`: the result lies on its grid")
    return inputs


def _named(read: Reader) -> NamedInput:
    name = read.text("name")
    if not _NAME.fullmatch(name):
        what = f"{name!r} must be lower-case letters, digits and underscores: rules name their needs so"
        raise BadConfiguration(read.at("name"), what)
    if read.flag("reference"):
        return NamedInput(name, read_input(read), reference=True, brought=Brought.OWN_GRID)
    brought = Brought(read.choice("brought", Brought)) if read.has("brought") else Brought.RESAMPLED
    outside = read.number("outside") if read.has("outside") else 0.0
    if not math.isfinite(outside) or abs(outside) > _HIGHEST:
        raise BadConfiguration(read.at("outside"), f"must be a number from -{_HIGHEST} to {_HIGHEST}")
    covers = read.number("covers_at_least") if read.has("covers_at_least") else 0.5
    if not 0 < covers <= 1:
        raise BadConfiguration(read.at("covers_at_least"), f"{covers:g} is no share above 0 and up to 1")
    return NamedInput(name, read_input(read), brought=brought, outside=outside, covers_at_least=covers)
