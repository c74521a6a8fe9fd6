"""Rule files to a rule set, and the list of everything that is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from node.core.card import Card
from node.core.rules.checks import check_names, check_order, check_references, check_told
from node.core.rules.clauses import Interned
from node.core.rules.entries import read_rule, read_set
from node.core.rules.guarantees import check_inputs, check_loops, check_unknowns
from node.core.rules.mistakes import Mistake, Report, Severity
from node.core.rules.rule import Rule
from node.core.rules.rule_set import RuleSet
from node.core.rules.source import read_section

SET_FILE = "_set.yaml"


@dataclass(frozen=True)
class _Read:
    rule_set: RuleSet
    mistakes: tuple[Mistake, ...]


def parse_rule_set(files: Mapping[str, str]) -> RuleSet:
    """The rule set of these files (name to YAML text). Raises BadConfiguration on the first mistake."""
    read = _read(files)
    for mistake in read.mistakes:
        if mistake.severity is Severity.ERROR:
            raise mistake.error()
    return read.rule_set


def check_rule_set(
    files: Mapping[str, str],
    models: Mapping[str, Card] | Collection[str] | None = None,
    destinations: Collection[str] | None = None,
    told: Collection[str] | None = None,
) -> tuple[Mistake, ...]:
    """Every mistake, by file and line. Models, destinations and those who are told are checked when they are given."""
    read = _read(files)
    rules = read.rule_set.rules
    broken = {mistake.file for mistake in read.mistakes if mistake.severity is Severity.ERROR}
    whole = [rule for rule in rules if rule.file not in broken]  # a condition that was not read covers everything
    found = [
        *read.mistakes,
        *check_order(whole),
        *check_loops(whole),
        *check_unknowns(whole),
        *check_references(rules, models, destinations),
        *(check_told(rules, told) if told is not None else ()),
        *(check_inputs(whole, models) if isinstance(models, Mapping) else ()),
    ]
    return tuple(sorted(found, key=lambda mistake: (mistake.file, mistake.line, mistake.severity)))


def version_of(files: Mapping[str, str]) -> str:
    """sha256 over names and contents, each preceded by its length so that no two sets read the same."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name, files[name]):
            content = part.encode("utf-8", "surrogatepass")
            digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()


def _read(files: Mapping[str, str]) -> _Read:
    about = Report(SET_FILE)
    section = read_section(files[SET_FILE], about) if SET_FILE in files else None
    otherwise, lists = read_set(section, about)
    mistakes, rules, interned = list(about.mistakes), list[Rule](), Interned()
    for name in sorted(files):
        if name == SET_FILE:
            continue
        report = Report(name)
        if not name.endswith(".yaml"):
            report.error(1, "is no rule file", "Rule files end in .yaml")
        elif (rule_section := read_section(files[name], report)) is not None:
            rules.append(read_rule(rule_section, report, lists, interned))
        mistakes += report.mistakes
    mistakes += check_names(rules)
    rule_set = RuleSet(version_of(files), tuple(rules), otherwise, tuple(lists))
    return _Read(rule_set, tuple(sorted(mistakes, key=lambda mistake: (mistake.file, mistake.line))))
