"""What may stand where somebody types in a rule, and a rule that is made from a series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from node.adapters.database import Database, headers
from node.core.kept import KeptSubject
from node.core.rules import parse_rule_set
from node.core.rules.actions import ACTIONS, INFER_KEYS
from node.core.rules.completing import Place, Wanted, place_of
from node.core.rules.entries import RULE_KEYS, SET_KEYS
from node.core.rules.form.yaml import scalar
from node.core.rules.mistakes import Wrong
from node.core.rules.parse import SET_FILE
from node.core.rules.proposing import Proposed, rule_for
from node.core.rules.words import means, word, words
from node.errors import BadConfiguration, NoSuch
from node.pipeline.rule_sets.lately import Lately

_FEW = {
    "priority": ("stat", "routine", "low"), "on_unknown": ("no-match", "hold"), "else": ("hold", "proceed"),
    "stop": ("true", "false"), "active": ("true", "false"), "otherwise": ("hold", "ignore"),
    "volume": ("first", "each"), "unsuitable": ("not-processable",),
}  # fmt: skip
_OPTIONS_AT_MOST = 60


@dataclass(frozen=True)
class Known:
    """What rules may name of this node."""

    models: Sequence[str] = ()
    destinations: Sequence[str] = ()


@dataclass(frozen=True)
class Option:
    """What may stand there."""

    label: str
    detail: str = ""
    apply: str = ""  # what is written, when it is not the label
    kind: str = ""


def _nothing() -> Known:
    return Known()


@dataclass(frozen=True)
class Suggesting:
    """Knows this site: its models, its destinations, and the values that were seen here."""

    database: Database
    lately: Lately
    known: Callable[[], Known] = field(default=_nothing)

    def complete(self, text: str, at: int, file: str = "") -> tuple[int, list[Option]]:
        """Where the word begins that is typed, and what it may become."""
        place = place_of(text, at)
        found = [one for one in self._options(place, file) if place.typed.casefold() in one.label.casefold()]
        found.sort(key=lambda one: not one.label.casefold().startswith(place.typed.casefold()))
        return place.begins, found[:_OPTIONS_AT_MOST]

    def _options(self, place: Place, file: str) -> Sequence[Option]:
        if place.wanted is Wanted.KEY:
            return [Option(key, apply=f"{key}: ", kind="key") for key in (SET_KEYS if file == SET_FILE else RULE_KEYS)]
        if place.wanted is Wanted.ATTRIBUTE:
            return self._attributes(place.typed)
        if place.wanted is Wanted.OPERATOR:
            around = [Option(one, apply=f"{one}: ", kind="around") for one in ("any", "all", "first", "not")]
            operators = means(place.about)
            return [Option(one.name, one.says, f"{one.name}: ", "operator") for one in operators] + around
        if place.wanted is Wanted.VALUE:
            return self._values(place)
        if place.wanted is Wanted.ACTION:
            bare = ("hold", "ignore")
            return [Option(one, apply=one if one in bare else f"{one}: ", kind="action") for one in ACTIONS]
        if place.wanted is Wanted.WORD and place.operator == "key":
            return [Option(one, apply=f"{one}: ", kind="key") for one in INFER_KEYS if place.about == "infer"]
        named = {
            Wanted.MODEL: ("model", self.known().models),
            Wanted.DESTINATION: ("destination", self.known().destinations),
            Wanted.WORD: ("word", _FEW.get(place.about, ())),
        }
        kind, texts = named.get(place.wanted, ("", ()))
        return [Option(one, kind=kind) for one in texts]

    def _attributes(self, typed: str) -> list[Option]:
        around = [Option(one, apply=f"{one}:", kind="around") for one in ("any", "all", "not")]
        found = words(typed, self.lately.attributes(), _OPTIONS_AT_MOST)
        return [
            Option(one.name, ", ".join(filter(None, (one.title, one.vr, one.unit))), f"{one.name}: ",
                   "keyword" if one.vr else "fact")
            for one in found
        ] + around  # fmt: skip

    def _values(self, place: Place) -> list[Option]:
        if place.operator == "exists":
            return [Option(one, kind="word") for one in _FEW["active"]]
        seen = self.lately.values(place.about)
        found = [Option(one.value, f"{one.series} series", scalar(one.value), "value") for one in seen]
        about = word(place.about)
        if not found and not isinstance(about, Wrong) and about.kind == "true or false":
            found = [Option(one, kind="word") for one in _FEW["active"]]
        return found

    def from_series(self, series_instance_uid: str, model: str | None, files: Mapping[str, str]) -> Proposed:
        """A narrow rule for series like this one; `files` are the rules there are. Raises NoSuch."""
        kept = headers.of_series(self.database, series_instance_uid)
        if kept is None:
            raise NoSuch("no header of that series is kept (rules.keep_headers_days): write the rule by hand")
        known = self.known()
        if model is None:
            model = known.models[0] if known.models else ""
        return rule_for(
            KeptSubject(kept.cells), model=model, destinations=known.destinations[:1], names=names_of(files),
            others=self._others,
        )  # fmt: skip

    def _others(self, attribute: str, value: str) -> int | None:
        return next((one.series for one in self.lately.values(attribute) if one.value == value), None)


def names_of(files: Mapping[str, str]) -> set[str]:
    """The names of the rules; none when the files cannot be read."""
    try:
        return {rule.name for rule in parse_rule_set(files).rules}
    except BadConfiguration:
        return set()
