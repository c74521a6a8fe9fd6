"""The study of a series as the rules see it: what is known of it, and its other complete series when they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial

from node.adapters.database.routing import StudyLine
from node.core.rules import FactValue, Readable, Sibling, Study
from node.core.rules.attributes import Operand
from node.core.rules.reading import Reading


@dataclass(frozen=True)
class Unread:
    """A series whose headers are read when the first question is put to it: most rules need no study."""

    read: Callable[[], Readable]

    @cached_property
    def _subject(self) -> Readable:
        return self.read()

    def reading(self, operand: Operand) -> Reading:
        return self._subject.reading(operand)

    def every(self, operand: Operand) -> tuple[Reading, ...]:
        return self._subject.every(operand)


def study_facts(lines: Sequence[StudyLine]) -> dict[str, FactValue]:
    """`study.*`: of all series received so far, complete or not."""
    return {
        "study.series": len(lines),
        "study.modalities": sorted({one.modality for one in lines if one.modality}),
        "study.descriptions": sorted({one.series_description for one in lines if one.series_description}),
    }


def study_of(own: Sibling, lines: Sequence[StudyLine], read: Callable[[str], Readable], now: datetime) -> Study:
    """The series with the other complete ones of its study, which `read` gives by SeriesInstanceUID."""
    others = [
        Sibling(line.series_instance_uid, line.last_at, Unread(partial(read, line.series_instance_uid)))
        for line in lines
        if line.complete and line.series_instance_uid != own.series_instance_uid
    ]
    return Study(own.series_instance_uid, [own, *others], now)
