"""What a rule leaves open: series that its model does not take, the node's own results, unknowns nobody decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.core.card import Card, Input
from node.core.rules.attributes import Operand, named
from node.core.rules.conditions import All, Condition, Exists, Leaf, Test
from node.core.rules.implication import Implication
from node.core.rules.mistakes import Mistake, Severity, Wrong
from node.core.rules.operators import AtLeast, Literal, OneOf, folded
from node.core.rules.program import leaves
from node.core.rules.reading import Known, Reading, Unknown
from node.core.rules.rule import Inference, Missing, Rule
from node.core.rules.truth import Truth

# Type 1 or always stated in a stored image (PS3.3 C.12.1, C.7.3.1, C.7.6.3), and what the node itself knows.
_ALWAYS_THERE = frozenset({
    "Modality", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns",
    "series.instances", "series.frames", "series.volumes", "series.sop_class", "series.sender", "series.sender_host",
    "series.called_ae", "series.received", "study.series", "study.modalities",
})  # fmt: skip
_OWN_RESULTS = {
    "segmentation": ("SEG", "1.2.840.10008.5.1.4.1.1.66.4", ("derived", "primary")),
    "report": ("SR", "1.2.840.10008.5.1.4.1.1.88.34", ()),
    "overlay": ("OT", "1.2.840.10008.5.1.4.1.1.7.4", ("derived", "secondary", "overlay")),
}
_ABSENT, _PRESENT = Unknown("is open", present=False), Unknown("is open")


@dataclass(frozen=True)
class Sketch:
    """A series of which only a few values are given; all else is open, even whether it is there."""

    given: Mapping[str, tuple[str, ...]]

    def reading(self, operand: Operand) -> Reading:
        values = self.given.get(operand.text)
        return _PRESENT if values is None else Known(values, "\\".join(values))

    def every(self, operand: Operand) -> tuple[Reading, ...]:
        values = self.given.get(operand.text)
        return (_PRESENT, _ABSENT) if values is None else (self.reading(operand),)


def check_loops(rules: Sequence[Rule]) -> Iterator[Mistake]:
    """Rules that give a model what a model made, when a destination sends it back."""
    for rule in rules:
        if not rule.active or not rule.then.infer:
            continue
        for what, (modality, sop_class, image_type) in _OWN_RESULTS.items():
            known: dict[str, tuple[str, ...]] = {
                "Modality": (modality.lower(),),
                "SOPClassUID": (sop_class,),
                "series.sop_class": (sop_class,),
            }
            if image_type:
                known["ImageType"] = image_type
            if rule.applies.evaluate(Sketch(known), {}).truth is not Truth.FALSE:
                yield Mistake(
                    rule.file,
                    rule.line,
                    f"{rule.name} could take the node's own {what}s, should they come back",
                    "Add `Modality: MR`, or whatever the model reads",
                    Severity.WARNING,
                )
                break


def check_unknowns(rules: Sequence[Rule]) -> Iterator[Mistake]:
    """Rules that may be left undecided, and do not say what then."""
    for rule in rules:
        if rule.says_unknown or not rule.then.takes:
            continue
        asked = {leaf.operand for leaf in leaves(rule.applies) if isinstance(leaf, Exists)}
        open_ones = [leaf.operand for leaf in leaves(rule.applies) if _may_be_missing(leaf, asked)]
        if open_ones:
            yield Mistake(
                rule.file,
                rule.line,
                f"{open_ones[0].text} may be missing, and {rule.name} does not say what then",
                "Add `on_unknown: no-match` to go on, or `on_unknown: hold`",
                Severity.WARNING,
            )


def _may_be_missing(leaf: Leaf, asked: set[Operand]) -> bool:
    return not isinstance(leaf, Exists) and leaf.operand not in asked and leaf.operand.text not in _ALWAYS_THERE


def check_inputs(rules: Sequence[Rule], models: Mapping[str, Card]) -> Iterator[Mistake]:
    """Rules that may, or do, give a model series that its card does not allow, or not all that it takes."""
    implication = Implication()
    for rule in rules:
        for inference in rule.then.infer if rule.active else ():
            card = models.get(inference.model)
            if card is None:
                continue
            lacking = list(_lacking(rule, inference, card))
            yield from lacking
            if not any(one.severity is Severity.ERROR for one in lacking):
                yield from _unfit(rule, inference, card, implication)


def _unfit(rule: Rule, inference: Inference, card: Card, implication: Implication) -> Iterator[Mistake]:
    """Series that the card does not allow."""
    never, left_open = list[str](), list[str]()
    for part, given, contract in _given(rule, card):
        wanted = _wanted(contract)
        never += [f"{part}{what}" for what, asked in wanted.items() if implication.exclude(given, asked)]
        left_open += [f"{part}{what}" for what, asked in wanted.items() if not implication.implies(given, asked)]
    if never:
        told = f"{rule.name} gives {inference.model} only series that it does not take: {never[0]}"
        yield Mistake(rule.file, inference.line, told, "Choose another model, or other series")
    elif left_open and not inference.tells_unsuitable:
        told = f"{rule.name} does not make sure of what {inference.model} needs: {', '.join(left_open)}"
        cure = "Ask for it, or say `unsuitable: not-processable`, which is how such series end"
        yield Mistake(rule.file, inference.line, told, cure, Severity.WARNING)


def _lacking(rule: Rule, inference: Inference, card: Card) -> Iterator[Mistake]:
    """Inputs of the model, by name, that the rule does not give, or may not."""
    if card.reference is None:
        return
    names, needs = [one.name for one in card.inputs], [need.name for need in rule.needs]
    takes = f"{card.name} takes {', '.join(names)}"
    if missing := [name for name in names if name not in needs]:
        cure = f"Name it: `needs: {{{', '.join(f'{name}: {{…}}' for name in names)}}}` and `within: 4 h`"
        what = f"{takes}, and {rule.name} names no {' and no '.join(missing)}"
        yield Mistake(rule.file, inference.line, what, cure)
    elif needs[0] != card.reference.name:
        what = f"results of {card.name} lie on its {card.reference.name}, and {rule.name} names {needs[0]} first"
        yield Mistake(rule.file, inference.line, what, f"Write {card.reference.name} first under needs")
    elif rule.missing is Missing.PROCEED and not inference.tells_unsuitable:
        what = f"{takes}, and {rule.name} may proceed without one of them"
        cure = "Write `else: hold`, or `unsuitable: not-processable`, which is how such a job ends"
        yield Mistake(rule.file, inference.line, what, cure, Severity.WARNING)


def _given(rule: Rule, card: Card) -> Iterator[tuple[str, Condition, Input]]:
    """What is said of each series that the model gets, its conditions in the rule, and what the card asks of it."""
    if not card.inputs:
        yield "", rule.carrier, card.input
        return
    needs = {need.name: need.when for need in rule.needs}
    for one in card.inputs:
        yield f"{one.name}: ", All((rule.when, needs[one.name])), one.contract


def _wanted(sent: Input) -> dict[str, Condition]:
    """What a card asks of a series, as the rule would have to."""
    found = dict[str, Condition]()
    if sent.modality:
        found[f"Modality {' or '.join(sent.modality)}"] = _one_of("Modality", sent.modality)
    if sent.orientation:
        planes = _one_of("series.orientation", sent.orientation)
        found[f"series.orientation {' or '.join(sent.orientation)}"] = planes
    if sent.slices_at_least > 1:
        least = AtLeast(Literal(float(sent.slices_at_least), str(sent.slices_at_least)))
        found[f"series.slices at_least {sent.slices_at_least}"] = Test(_operand("series.slices"), least)
    return found


def _one_of(name: str, values: Sequence[str]) -> Condition:
    return Test(_operand(name), OneOf(tuple(folded(value) for value in values)))


def _operand(name: str) -> Operand:
    found = named(name)
    if isinstance(found, Wrong):
        raise TypeError(found.what)
    return found
