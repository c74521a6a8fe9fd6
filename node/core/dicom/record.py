"""Facts to JSON and back, without loss.

The frames of a multi-frame image are stored column by column: one value when all frames agree, else a table
of the different values and, per frame, the number of its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from node.core.dicom.facts import Facts, Frame
from node.errors import BadInstance

VERSION = 1


def to_json(facts: Facts) -> dict[str, object]:
    """A dictionary of plain JSON values."""
    record: dict[str, object] = {"version": VERSION}
    for field in fields(Facts):
        if field.name != "frames":
            record[field.name] = _plain(getattr(facts, field.name))
    record["frame_count"] = len(facts.frames)
    record["frames"] = {field.name: _column(facts.frames, field.name) for field in fields(Frame)}
    return record


def from_json(record: Mapping[str, object]) -> Facts:
    """The facts of a record of `to_json`. Raises BadInstance when the record is of another version or damaged."""
    if record.get("version") != VERSION:
        raise BadInstance(
            f"stored facts are of version {record.get('version')}, not {VERSION}: receive the series anew"
        )
    try:
        count = cast("int", record["frame_count"])
        stored = cast("Mapping[str, Mapping[str, Any]]", record["frames"])
        columns = [_values(stored[field.name], count) for field in fields(Frame)]
        frames = tuple(Frame(*row) for row in zip(*columns, strict=True))
        rest = {field.name: _frozen(record[field.name]) for field in fields(Facts) if field.name != "frames"}
        return Facts(**cast("dict[str, Any]", rest), frames=frames)
    except (KeyError, TypeError, IndexError, ValueError) as broken:
        raise BadInstance("stored facts are damaged: receive the series anew") from broken


def _column(frames: Sequence[Frame], name: str) -> dict[str, object]:
    table: dict[object, int] = {}
    index = [table.setdefault(getattr(frame, name), len(table)) for frame in frames]
    column: dict[str, object] = {"table": [_plain(value) for value in table]}
    return column if len(table) <= 1 else {**column, "index": index}


def _values(column: Mapping[str, Any], count: int) -> list[object]:
    table = [_frozen(value) for value in column["table"]]
    index = column.get("index")
    return [table[row] for row in index] if index is not None else table * count


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
