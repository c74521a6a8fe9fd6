"""Trying a rule set on what was kept of many series: each question once for each different value, then arrays."""

from node.core.trial.answers import Answers, Table
from node.core.trial.effect import Effect, effect_of
from node.core.trial.rulings import Rulings, Siblings
from node.core.trial.tally import Foretold, Moved, Tally

__all__ = ["Answers", "Effect", "Foretold", "Moved", "Rulings", "Siblings", "Table", "Tally", "effect_of"]
