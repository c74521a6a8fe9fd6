"""Linear probes: coded answers from the vector of a frozen encoder.

A probe's file is a state dict with two tensors for each question of the card: `<question>.weight` (answers, width) and
`<question>.bias` (answers). Whatever was done to the features before the fit (a mean taken off, a scale) is to be
folded into them. Linear probing is how the features of MRI-CORE's teacher were judged by their authors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from node.core.card import Question
from node.mricore.accounting import account
from node.mricore.checkpoint import read_tensors

_NOTHING = re.compile(r"(?!)")  # no tensor more than the questions'


class Probe(nn.Module):
    """Vector (N, width) to logits (N, answers), and to probabilities that sum to 1 for each question."""

    def __init__(self, questions: Mapping[str, int], width: int) -> None:
        """`questions`: name → number of answers."""
        super().__init__()
        self.names = tuple(questions)
        self.layers = nn.ModuleDict({name: nn.Linear(width, count) for name, count in questions.items()})

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities and logits (N, answers of all questions in a row)."""
        logits = [self.layers[name](vector) for name in self.names]
        return torch.cat([each.softmax(1) for each in logits], 1), torch.cat(logits, 1)


def read_probe(path: Path, questions: Sequence[Question], width: int) -> Probe:
    """Read a probe's file. Raises BadConfiguration unless it holds the tensors of these questions and nothing else."""
    state = read_tensors(path)
    with torch.device("meta"):
        probe = Probe({question.name: len(question.answers) for question in questions}, width)
    account(state, {key.removeprefix("layers."): each for key, each in probe.state_dict().items()}, _NOTHING, path.name)
    probe.load_state_dict({f"layers.{key}": tensor for key, tensor in state.items()}, assign=True)
    return probe.requires_grad_(False).eval()
