"""The keys of a rule file and of `_set.yaml`, from YAML to values. Mistakes are reported; reading goes on."""

from __future__ import annotations

import re
from datetime import timedelta

from node.core.rules.actions import read_actions
from node.core.rules.clauses import ALWAYS, Clauses, Interned
from node.core.rules.conditions import Condition
from node.core.rules.folding import shown
from node.core.rules.keys import flag_of, known_keys, line_of, plain, span_of, text_of, word_of
from node.core.rules.mistakes import Report
from node.core.rules.questions import Lists
from node.core.rules.rule import Actions, Missing, Need, OnUnknown, Otherwise, Priority, Rule
from node.core.rules.source import Scalar, Section

RULE_KEYS = (
    "name", "description", "priority", "deadline", "when", "needs", "within", "else", "on_unknown", "then", "stop",
    "active",
)  # fmt: skip
SET_KEYS = ("otherwise", "lists")
RULE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NEED = re.compile(r"[a-z]\w{0,31}")
_NEEDS_AT_MOST = 8
_WITHIN_AT_MOST, _DEADLINE_AT_MOST = timedelta(days=7), timedelta(days=30)


def read_rule(section: Section, report: Report, lists: Lists, interned: Interned) -> Rule:
    """A rule, as far as it could be read; without mistakes in the report it is whole."""
    known_keys(section, RULE_KEYS, report)
    then = read_actions(section, report)
    clauses = Clauses(report, lists, interned)
    deadline = section.get("deadline")
    needs = _needs(section, clauses, then)
    within = section.get("within")
    return Rule(
        file=report.file,
        line=line_of(section, "when") if section.get("when") else line_of(section, "needs"),
        name=_name(section, report),
        description=text_of(section.get("description"), report) or "",
        priority=word_of(section.get("priority"), Priority.ROUTINE, report),
        when=_when(section, clauses),
        on_unknown=word_of(section.get("on_unknown"), OnUnknown.NO_MATCH, report),
        then=then,
        stop=_stop(section, then, report),
        active=flag_of(section.get("active"), report, default=True),
        deadline=span_of(deadline, report, _DEADLINE_AT_MOST) if deadline else None,
        needs=needs,
        within=(span_of(within, report, _WITHIN_AT_MOST) if within else None) or timedelta(),
        says_unknown=section.get("on_unknown") is not None,
        missing=word_of(section.get("else"), Missing.HOLD, report),
    )


def read_set(section: Section | None, report: Report) -> tuple[Otherwise, Lists]:
    """What happens to series no rule takes, and the shared lists. Without `_set.yaml`: hold, and none."""
    if section is None:
        return Otherwise.HOLD, {}
    known_keys(section, SET_KEYS, report)
    entry = section.get("lists")
    lists: dict[str, tuple[Scalar, ...]] = {}
    if entry and isinstance(entry.value, Section):
        lists = {named.key: plain(named.value, report) for named in entry.value.entries}
    elif entry:
        report.error(entry.line, "lists names lists of values", "Write `lists: {head: [HEAD, BRAIN]}`")
    return word_of(section.get("otherwise"), Otherwise.HOLD, report), lists


def _name(section: Section, report: Report) -> str:
    entry = section.get("name")
    if entry is None:
        report.error(section.line, "the rule has no name", "Add `name: what-it-is-for`")
        return ""
    name = text_of(entry, report) or ""
    if not RULE_NAME.fullmatch(name):
        report.error(entry.line, f"'{shown(name)}' is no rule name", "Use lower-case letters, digits and hyphens")
    return name


def _when(section: Section, clauses: Clauses) -> Condition:
    entry = section.get("when")
    if entry is None and section.get("needs"):
        return ALWAYS
    if entry is None:
        clauses.report.error(section.line, "the rule has no when", "Add `when:`, or `when: {}` for every series")
        return ALWAYS
    if not isinstance(entry.value, Section):
        clauses.report.error(
            entry.line, "when takes conditions", "Write `when: {Modality: MR}`, or {} for every series"
        )
        return ALWAYS
    return clauses.condition(entry.value)


def _needs(section: Section, clauses: Clauses, then: Actions) -> tuple[Need, ...]:
    entry, report = section.get("needs"), clauses.report
    if entry is None:
        for key in ("within", "else"):
            if section.get(key):
                report.error(line_of(section, key), f"{key} says nothing without needs", "Add `needs:`, or take it out")
        return ()
    if not isinstance(entry.value, Section) or not 0 < len(entry.value.entries) <= _NEEDS_AT_MOST:
        report.error(entry.line, f"needs names 1 to {_NEEDS_AT_MOST} series", "Write `needs: {t1: {…}, flair: {…}}`")
        return ()
    if not section.get("within"):
        report.error(entry.line, "needs does not say how long to wait", "Add `within: 4 h`")
    if not then.infer:
        report.error(entry.line, "needs without infer has no model to give the series to", "Add `- infer: model`")
    found = []
    for need in entry.value.entries:
        if not _NEED.fullmatch(need.key):
            report.error(need.line, f"'{shown(need.key)}' is no name of a need", "Use lower-case letters and digits")
        elif isinstance(need.value, Section):
            found.append(Need(need.key, clauses.condition(need.value), need.line))
        else:
            report.error(need.line, f"{need.key} takes conditions", f"Write `{need.key}: {{Modality: MR}}`")
    return tuple(found)


def _stop(section: Section, then: Actions, report: Report) -> bool:
    """Rules stop by default: the first that takes a series is the only one. Those that only tag go on."""
    entry = section.get("stop")
    stop = flag_of(entry, report, default=then.takes)
    if entry and not stop and (then.hold is not None or then.ignore is not None):
        report.error(entry.line, "a rule that holds or ignores a series ends the search", "Take out stop: false")
    return stop
