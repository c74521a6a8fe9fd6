"""Rules: which series goes to which model, and why. The language is described in docs/rules.md.

Read the files once with `parse_rule_set`, then `decide` for each series; `explain` says why. Nothing here does I/O,
and no rule can raise, loop or run code, whatever a header holds.
"""

from node.core.rules.conditions import Verdict
from node.core.rules.decision import Decision, Disposition, Outcome, Standing, decide
from node.core.rules.explain import explain, smallest_edit
from node.core.rules.facts import FactValue
from node.core.rules.mistakes import Mistake, Severity
from node.core.rules.parse import check_rule_set, parse_rule_set, version_of
from node.core.rules.rule import EACH, ONLY, Actions, Inference, OnUnknown, Otherwise, Priority, Rule, RuleSet
from node.core.rules.subject import Subject
from node.core.rules.truth import Truth

__all__ = [
    "EACH",
    "ONLY",
    "Actions",
    "Decision",
    "Disposition",
    "FactValue",
    "Inference",
    "Mistake",
    "OnUnknown",
    "Otherwise",
    "Outcome",
    "Priority",
    "Rule",
    "RuleSet",
    "Severity",
    "Standing",
    "Subject",
    "Truth",
    "Verdict",
    "check_rule_set",
    "decide",
    "explain",
    "parse_rule_set",
    "smallest_edit",
    "version_of",
]
