"""What all pages of the rules read."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends

from node.adapters.database import Database
from node.core.access import Actor, Right
from node.core.rules import Mistake, version_of
from node.pipeline.rule_sets.drafts import Drafts
from node.pipeline.rule_sets.suggesting import Suggesting
from node.pipeline.rule_sets.versions import Versions
from node.web.access import may

Reader = Annotated[Actor, Depends(may(Right.READ))]

_NAME = re.compile(r"""^name:\s*["']?([a-z0-9][a-z0-9-]{0,63})["']?\s*(#.*)?$""", re.MULTILINE)
_CHECKS_AT_MOST = 16


@dataclass(frozen=True)
class Room:
    """Rule sets, and what this node knows."""

    versions: Versions
    suggesting: Suggesting
    _checked: OrderedDict[tuple[str, ...], tuple[Mistake, ...]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def database(self) -> Database:
        return self.versions.database

    @property
    def drafts(self) -> Drafts:
        return Drafts(self.versions)

    def check(self, files: Mapping[str, str]) -> tuple[Mistake, ...]:
        """Every mistake; worked out once for the same files, models and destinations."""
        known_here = self.suggesting.known()
        key = (version_of(files), *known_here.models, "", *known_here.destinations)
        with self._lock:
            known = self._checked.get(key)
        if known is None:
            known = tuple(self.versions.check(files))
            with self._lock:
                self._checked[key] = known
                while len(self._checked) > _CHECKS_AT_MOST:
                    self._checked.popitem(last=False)
        return known


def name_in(file: str, text: str) -> str:
    """What a rule is called in addresses: its name; its file where the text has none."""
    found = _NAME.search(text)
    return found[1] if found else file


def named_files(files: Mapping[str, str]) -> dict[str, str]:
    """Name → file, in the order of the rules. Of two with one name the later goes by its file."""
    found: dict[str, str] = {}
    for file in sorted(files):
        name = name_in(file, files[file])
        found[file if name in found else name] = file
    return found
