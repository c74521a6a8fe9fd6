"""A rule set, compiled: every question once, gathered by what it looks at, and conditions as masks over the answers.

A question has two bits in one integer of answers: it is true, it is false; neither is unknown. A conjunction of two
hundred clauses is then two comparisons of integers. What equal readings answer is remembered, bounded in number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from node.core.rules.attributes import Operand
from node.core.rules.conditions import All, AnyOf, Condition, Leaf, Not, Relative, seen_by
from node.core.rules.facts import RECEIVED, Fact
from node.core.rules.reading import Reading
from node.core.rules.subject import Readable
from node.core.rules.truth import Truth

REMEMBERED_AT_MOST = 4096  # answers to one question, by what was read

Answers = int  # two bits for each question
Decide = Callable[[Answers], Truth]


@dataclass(frozen=True)
class Look:
    """All questions to one attribute or fact, in one of the two ways of looking at it."""

    number: int
    questions: tuple[tuple[int, Leaf], ...]  # with the place of their two bits
    _known: dict[tuple[Reading, ...], Answers] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def operands(self) -> tuple[Operand, ...]:
        """All that it reads."""
        leaf = self.questions[0][1]
        return (leaf.operand, RECEIVED) if isinstance(leaf, Relative) else (leaf.operand,)

    def answers(self, subject: Readable) -> Answers:
        """The bits of its questions for a series."""
        seen = seen_by(self.questions[0][1], subject)
        found = self._known.get(seen)
        if found is None:
            found = 0
            for place, leaf in self.questions:
                found |= _BITS[leaf.judge(seen).truth] << place
            if len(self._known) >= REMEMBERED_AT_MOST:
                self._known.clear()
            self._known[seen] = found
        return found


@dataclass(frozen=True)
class Compiled:
    """One condition."""

    decide: Decide
    looks: tuple[Look, ...]  # that it may need, cheap ones first
    needs: int  # the numbers of its looks, as bits


@dataclass(frozen=True)
class Program:
    """The compiled conditions of a rule set, in the order they were given."""

    conditions: tuple[Compiled, ...]
    looks: tuple[Look, ...]

    def everything(self, subject: Readable) -> Answers:
        """The answers to all questions: series with equal ones are decided alike."""
        answers = 0
        for look in self.looks:
            answers |= look.answers(subject)
        return answers

    def asking(self, subject: Readable) -> Asking:
        """Answers one condition after the other, and looks only at what they need."""
        return Asking(self, subject)


class Asking:
    """One series and the answers it has given so far."""

    def __init__(self, program: Program, subject: Readable) -> None:
        self._conditions, self._subject = program.conditions, subject
        self._answers, self._looked = 0, 0

    def truth(self, number: int) -> Truth:
        """The truth of a condition. Looks no further than until it cannot change any more."""
        compiled = self._conditions[number]
        known = compiled.decide(self._answers)
        if known is not Truth.UNKNOWN or not compiled.needs & ~self._looked:
            return known
        for look in compiled.looks:
            if not self._looked >> look.number & 1:
                self._answers |= look.answers(self._subject)
                self._looked |= 1 << look.number
                known = compiled.decide(self._answers)
                if known is not Truth.UNKNOWN:
                    break
        return known


def compiled(conditions: Iterable[Condition]) -> Program:
    """The program of these conditions."""
    given = tuple(conditions)
    places: dict[Leaf, int] = {}
    for condition in given:
        for leaf in leaves(condition):
            places.setdefault(leaf, 2 * len(places))
    looks = _looks(places)
    of_leaf = {leaf: look for look in looks for _, leaf in look.questions}
    return Program(tuple(_compiled(one, places, of_leaf) for one in given), looks)


def _compiled(condition: Condition, places: dict[Leaf, int], of_leaf: dict[Leaf, Look]) -> Compiled:
    needed = _needed(condition, of_leaf)
    return Compiled(_node(condition, places), needed, sum(1 << look.number for look in needed))


def leaves(condition: Condition) -> Iterator[Leaf]:
    """The questions of a condition, as written."""
    if isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from leaves(part)
    elif isinstance(condition, Not):
        yield from leaves(condition.part)
    else:
        yield condition


def _looks(places: dict[Leaf, int]) -> tuple[Look, ...]:
    gathered: dict[tuple[object, bool, bool], list[tuple[int, Leaf]]] = {}
    for leaf, place in places.items():
        gathered.setdefault((leaf.operand, leaf.everywhere, isinstance(leaf, Relative)), []).append((place, leaf))
    return tuple(Look(number, tuple(questions)) for number, questions in enumerate(gathered.values()))


def _needed(condition: Condition, of_leaf: dict[Leaf, Look]) -> tuple[Look, ...]:
    needed = dict.fromkeys(of_leaf[leaf].number for leaf in leaves(condition))
    looks = {look.number: look for look in of_leaf.values()}
    return tuple(sorted((looks[number] for number in needed), key=_cost))


def _cost(look: Look) -> tuple[int, int]:
    """Facts are there already; a path through sequences is the dearest. Among equals, what the first rules asked."""
    operand = look.questions[0][1].operand
    return (0 if isinstance(operand, Fact) else len(operand.path), look.number)


def _node(condition: Condition, places: dict[Leaf, int], *, negated: bool = False) -> Decide:
    """Negation is moved down to the questions: De Morgan holds with unknowns."""
    if isinstance(condition, Not):
        return _node(condition.part, places, negated=not negated)
    if isinstance(condition, All | AnyOf):
        together = isinstance(condition, All) is not negated
        return _joined(condition.parts, places, negated=negated, together=together)
    place = places[condition]
    true, false = _BITS[Truth.TRUE] << place, _BITS[Truth.FALSE] << place
    return _all(false, true, ()) if negated else _all(true, false, ())


def _joined(parts: tuple[Condition, ...], places: dict[Leaf, int], *, negated: bool, together: bool) -> Decide:
    true, false, nested = 0, 0, list[Decide]()
    for part in parts:
        plain, opposite = (part.part, not negated) if isinstance(part, Not) else (part, negated)
        if isinstance(plain, All | AnyOf | Not):
            nested.append(_node(part, places, negated=negated))
            continue
        true |= (_BITS[Truth.FALSE] if opposite else _BITS[Truth.TRUE]) << places[plain]
        false |= (_BITS[Truth.TRUE] if opposite else _BITS[Truth.FALSE]) << places[plain]
    return _all(true, false, tuple(nested)) if together else _any(true, false, tuple(nested))


def _all(true: Answers, false: Answers, nested: tuple[Decide, ...]) -> Decide:
    def decide(answers: Answers) -> Truth:
        if answers & false:
            return Truth.FALSE
        known = answers & true == true
        for part in nested:
            truth = part(answers)
            if truth is Truth.FALSE:
                return truth
            known = known and truth is Truth.TRUE
        return Truth.TRUE if known else Truth.UNKNOWN

    return decide


def _any(true: Answers, false: Answers, nested: tuple[Decide, ...]) -> Decide:
    def decide(answers: Answers) -> Truth:
        if answers & true:
            return Truth.TRUE
        known = answers & false == false
        for part in nested:
            truth = part(answers)
            if truth is Truth.TRUE:
                return truth
            known = known and truth is Truth.FALSE
        return Truth.FALSE if known else Truth.UNKNOWN

    return decide


_BITS = {Truth.TRUE: 1, Truth.FALSE: 2, Truth.UNKNOWN: 0}
