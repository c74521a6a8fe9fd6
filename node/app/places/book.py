"""The port through which pages, API and command line see settings: they know keys and values, and no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, SecretStr

from node.adapters.database import Database, places
from node.adapters.database.places import Row
from node.app.places.keys import keys_of, kind_key, kinds_of
from node.app.places.live import Places
from node.app.places.merging import merged, model_of
from node.config import DestinationSettings, Settings
from node.core.places import FILE, Family, Key, Place, Shape, flat, nested
from node.errors import BadConfiguration

_LINES_AT_MOST, _TEXT_AT_MOST = 100, 4096
_REACHES = ("url", "host", "port", "user", "kind")  # who gets a secret


class SettingsBook:
    """Destinations, groups and sources of this node, with what their keys mean and what is wrong with a new one."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        usable: Callable[[DestinationSettings], object],
        live: Places | None = None,
    ) -> None:
        """`usable` raises BadConfiguration where files are named that are no good; `live` is told of changes."""
        self._file, self._database, self._usable, self._live = settings, database, usable, live

    def kinds(self, family: Family) -> tuple[str, ...]:
        return kinds_of(family)

    def keys(self, family: Family, kind: str) -> tuple[Key, ...]:
        """Raises BadConfiguration for a kind that there is not."""
        if kind not in kinds_of(family):
            raise BadConfiguration(
                "kind", f"there is no {family} of this kind", f"Known: {', '.join(kinds_of(family))}"
            )
        found = keys_of(family, kind)
        return tuple(replace(key, choices=self._members()) for key in found) if family is Family.GROUP else found

    def listed(self, family: Family) -> list[Place]:
        """Those of node.toml in its order, then the rows by name."""
        rows = places.listed(self._database)[1]
        faults = merged(self._file, rows).faults
        there: Sequence[BaseModel] = getattr(self._file, family.section)
        return [_of_the_file(family, one) for one in there] + [
            Place(
                family,
                row.name,
                str(row.keys["kind"]),
                {key: value for key, value in row.keys.items() if key != "kind"},
                tuple(sorted(row.secrets)),
                revision=row.revision,
                fault=faults.get((row.family, row.name), ""),
            )
            for row in rows
            if row.family == family
        ]

    def proposed(self, new: Place, secrets: Mapping[str, str | None]) -> Row:
        """The row that `new` would be, in the place of the one of its name if there is one of its revision.

        Keys are as in node.toml, or as a form sends them: text. A secret that is not given or "" stays what it is;
        None takes it away. Raises BadConfiguration that names the key.
        """
        keys = self._read(new)
        rows = places.listed(self._database)[1]
        before = next((row for row in rows if (row.family, row.name) == (new.family, new.name)), None)
        kept = dict(before.secrets) if before and new.revision else {}
        given = {name: value for name, value in secrets.items() if value != ""}
        row = Row(new.family, new.name, keys, _secrets(kept, given), new.revision)
        if before and kept and _reaches_another(before, row) and (missing := sorted(set(kept) - set(given))):
            cure = "Give it again: it would go to somebody else"
            raise BadConfiguration(missing[0], "is kept for the address and user that it was given for", cure)
        self._demand_known(new, row)
        self._demand_folder(row)
        model = model_of(row)
        if isinstance(model, DestinationSettings):
            self._usable(model)
        self._demand_good([one for one in rows if one is not before], [row])
        return row

    def demand_needless(self, family: Family, name: str) -> None:
        """Raises BadConfiguration when something else would be wrong without it."""
        rows = places.listed(self._database)[1]
        self._demand_good([one for one in rows if (one.family, one.name) != (family, name)], [])

    def changed(self) -> None:
        """A change was written."""
        if self._live:
            self._live.look()

    def _members(self) -> tuple[str, ...]:
        """What may be a member of a group."""
        now = merged(self._file, places.listed(self._database)[1]).settings
        return tuple(one.name for one in now.destination)

    def _demand_good(self, others: Sequence[Row], new: Sequence[Row]) -> None:
        """New rows are good, and no other one is worse off than now."""
        already = merged(self._file, places.listed(self._database)[1]).faults
        for (family, name), fault in merged(self._file, [*others, *new]).faults.items():
            if any((one.family, one.name) == (family, name) for one in new):
                key, _, what = fault.partition(": ") if ": " in fault else (f"{family} {name}", "", fault)
                raise BadConfiguration(key, what)
            if (family, name) not in already:
                raise BadConfiguration(f"{family} {name}", f"would be wrong then: {fault}")

    def _read(self, new: Place) -> dict[str, object]:
        """Text of forms becomes values; what is empty is left out."""
        known = {one.name: one for one in self.keys(new.family, new.kind)}
        read: dict[str, object] = {"kind": new.kind}
        for name, value in flat(new.keys).items():
            key = known.get(name)
            if key is None or key.shape is Shape.SECRET:
                raise BadConfiguration(name, f"a {new.family} of kind {new.kind} has no such key", "Leave it out")
            found = _value(key, value)
            if found is not None and found != key.default:
                read[name] = found
        return nested(read)

    def _demand_known(self, new: Place, row: Row) -> None:
        known = {one.name for one in self.keys(new.family, new.kind) if one.shape is Shape.SECRET}
        for name, value in row.secrets.items():
            if len(value) > _TEXT_AT_MOST or not value.isprintable():
                raise BadConfiguration(name, "is too long, or no text")
        if foreign := sorted(set(row.secrets) - known):
            raise BadConfiguration(foreign[0], f"a {new.family} of kind {new.kind} has no such secret", "Leave it out")

    def _demand_folder(self, row: Row) -> None:
        """Whoever may use a page may not read, move or write whatever this machine has."""
        path = row.keys.get("path")
        if path is None:
            return
        roots = [root.resolve() for root in self._file.places.folders]
        if not any(Path(str(path)).resolve().is_relative_to(root) for root in roots):
            named = f"Choose one below {', '.join(map(str, roots))}" if roots else "Name some as places.folders there"
            raise BadConfiguration("path", "is not below a folder that node.toml opens for this", named)


