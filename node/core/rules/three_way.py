"""Two people changed one rule set: what each did since the version both began with. A file is a rule: file by file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What became of a file on both sides."""

    MINE = "mine"  # only I changed it
    THEIRS = "theirs"  # only they did
    SAME = "same"  # both, alike
    CONFLICT = "conflict"  # both, differently


@dataclass(frozen=True)
class Both:
    """A file that somebody changed; None: it is not there."""

    file: str
    change: Change
    base: str | None
    theirs: str | None
    mine: str | None

    @property
    def proposed(self) -> str | None:
        """What there is to be when nobody decides otherwise: of a conflict, mine."""
        return self.theirs if self.change is Change.THEIRS else self.mine


def three_way(base: Mapping[str, str], theirs: Mapping[str, str], mine: Mapping[str, str]) -> tuple[Both, ...]:
    """Every file that is not the same in all three."""
    found = []
    for file in sorted({*base, *theirs, *mine}):
        was, their, my = base.get(file), theirs.get(file), mine.get(file)
        if was == their == my:
            continue
        found.append(Both(file, _change(was, their, my), was, their, my))
    return tuple(found)


def merged(
    theirs: Mapping[str, str], both: tuple[Both, ...], take_theirs: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Their files with my changes; of conflicts theirs where that is said."""
    files = dict(theirs)
    for one in both:
        text = one.theirs if one.file in take_theirs else one.proposed
        if text is None:
            files.pop(one.file, None)
        else:
            files[one.file] = text
    return files


def _change(base: str | None, theirs: str | None, mine: str | None) -> Change:
    if theirs == mine:
        return Change.SAME
    if theirs == base:
        return Change.MINE
    return Change.THEIRS if mine == base else Change.CONFLICT
