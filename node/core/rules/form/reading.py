"""From text to form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode

from node.core.rules.attributes import named
from node.core.rules.form.model import Action, Clause, Form, Group, Need, Node, NotAFormError
from node.core.rules.form.spans import composed, line_of, parts_of
from node.core.rules.mistakes import Report, Severity, Wrong
from node.core.rules.questions import OPERATORS
from node.core.rules.source import read_section

QUANTIFIERS = ("any", "all", "first")
COMBINED = ("all", "any", "not")
_SHOWN = ("name", "description", "priority", "deadline", "when", "needs", "within", "else", "on_unknown", "then",
          "stop", "active")  # fmt: skip
_DEPTH_AT_MOST = 6
_FLAGS = {"true": True, "false": False}


def read_form(text: str) -> Form:
    """The form of a rule file. Raises NotAFormError with the line and the reason where it cannot be one."""
    report = Report("")
    if read_section(text, report) is None or report.mistakes:
        wrong = next((one for one in report.mistakes if one.severity is Severity.ERROR), None)
        raise NotAFormError(wrong.line if wrong else 0, wrong.what if wrong else "the file cannot be read")
    root = composed(text)
    entries = {_text(key): (number, value) for number, (key, value) in enumerate(root.value)}
    for key, (_, value) in entries.items():
        if key not in _SHOWN:
            raise NotAFormError(line_of(value), f"the form has no {key}")
    when = entries.get("when")
    return Form(
        name=_scalar(entries, "name"),
        description=_scalar(entries, "description"),
        priority=_scalar(entries, "priority"),
        deadline=_scalar(entries, "deadline"),
        on_unknown=_scalar(entries, "on_unknown"),
        stop=_flag(entries, "stop"),
        active=_flag(entries, "active"),
        when=Group("all", (), at="") if when is None else _when("when", when[1], str(when[0])),
        then=tuple(_actions(entries)),
        needs=tuple(_needs(entries)),
        within=_scalar(entries, "within"),
        missing=_scalar(entries, "else"),
    )


def _when(key: str, node: YamlNode, at: str) -> Group:
    if not isinstance(node, MappingNode):
        raise NotAFormError(line_of(node), f"{key} takes conditions")
    return Group("all", tuple(_entries(node, at, 0)), at=at)


def _needs(entries: Mapping[str, tuple[int, YamlNode]]) -> Iterator[Need]:
    if "needs" not in entries:
        return
    place, node = entries["needs"]
    if not isinstance(node, MappingNode):
        raise NotAFormError(line_of(node), "needs names series, each with its conditions")
    for number, (key, value) in enumerate(node.value):
        at = f"{place}.{number}"
        yield Need(_text(key), _when(_text(key), value, at), at)


def _entries(node: MappingNode, at: str, depth: int, *, apart: bool = False) -> Iterator[Node]:
    """The conditions of a mapping. `apart`: each entry stands for itself, and the operators of one attribute hold
    together."""
    if depth > _DEPTH_AT_MOST:
        raise NotAFormError(line_of(node), "conditions are nested deeper than the form shows")
    for number, (key, value) in enumerate(node.value):
        here = f"{at}.{number}"
        name = _text(key)
        if name in COMBINED:
            yield _combined(name, value, here, depth)
            continue
        asked = tuple(_asked(name, value, here))
        if apart and len(asked) != 1:
            yield Group("all", asked, fixed=True, at=here)
        else:
            yield from asked


def _combined(how: str, node: YamlNode, at: str, depth: int) -> Group:
    if isinstance(node, MappingNode):
        return Group(how, tuple(_entries(node, at, depth + 1, apart=True)), at=at)
    if not isinstance(node, SequenceNode) or how == "not":
        raise NotAFormError(line_of(node), f"{how} takes conditions")
    return Group(how, tuple(_item(item, f"{at}.{number}", depth + 1) for number, item in enumerate(node.value)), at=at)


def _item(node: YamlNode, at: str, depth: int) -> Node:
    if not isinstance(node, MappingNode) or not node.value:
        raise NotAFormError(line_of(node), "a condition is a mapping")
    if len(node.value) > 1:
        return Group("all", tuple(_entries(node, at, depth + 1)), at=at)
    (alone,) = _entries(node, at, depth, apart=True)
    return alone


def _asked(attribute: str, node: YamlNode, at: str) -> Iterator[Node]:
    """The questions to one attribute."""
    if isinstance(named(attribute), Wrong):
        raise NotAFormError(line_of(node), f"{attribute} is no DICOM keyword and no fact")
    if not isinstance(node, MappingNode):
        yield Clause(attribute, "equals", _values(node), at=at)
        return
    for number, (key, value) in enumerate(node.value):
        yield _operator(attribute, _text(key), value, f"{at}.{number}", "", negated=False)
    if not node.value:
        raise NotAFormError(line_of(node), f"{attribute} has no operator")


def _operator(attribute: str, key: str, node: YamlNode, at: str, quantifier: str, *, negated: bool) -> Clause:
    if key in OPERATORS:
        return Clause(attribute, key, _values(node), quantifier, negated, at)
    if key in QUANTIFIERS and not quantifier:
        quantifier = key
    elif key == "not" and not negated and not quantifier:
        negated = True
    else:
        raise NotAFormError(line_of(node), f"the form does not show {key} here")
    if not isinstance(node, MappingNode):
        return Clause(attribute, "equals", _values(node), quantifier, negated, at)
    if len(node.value) != 1:
        raise NotAFormError(line_of(node), f"the form does not show several operators inside {key}")
    ((inner, value),) = node.value
    return _operator(attribute, _text(inner), value, f"{at}.0", quantifier, negated=negated)


def _values(node: YamlNode) -> tuple[str, ...]:
    if isinstance(node, ScalarNode):
        return (str(node.value),)
    if isinstance(node, SequenceNode) and all(isinstance(item, ScalarNode) for item in node.value):
        return tuple(str(item.value) for item in node.value)
    raise NotAFormError(line_of(node), "the form shows plain values and lists of them")


def _actions(entries: Mapping[str, tuple[int, YamlNode]]) -> Iterator[Action]:
    if "then" not in entries:
        return
    place, node = entries["then"]
    if not isinstance(node, SequenceNode):
        raise NotAFormError(line_of(node), "then takes a list of actions")
    for number, item in enumerate(node.value):
        yield _action(item, f"{place}.{number}")


def _action(item: YamlNode, at: str) -> Action:
    if isinstance(item, ScalarNode) and item.value in ("hold", "ignore"):
        return Action(str(item.value), at=at)
    if not isinstance(item, MappingNode) or len(item.value) != 1:
        raise NotAFormError(line_of(item), "an action is one key with its value")
    ((key, value),) = item.value
    kind = _text(key)
    if kind == "infer" and isinstance(value, MappingNode):
        told = _told(value, ("model", "version", "volume", "unsuitable"))
        version = f"@{told['version']}" if told.get("version") else ""
        return Action(kind, (told.get("model", "") + version,), told.get("volume", ""), "unsuitable" in told, at=at)
    if kind == "notify" and isinstance(value, MappingNode):
        to = next((part for name, part in parts_of(value) if name is not None and _text(name) == "to"), None)
        said = _told(MappingNode(value.tag, [one for one in value.value if _text(one[0]) != "to"],
                                 value.start_mark, value.end_mark), ("say",))  # fmt: skip
        return Action(kind, () if to is None else _values(to), say=said.get("say", ""), at=at)
    if kind in ("infer", "hold", "ignore"):
        if not isinstance(value, ScalarNode):
            raise NotAFormError(line_of(value), f"{kind} takes a text")
        bare = kind != "infer" and value.value.lower() == "true" and not value.style
        return Action(kind, () if bare else (str(value.value),), at=at)
    if kind in ("deliver", "tag", "notify"):
        return Action(kind, _values(value), at=at)
    raise NotAFormError(line_of(item), f"the form has no action {kind}")


def _told(node: MappingNode, known: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for key, value in node.value:
        if _text(key) not in known or not isinstance(value, ScalarNode):
            raise NotAFormError(line_of(value), f"the form does not show {_text(key)} here")
        found[_text(key)] = str(value.value)
    return found


def _scalar(entries: Mapping[str, tuple[int, YamlNode]], key: str) -> str:
    if key not in entries:
        return ""
    node = entries[key][1]
    if not isinstance(node, ScalarNode):
        raise NotAFormError(line_of(node), f"{key} takes a text")
    return str(node.value)


def _flag(entries: Mapping[str, tuple[int, YamlNode]], key: str) -> bool | None:
    text = _scalar(entries, key)
    if text and text.lower() not in _FLAGS:
        raise NotAFormError(line_of(entries[key][1]), f"{key} takes true or false")
    return _FLAGS[text.lower()] if text else None


def _text(key: YamlNode) -> str:
    return str(key.value)
