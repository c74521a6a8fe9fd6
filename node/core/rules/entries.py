"""The keys of a rule file and of `_set.yaml`, from YAML to values. Mistakes are reported; reading goes on."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar

from node.core.rules.clauses import ALWAYS, Clauses, Interned
from node.core.rules.conditions import Condition
from node.core.rules.folding import shown
from node.core.rules.mistakes import Report, did_you_mean
from node.core.rules.questions import Lists
from node.core.rules.rule import EACH, ONLY, Actions, Inference, OnUnknown, Otherwise, Priority, Rule
from node.core.rules.source import Entry, Listing, Scalar, Section, Tree, Typed
from node.core.volume import selector_fault

_RULE_KEYS = ("name", "description", "priority", "when", "on_unknown", "then", "stop", "active")
_SET_KEYS = ("otherwise", "lists")
_ACTIONS = ("infer", "deliver", "tag", "hold", "ignore")
_INFER_KEYS = ("model", "version", "volume")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MODEL = re.compile(r"\w{1,64}")
_VERSION = re.compile(r"[\w.+-]{1,64}")

Word = TypeVar("Word", bound=StrEnum)


def read_rule(section: Section, report: Report, lists: Lists, interned: Interned) -> Rule:
    """A rule, as far as it could be read; without mistakes in the report it is whole."""
    known_keys(section, _RULE_KEYS, report)
    then = _actions(section, report)
    return Rule(
        file=report.file,
        line=_line(section, "when"),
        name=_name(section, report),
        description=_text(section.get("description"), report) or "",
        priority=_word(section.get("priority"), Priority.ROUTINE, report),
        when=_when(section, Clauses(report, lists, interned)),
        on_unknown=_word(section.get("on_unknown"), OnUnknown.NO_MATCH, report),
        then=then,
        stop=_stop(section, then, report),
        active=_flag(section.get("active"), report, default=True),
    )


def read_set(section: Section | None, report: Report) -> tuple[Otherwise, Lists]:
    """What happens to series no rule takes, and the shared lists. Without `_set.yaml`: hold, and none."""
    if section is None:
        return Otherwise.HOLD, {}
    known_keys(section, _SET_KEYS, report)
    entry = section.get("lists")
    lists: dict[str, tuple[Scalar, ...]] = {}
    if entry and isinstance(entry.value, Section):
        lists = {named.key: _plain(named.value, report) for named in entry.value.entries}
    elif entry:
        report.error(entry.line, "lists names lists of values", "Write `lists: {head: [HEAD, BRAIN]}`")
    return _word(section.get("otherwise"), Otherwise.HOLD, report), lists


def known_keys(section: Section, known: Collection[str], report: Report) -> None:
    """Reports every key that means nothing here."""
    for entry in section.entries:
        if entry.key not in known:
            cure = did_you_mean(entry.key, known) or f"Keys are {', '.join(known)}"
            report.error(entry.line, f"there is no key {shown(entry.key)}", cure)


def _plain(value: Tree, report: Report) -> tuple[Scalar, ...]:
    items = value.items if isinstance(value, Listing) else (value,)
    scalars = tuple(item for item in items if isinstance(item, Scalar))
    if len(scalars) != len(items) or not isinstance(value, Listing) or not items:
        report.error(value.line, "a list holds plain values", "Write `[HEAD, BRAIN]`")
    return scalars


def _name(section: Section, report: Report) -> str:
    entry = section.get("name")
    if entry is None:
        report.error(section.line, "the rule has no name", "Add `name: what-it-is-for`")
        return ""
    name = _text(entry, report) or ""
    if not _NAME.fullmatch(name):
        report.error(entry.line, f"'{shown(name)}' is no rule name", "Use lower-case letters, digits and hyphens")
    return name


def _when(section: Section, clauses: Clauses) -> Condition:
    entry = section.get("when")
    if entry is None:
        clauses.report.error(section.line, "the rule has no when", "Add `when:`, or `when: {}` for every series")
        return ALWAYS
    if not isinstance(entry.value, Section):
        clauses.report.error(
            entry.line, "when takes conditions", "Write `when: {Modality: MR}`, or {} for every series"
        )
        return ALWAYS
    return clauses.condition(entry.value)


def _stop(section: Section, then: Actions, report: Report) -> bool:
    """Rules stop by default: the first that takes a series is the only one. Those that only tag go on."""
    entry = section.get("stop")
    stop = _flag(entry, report, default=then.takes)
    if entry and not stop and (then.hold is not None or then.ignore is not None):
        report.error(entry.line, "a rule that holds or ignores a series ends the search", "Take out stop: false")
    return stop


def _actions(section: Section, report: Report) -> Actions:
    entry = section.get("then")
    items = entry.value.items if entry and isinstance(entry.value, Listing) else ()
    if not items:
        report.error(entry.line if entry else section.line, "the rule does nothing: it has no list under then",
                     "Add `then:` with `- infer: model` and `- deliver: [destination]`")  # fmt: skip
        return Actions()
    steps = [step for item in items if (step := _step(item, report)) is not None]
    actions = Actions(
        infer=tuple(found for step in steps if step.key == "infer" and (found := _inference(step, report)) is not None),
        deliver=_texts(steps, "deliver", report),
        tags=_texts(steps, "tag", report),
        hold=_reason(steps, "hold", report),
        ignore=_reason(steps, "ignore", report),
    )
    _consistent(actions, steps, report)
    return actions


def _step(item: Tree, report: Report) -> Entry | None:
    """One action: `infer: model`, or the bare word `hold`."""
    if isinstance(item, Scalar) and item.text in ("hold", "ignore"):
        return Entry(item.line, item.text, Scalar(item.line, "true", Typed.FLAG))
    if not isinstance(item, Section) or len(item.entries) != 1:
        report.error(item.line, "an action is one key with its value", "Write `- infer: model`")
        return None
    known_keys(item, _ACTIONS, report)
    return item.entries[0]


def _consistent(actions: Actions, steps: list[Entry], report: Report) -> None:
    settled = sorted({step.key for step in steps} & {"infer", "hold", "ignore"})
    if len(settled) > 1:
        report.error(steps[0].line, f"a rule cannot {' and '.join(settled)} at once", "Make two rules of it")
    if actions.deliver and not actions.infer and len(settled) == 0:
        report.error(steps[0].line, "deliver without infer has no results to send", "Add `- infer: model`")
    asked = [(inference.model, inference.volume) for inference in actions.infer]
    if len(set(asked)) < len(asked):
        report.error(steps[0].line, "the same model is asked twice for the same volume", "Keep one")


def _inference(step: Entry, report: Report) -> Inference | None:
    if isinstance(step.value, Section):
        return _spelled_out(step.value, report)
    model, at, version = (_text(step, report) or "").partition("@")
    return _checked(step.line, model, version if at else None, ONLY, report)


def _spelled_out(section: Section, report: Report) -> Inference | None:
    known_keys(section, _INFER_KEYS, report)
    model, at, version = (_text(section.get("model"), report) or "").partition("@")
    apart = _text(section.get("version"), report)
    volume = _text(section.get("volume"), report) or ONLY
    return _checked(section.line, model, apart or (version if at else None), volume, report)


def _checked(line: int, model: str, version: str | None, volume: str, report: Report) -> Inference | None:
    if not _MODEL.fullmatch(model) or (version is not None and not _VERSION.fullmatch(version)):
        report.error(line, "infer names no model", "Write `- infer: model`, `model@version` or {model: …, volume: …}")
        return None
    fault = selector_fault(volume) if volume not in (ONLY, EACH) else None
    if fault:
        report.error(line, fault, 'Write volume: "EchoTime=6.3", first, or each')
        return None
    return Inference(model, version, volume, line=line)


def _texts(steps: list[Entry], key: str, report: Report) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for step in steps:
        if step.key == key:
            value = step.value if isinstance(step.value, Listing) else Listing(step.line, (step.value,))
            found.update(dict.fromkeys(scalar.text for scalar in _plain(value, report)))
    return tuple(found)


def _reason(steps: list[Entry], key: str, report: Report) -> str | None:
    step = next((step for step in steps if step.key == key), None)
    if step is None:
        return None
    if isinstance(step.value, Scalar) and step.value.typed is Typed.FLAG:
        if step.value.text.lower() != "true":
            report.error(step.line, f"{key}: false does nothing", "Take it out")
        return ""
    return _text(step, report)


def _text(entry: Entry | None, report: Report) -> str | None:
    if entry is None:
        return None
    if not isinstance(entry.value, Scalar) or not entry.value.text.strip():
        report.error(entry.line, f"{entry.key} takes a text")
        return None
    return entry.value.text.strip()


def _flag(entry: Entry | None, report: Report, *, default: bool) -> bool:
    if entry is None:
        return default
    if not isinstance(entry.value, Scalar) or entry.value.typed is not Typed.FLAG:
        report.error(entry.line, f"{entry.key} takes true or false")
        return default
    return entry.value.text.lower() == "true"


def _word(entry: Entry | None, default: Word, report: Report) -> Word:
    if entry is None:
        return default
    words = tuple(type(default))
    text = entry.value.text if isinstance(entry.value, Scalar) else ""
    if text not in words:
        cure = did_you_mean(text, words) or f"Write one of {', '.join(words)}"
        report.error(entry.line, f"'{shown(text)}' is no {entry.key}", cure)
        return default
    return next(word for word in words if word == text)


def _line(section: Section, key: str) -> int:
    entry = section.get(key)
    return entry.line if entry else section.line
