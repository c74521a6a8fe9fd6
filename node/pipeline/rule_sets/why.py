"""Why, and why not: what rules say of a series whose headers are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from node.adapters.database import Database, headers
from node.core.kept import KeptSubject
from node.core.rules import Sibling, Study, decide, explain, parse_rule_set, smallest_edit
from node.core.rules.decision import HIDDEN, Outcome
from node.errors import NoSuch


@dataclass(frozen=True)
class RuleSays:
    """One rule and the series."""

    rule: str
    file: str
    standing: str  # matched, not matched, unknown, waiting, not reached, not active
    sentence: str
    clause: str  # that decided
    value: str  # that it saw; hidden where it could name a patient
    smallest_edit: str  # "with BodyPartExamined in [HEAD, 'KNEE']"; empty when one change is not enough


@dataclass(frozen=True)
class Why:
    """What a rule set makes of a series."""

    series_instance_uid: str
    rule_set_version: str
    disposition: str
    rule: str
    reason: str
    rules: tuple[RuleSays, ...]
    lines: tuple[str, ...]  # all of it, for people


def why(database: Database, series_instance_uid: str, files: Mapping[str, str], rule: str | None = None) -> Why:
    """What these rules say of a series, or one of them. Raises NoSuch, BadConfiguration for files that are no rules."""
    kept = headers.of_series(database, series_instance_uid)
    if kept is None:
        raise NoSuch("no header of that series is kept (rules.keep_headers_days)")
    rule_set = parse_rule_set(files)
    subject = KeptSubject(kept.cells)
    siblings = [
        Sibling(one.series_instance_uid, one.arrived, KeptSubject(one.cells))
        for one in headers.of_study(database, kept.study_instance_uid)
        if one.series_instance_uid != series_instance_uid
    ]
    study = Study(series_instance_uid, [*siblings, Sibling(series_instance_uid, kept.arrived, subject)], kept.at)
    decision = decide(rule_set, subject, study)
    said = tuple(_says(one) for one in decision.outcomes if rule in (None, one.rule.name))
    if rule is not None and not said:
        raise NoSuch(f"there is no rule {rule[:64]} in {rule_set.version[:12]}")
    return Why(
        series_instance_uid, rule_set.version, decision.disposition.value, decision.rule, decision.reason, said,
        explain(decision) if rule is None else (),
    )  # fmt: skip


def _says(outcome: Outcome) -> RuleSays:
    value = HIDDEN if outcome.identifying and outcome.value else outcome.value
    return RuleSays(
        outcome.rule.name, outcome.rule.file, outcome.standing.value, outcome.sentence, outcome.clause, value,
        smallest_edit(outcome),
    )  # fmt: skip
