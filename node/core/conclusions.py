"""What a classification says of a series: one coded answer to each question, from the probabilities of its slices."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from node.core.card import Answer, Card, Code, Question
from node.core.ood import Oddity
from node.core.results.evaluation import Evaluation
from node.errors import ModelFailed

UNDETERMINED = Code("373068000", "SCT", "Undetermined")  # CID 230: asked, and not sure enough
_LIKENESS = Code("OOD", "99MRICORE", "Likeness to the usual series of this site")
_LIKE = Code("OOD_WITHIN", "99MRICORE", "Within the reference series")
_UNLIKE = Code("OOD_BEYOND", "99MRICORE", "Unlike every reference series")
_ROUNDING = 1e-2  # that probabilities of one question may differ from a sum of 1 by: fp16 plans


@dataclass(frozen=True)
class Conclusion:
    """The answer to one question."""

    question: Question
    answer: Answer | None  # None: not sure enough, or no slice that says anything
    probability: float  # of the likeliest answer, over the series


def conclude(card: Card, answers: NDArray[np.float32]) -> tuple[Conclusion, ...]:
    """The conclusions from `answers`, float32 (slices, answers of all questions in a row).

    A series' probability is the mean over its slices; a slice that was not shown to the model is all zero and does not
    count. Raises ModelFailed for what are no probabilities.
    """
    ends = np.cumsum([0, *(len(question.answers) for question in card.questions)])
    if answers.ndim != 2 or answers.shape[1] != ends[-1]:
        raise ModelFailed(f"{card.name}: {answers.shape} is no array of {ends[-1]} answers for each slice")
    told = answers[answers.any(1)].astype(np.float64)
    parts = [told[:, begin:end] for begin, end in pairwise(ends)]
    for part in parts:
        # Written so that NaN fails it
        if not ((part >= 0).all() and (np.abs(part.sum(1) - 1) <= _ROUNDING).all()):
            raise ModelFailed(f"{card.name}: the answers to a question are no probabilities that sum to 1")
    return tuple(_conclusion(question, part) for question, part in zip(card.questions, parts, strict=True))


def _conclusion(question: Question, part: NDArray[np.float64]) -> Conclusion:
    if not len(part):
        return Conclusion(question, None, 0.0)
    mean = part.mean(0)
    best = int(mean.argmax())
    probability = round(float(mean[best]), 4)
    return Conclusion(question, question.answers[best] if probability >= question.at_least else None, probability)


def evaluations(conclusions: tuple[Conclusion, ...]) -> tuple[Evaluation, ...]:
    """What of it the SR says."""
    return tuple(
        Evaluation(one.question.concept, one.answer.code if one.answer else UNDETERMINED) for one in conclusions
    )


def likeness(oddity: Oddity) -> Evaluation:
    """What the SR says of it: on which side of the reference's end a series lies, since a number is no evaluation."""
    return Evaluation(_LIKENESS, _UNLIKE if oddity.unusual else _LIKE)
