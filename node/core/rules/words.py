"""What may stand in a rule: attributes, facts and operators, for whoever completes what a person types."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydicom.datadict import dictionary_description, keyword_dict

from node.core.rules.attributes import Operand, named
from node.core.rules.facts import Fact, facts
from node.core.rules.kinds import LOOKS_LIKE, Kind
from node.core.rules.mistakes import Wrong
from node.core.rules.questions import operators_of

_LIKE = {
    **LOOKS_LIKE, Kind.TEXT: "T1", Kind.NAME: "Yamada", Kind.UID: "MRImageStorage", Kind.FLAG: "true",
    Kind.ANY: "1", Kind.SEQUENCE: "SCT:12738006", Kind.OPAQUE: "true",
}  # fmt: skip
_SAYS = {
    "equals": "is exactly this", "in": "is one of these", "contains": "holds this", "starts": "begins with this",
    "matches": "a regular expression (RE2) finds something", "at_least": "this or more", "at_most": "this or less",
    "above": "more than this", "below": "less than this", "between": "from the first to the second",
    "within": "so far from reception, before or after", "code": "a coded concept", "exists": "is there and not empty",
}  # fmt: skip


@dataclass(frozen=True)
class Word:
    """An attribute or a fact."""

    name: str
    title: str  # as PS3.6 calls it
    vr: str  # "" for a fact
    kind: str
    unit: str
    several: bool
    varies: bool  # differs between the instances of a series by nature
    identifying: bool  # its values are shown to nobody


@dataclass(frozen=True)
class Means:
    """An operator, as it compares one attribute."""

    name: str
    says: str
    example: str


def word(text: str) -> Word | Wrong:
    """An attribute, a path, a private attribute, or a fact."""
    operand = named(text)
    return operand if isinstance(operand, Wrong) else _word(operand)


def means(text: str) -> tuple[Means, ...]:
    """The operators of an attribute or a fact; none for what is neither."""
    operand = named(text)
    if isinstance(operand, Wrong):
        return ()
    like = _LIKE.get(operand.kind, "1") + (f" {operand.unit}" if operand.unit else "")
    like = like.partition(" or ")[0].partition(",")[0]
    return tuple(Means(name, _SAYS[name], _example(name, like)) for name in operators_of(operand))


def words(text: str, first: Collection[str] = (), limit: int = 50) -> list[Word]:
    """Attributes and facts with these letters in their names: those of `first` first, then those that begin so."""
    wanted = text.casefold()
    fitting = [name for name in _names() if wanted in name.casefold()]
    likely = {name: place for place, name in enumerate(first)}
    fitting.sort(key=lambda name: (likely.get(name, len(likely)), not name.casefold().startswith(wanted), name))
    found = (word(name) for name in fitting[:limit])
    return [one for one in found if isinstance(one, Word)]


def all_facts() -> list[Word]:
    return [_word(fact) for fact in facts()]


@lru_cache(maxsize=1)
def _names() -> Sequence[str]:
    """Every keyword of PS3.6 outside pixel data, command sets and curves; and every fact."""
    keywords = [
        keyword
        for keyword, tag in keyword_dict.items()
        if keyword and 0x0008 <= tag >> 16 < 0x5000 and not isinstance(named(keyword), Wrong)
    ]
    return [*(fact.text for fact in facts()), *sorted(keywords)]


def _word(operand: Operand) -> Word:
    fact = isinstance(operand, Fact)
    tag = None if fact else keyword_dict.get(operand.text.rpartition(".")[2])
    return Word(
        operand.text,
        dictionary_description(tag) if tag else "",
        "" if isinstance(operand, Fact) else operand.vr,
        operand.kind.value,
        operand.unit,
        bool(operand.several),
        operand.varies,
        operand.identifying,
    )


def _example(operator: str, like: str) -> str:
    return {
        "in": f"[{like}]", "between": f"[{like}, {like}]", "exists": "true", "within": "30 days",
        "code": "SCT:12738006", "matches": "'t1|mprage'",
    }.get(operator, like)  # fmt: skip
