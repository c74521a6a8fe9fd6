"""What people do with destinations, groups and sources: look, add, edit, remove. Pages, API and commands do it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from node.adapters.database import Database
from node.adapters.database import places as rows
from node.adapters.database.places import Changed, Row
from node.core.places import FILE, NAME, Family, Key, Place
from node.core.rules import RuleSet
from node.errors import BadConfiguration, NoSuch, StoreUnavailable, Usage


class Book(Protocol):
    """What knows the models of settings: the composition root."""

    def kinds(self, family: Family) -> tuple[str, ...]: ...

    def keys(self, family: Family, kind: str) -> tuple[Key, ...]:
        """Raises BadConfiguration for a kind that there is not."""
        ...

    def listed(self, family: Family) -> Sequence[Place]: ...

    def proposed(self, new: Place, secrets: Mapping[str, str | None]) -> Row:
        """The row that this would be. Raises BadConfiguration that names the key."""
        ...

    def demand_needless(self, family: Family, name: str) -> None:
        """Raises BadConfiguration when something else would be wrong without it."""
        ...

    def changed(self) -> None:
        """A change was written."""
        ...


@dataclass(frozen=True)
class Places:
    """Everything that changes a place."""

    database: Database
    book: Book
    clock: Callable[[], datetime]
    rule_set: Callable[[], RuleSet]  # in use

    def listed(self, family: Family) -> Sequence[Place]:
        return self.book.listed(family)

    def get(self, family: Family, name: str) -> Place:
        """Raises NoSuch."""
        there = self.book.listed(family)
        found = next((one for one in there if one.name == name), None)
        if found is None:
            known = ", ".join(one.name for one in there) or "none"
            raise NoSuch(f"there is no {family} {name[:64]}: known are {known}")
        return found

    def history(self, family: Family, name: str) -> Sequence[Changed]:
        return rows.history(self.database, family, name)

    def add(self, new: Place, secrets: Mapping[str, str | None], actor: str) -> Place:
        """Raises BadConfiguration that names the key; Usage when there is one of this name."""
        if not NAME.fullmatch(new.name):
            cure = "Use letters, digits, blanks and . _ - + : @, 64 at most"
            raise BadConfiguration("name", "is no name for one", cure)
        if family := self._family_of(new.name, new.family.names_with):
            raise Usage(f"there is a {family} {new.name} already: choose another name, or edit that one")
        rows.add(self.database, self.book.proposed(replace(new, revision=0), secrets), actor, self.clock())
        self.book.changed()
        return self.get(new.family, new.name)

    def edit(self, new: Place, secrets: Mapping[str, str | None], actor: str) -> Place:
        """Put `new` in the place of its revision.

        Raises NoSuch, BadConfiguration that names the key, Overtaken when somebody was quicker.
        """
        self._demand_row(new.family, new.name)
        rows.edit(self.database, self.book.proposed(new, secrets), actor, self.clock())
        self.book.changed()
        return self.get(new.family, new.name)

    def remove(self, family: Family, name: str, revision: int, actor: str) -> None:
        """Raises NoSuch; Usage with the cure while something waits for it or names it; Overtaken."""
        self._demand_row(family, name)
        if family is not Family.SOURCE and (rules := self.naming_rules(name)):
            cure = "publish them without it first"
            raise Usage(f"the rules in use deliver to {name} ({', '.join(rules[:5])}): {cure}")
        if family is Family.DESTINATION and (groups := self.naming_groups(name)):
            raise Usage(f"{name} is a member of {', '.join(groups[:5])}: take it off the group first")
        self.book.demand_needless(family, name)
        rows.remove(self.database, family, name, revision, actor, self.clock())
        self.book.changed()

    def naming_rules(self, name: str) -> list[str]:
        """The rules in use that deliver to a destination or a group; none where nothing was published."""
        try:
            rules = self.rule_set().rules
        except StoreUnavailable:
            return []
        return [rule.name for rule in rules if name in rule.then.deliver]

    def naming_groups(self, name: str) -> list[str]:
        """The groups that a destination is a member of."""
        return [one.name for one in self.book.listed(Family.GROUP) if name in members_of(one)]

    def _family_of(self, name: str, families: Sequence[Family]) -> Family | None:
        """Of these, the one that has a place of this name."""
        return next((one for one in families for place in self.book.listed(one) if place.name == name), None)

    def _demand_row(self, family: Family, name: str) -> None:
        if self.get(family, name).origin == FILE:
            raise Usage(f"{family} {name} stands in node.toml: change it there and restart the node")


def members_of(group: Place) -> Sequence[str]:
    """In the order in which they are tried."""
    members = group.keys.get("members")
    return [str(one) for one in members] if isinstance(members, list | tuple) else []
