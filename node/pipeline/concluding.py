"""From what a model answers to what is made of it: labels to be encoded, or what is to be said in words.

What a classification concludes is kept for the rules before anything is encoded, and the rules are asked once more: a
job that is cut off and taken up again does both again, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from node.adapters.database import Database, conclusions
from node.adapters.database.conclusions import Found
from node.core.card import Card, Kind
from node.core.conclusions import conclude, evaluations
from node.core.jobs import Job
from node.core.results import SR_FORMS, Evaluation, Form
from node.core.volume import Volume
from node.errors import NotProcessable

_log = structlog.get_logger(__name__)

Reconsider = Callable[[str, int], int]  # SeriesInstanceUID and version → jobs that were added


@dataclass(frozen=True)
class Said:
    """What a model said of a volume."""

    labels: NDArray[np.uint8]  # (slices, rows, columns); all 0 where the model marks nothing
    evaluations: tuple[Evaluation, ...]
    in_words: bool  # there is no SEG to be made

    def chosen(self, by_destination: Mapping[str, frozenset[Form]]) -> Mapping[str, frozenset[Form]]:
        """The forms for each destination: of what is said in words alone, the SR goes wherever an SR is wanted."""
        if not self.in_words:
            return by_destination
        words = frozenset({Form.PLANAR})  # the form that refers to no SEG
        return {name: words if forms & SR_FORMS else frozenset() for name, forms in by_destination.items()}


@dataclass(frozen=True)
class Concluding:
    """What is done with answers."""

    database: Database
    clock: Callable[[], datetime]
    reconsider: Reconsider

    def conclude(self, job: Job, card: Card, volume: Volume, answer: NDArray[Any]) -> Said | None:
        """What is to be encoded; None when the job is another's by now.

        Raises ModelFailed for an answer that the card does not promise, NotProcessable for a model without results.
        """
        if card.kind is Kind.SEGMENTATION:
            return Said(np.asarray(answer, np.uint8), (), in_words=False)
        if card.kind is Kind.EMBEDDING:
            raise NotProcessable(f"{card.name} makes vectors, which are no result: no rule should name it")
        concluded = conclude(card, np.asarray(answer, np.float32))
        found = [Found(one.question.name, one.answer.name, one.probability) for one in concluded if one.answer]
        if not conclusions.keep(self.database, job, found, self.clock()):
            return None
        if found and (added := self.reconsider(job.series_instance_uid, job.version)):
            _log.info("rules asked once more", job_id=job.id, model=card.name, jobs=added)
        nothing = np.zeros((len(volume.slices), volume.rows, volume.columns), np.uint8)
        return Said(nothing, evaluations(concluded), in_words=True)
