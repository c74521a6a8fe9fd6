"""What rules are put to when all that is left of a series is what was kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag

from node.core.kept.cells import NOT_KEPT, Cell, Raw
from node.core.kept.collect import private_key
from node.core.rules.attributes import Attribute, Operand
from node.core.rules.facts import Fact
from node.core.rules.kinds import Kind
from node.core.rules.reading import MISSING, Reading, Unknown, read_element
from node.core.rules.subject import Remembering, Subject

_CHARACTER_SET = BaseTag(0x00080005)
_LOST = Unknown("was not kept with the header")


@dataclass(frozen=True)
class KeptSubject(Remembering):
    """Answers like `core.rules.Subject` for the headers it was made of, but from cells: key → text."""

    cells: Mapping[str, str]

    def _read(self, operand: Operand) -> None:
        if isinstance(operand, Fact):
            inner = self._of_facts(operand)
        else:
            key = key_of(operand)
            text = self.cells.get(key)
            if text is None:
                found = _LOST if NOT_KEPT in self.cells else MISSING
                self._every[operand], self._agreed[operand] = (found,), found
                return
            cell = Cell.from_text(text)
            if (one := _plain(operand, cell)) is not None:
                self._every[operand], self._agreed[operand] = (one,), one
                return
            inner = Subject(stand_ins(operand, cell))
        self._every[operand], self._agreed[operand] = inner.every(operand), inner.reading(operand)

    def _of_facts(self, fact: Fact) -> Subject:
        text = self.cells.get(fact.text)
        return Subject((), {} if text is None else {fact.text: json.loads(text)})


@lru_cache(maxsize=4096)
def key_of(operand: Operand) -> str:
    """The column that an attribute or a fact is found in."""
    if isinstance(operand, Fact):
        return operand.text
    step = operand.path[0]
    if step.creator:
        return private_key(step.tag.group, step.tag.element, step.creator)
    return f"{int(step.tag):08X}"


def _plain(attribute: Attribute, cell: Cell) -> Reading | None:
    """The short way for most: one value at the top, alike in every character set."""
    (step, *rest), raw = attribute.path, cell.raws[0] if cell.raws else None
    if rest or step.creator or step.tag.group == 2 or attribute.kind is Kind.CODE:
        return None
    if raw is None or len(cell.raws) > 1 or cell.absent or raw.charset:
        return None
    return read_element(_element(step.tag, raw), attribute.vr, attribute.kind, (), attribute.group)


def stand_ins(attribute: Attribute, cell: Cell) -> list[Dataset]:
    """A data set for each value of the cell, and one without it for the instances that lack it."""
    datasets = [_holding(attribute, raw) for raw in cell.raws]
    return [*datasets, *(Dataset() for _ in range(min(cell.absent, 1)))]


def _holding(attribute: Attribute, raw: Raw) -> Dataset:
    step = attribute.path[0]
    elements: dict[BaseTag, DataElement | RawDataElement] = {}
    tag = step.tag
    if step.creator:
        tag = BaseTag(step.tag.group << 16 | 0x1000 | step.tag.element & 0xFF)
        reserved = BaseTag(step.tag.group << 16 | 0x10)
        creator = step.creator.encode("ascii", "replace")
        elements[reserved] = RawDataElement(reserved, "LO", len(creator), creator, 0, False, True)
    if raw.charset:
        term = raw.charset.encode("ascii", "replace")
        elements[_CHARACTER_SET] = RawDataElement(_CHARACTER_SET, "CS", len(term), term, 0, False, True)
    elements[tag] = _element(tag, raw)
    if tag.group == 2:
        ds = Dataset()
        ds.file_meta = FileMetaDataset(elements)
        return ds
    return Dataset(elements)


def _element(tag: BaseTag, raw: Raw) -> RawDataElement:
    length = 1 if raw.value is None else len(raw.value)
    return RawDataElement(tag, raw.vr or None, length, raw.value, 0, raw.implicit, not raw.big_endian)