def _of_the_file(family: Family, one: BaseModel) -> Place:
    written = one.model_dump(mode="json", include=one.model_fields_set - {"name", kind_key(family)})
    secret = [name for name in written if isinstance(getattr(one, name), SecretStr)]
    keys = {name: value for name, value in written.items() if name not in secret}
    name, kind = getattr(one, "name"), getattr(one, kind_key(family))  # noqa: B009 # every model has them
    return Place(family, name, kind, keys, tuple(sorted(one for one in secret if written[one])), origin=FILE)


def _value(key: Key, value: object) -> object:
    """What is written of it; None: nothing. Types are judged by the model."""
    if key.shape is Shape.LIST:
        return _lines(key, value)
    if key.shape is Shape.SWITCH and isinstance(value, str):
        return {"on": True, "true": True, "": False, "false": False}.get(value, value)
    if isinstance(value, str):
        if len(value) > _TEXT_AT_MOST or not value.isprintable():
            raise BadConfiguration(key.name, "is too long, or no text")
        value = _number(key, value.strip()) if value.strip() else None
    if isinstance(value, float) and not math.isfinite(value):
        raise BadConfiguration(key.name, "is no number")
    return value


def _number(key: Key, text: str) -> object:
    """What is no number stays text, and the model says so."""
    if key.shape not in (Shape.INTEGER, Shape.NUMBER):
        return text
    try:
        return int(text) if key.shape is Shape.INTEGER else float(text)
    except ValueError:
        return text


def _lines(key: Key, value: object) -> object:
    if not isinstance(value, str | list):
        return value
    parts = [line for part in value.splitlines() for line in part.split(",")] if isinstance(value, str) else value
    lines = [one.strip() if isinstance(one, str) else one for one in parts]
    lines = [one for one in lines if one != ""]  # a form sends "" where nothing was chosen
    if len(lines) > _LINES_AT_MOST:
        raise BadConfiguration(key.name, f"has more than {_LINES_AT_MOST} lines")
    if key.choices and any(lines.count(one) > 1 for one in lines):
        raise BadConfiguration(key.name, "name one twice", "Name each once: they are tried in their order")
    if isinstance(value, str):
        return [] if lines == ["-"] else lines or None
    return lines


def _secrets(kept: Mapping[str, str], given: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**kept, **given}.items() if value}


def _reaches_another(before: Row, row: Row) -> bool:
    return any(before.keys.get(name) != row.keys.get(name) for name in _REACHES)
