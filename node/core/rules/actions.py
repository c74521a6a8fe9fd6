"""The `then` of a rule: what is done with a series."""

from __future__ import annotations

import re
from dataclasses import replace

from node.core.rules.keys import known_keys, plain, text_of
from node.core.rules.mistakes import Report
from node.core.rules.rule import EACH, ONLY, Actions, Inference, Notice
from node.core.rules.source import Entry, Listing, Scalar, Section, Tree, Typed
from node.core.volume import selector_fault

ACTIONS = ("infer", "deliver", "tag", "notify", "hold", "ignore")
INFER_KEYS = ("model", "version", "volume", "unsuitable")
_TOLD = "not-processable"
_NOTICE_KEYS = ("to", "say")
_WORD_AT_MOST = 64  # characters of a tag, or of a name of those who are told
_MODEL = re.compile(r"\w{1,64}")
_VERSION = re.compile(r"[\w.+-]{1,64}")


def read_actions(section: Section, report: Report) -> Actions:
    """The actions, as far as they could be read."""
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
        notices=tuple(told for step in steps if step.key == "notify" and (told := _notice(step, report)) is not None),
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
    known_keys(item, ACTIONS, report)
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
    model, at, version = (text_of(step, report) or "").partition("@")
    return _checked(step.line, model, version if at else None, ONLY, report)


def _spelled_out(section: Section, report: Report) -> Inference | None:
    known_keys(section, INFER_KEYS, report)
    model, at, version = (text_of(section.get("model"), report) or "").partition("@")
    apart = text_of(section.get("version"), report)
    volume = text_of(section.get("volume"), report) or ONLY
    found = _checked(section.line, model, apart or (version if at else None), volume, report)
    unsuitable = section.get("unsuitable")
    if unsuitable is None or found is None:
        return found
    if text_of(unsuitable, report) != _TOLD:
        report.error(section.line, f"unsuitable is {_TOLD}, or left out", f"Write unsuitable: {_TOLD}")
    return replace(found, tells_unsuitable=True)


def _checked(line: int, model: str, version: str | None, volume: str, report: Report) -> Inference | None:
    if not _MODEL.fullmatch(model) or (version is not None and not _VERSION.fullmatch(version)):
        report.error(line, "infer names no model", "Write `- infer: model`, `model@version` or {model: …, volume: …}")
        return None
    fault = selector_fault(volume) if volume not in (ONLY, EACH) else None
    if fault:
        report.error(line, fault, 'Write volume: "EchoTime=6.3", first, or each')
        return None
    return Inference(model, version, volume, line=line)


def _notice(step: Entry, report: Report) -> Notice | None:
    """`notify: radiology`, or {to: [radiology, research], say: what is to be known}."""
    value, said = step.value, ""
    if isinstance(value, Section):
        known_keys(value, _NOTICE_KEYS, report)
        say, to = value.get("say"), value.get("to")
        said = text_of(say, report) or "" if say else ""
        value = to.value if to else Listing(step.line, ())
    to_whom = plain(value if isinstance(value, Listing) else Listing(step.line, (value,)), report)
    names = tuple(dict.fromkeys(scalar.text.strip() for scalar in to_whom))
    if not all(0 < len(name) <= _WORD_AT_MOST for name in names):
        report.error(step.line, f"notify names nobody, or in more than {_WORD_AT_MOST} characters")
        return None
    return Notice(names, said) if names else None


def _texts(steps: list[Entry], key: str, report: Report) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for step in steps:
        if step.key == key:
            value = step.value if isinstance(step.value, Listing) else Listing(step.line, (step.value,))
            found.update(dict.fromkeys(scalar.text for scalar in plain(value, report)))
    return tuple(found)


def _reason(steps: list[Entry], key: str, report: Report) -> str | None:
    step = next((step for step in steps if step.key == key), None)
    if step is None:
        return None
    if isinstance(step.value, Scalar) and step.value.typed is Typed.FLAG:
        if step.value.text.lower() != "true":
            report.error(step.line, f"{key}: false does nothing", "Take it out")
        return ""
    return text_of(step, report)
