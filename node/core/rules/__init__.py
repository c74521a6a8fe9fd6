"""Rules: which series goes to which model, and why. The language is described in docs/rules.md.

Read the files once with `parse_rule_set`, then `decide` for each series; `explain` says why. Nothing here does I/O,
and no rule can raise, loop or run code, whatever a header holds.
"""

from node.core.rules.conditions import Verdict
from node.core.rules.decision import Decision, Outcome, decide
from node.core.rules.derived import header_facts
from node.core.rules.explain import explain, smallest_edit
from node.core.rules.facts import FactValue
from node.core.rules.mistakes import Mistake, Severity
from node.core.rules.parse import check_rule_set, parse_rule_set, version_of
from node.core.rules.rule import (
    EACH,
    ONLY,
    Actions,
    Inference,
    Missing,
    Need,
    Notice,
    OnUnknown,
    Otherwise,
    Priority,
    Rule,
)
from node.core.rules.rule_set import RuleSet
from node.core.rules.ruling import Disposition, Ruler, Ruling
from node.core.rules.step import Standing, Step
from node.core.rules.study import Binding, Sibling, Study, bound
from node.core.rules.subject import Readable, Results, Subject, result_facts
from node.core.rules.truth import Truth

__all__ = [
    "EACH",
    "ONLY",
    "Actions",
    "Binding",
    "Decision",
    "Disposition",
    "FactValue",
    "Inference",
    "Missing",
    "Mistake",
    "Need",
    "Notice",
    "OnUnknown",
    "Otherwise",
    "Outcome",
    "Priority",
    "Readable",
    "Results",
    "Rule",
    "RuleSet",
    "Ruler",
    "Ruling",
    "Severity",
    "Sibling",
    "Standing",
    "Step",
    "Study",
    "Subject",
    "Truth",
    "Verdict",
    "bound",
    "check_rule_set",
    "decide",
    "explain",
    "header_facts",
    "parse_rule_set",
    "result_facts",
    "smallest_edit",
    "version_of",
]
