"""Versions of the rule set: published once and never changed, in use until the next one is.

Whoever publishes says on what they built; when another was quicker, nothing happens and they are told. What is in use
is the newest publication in the database: every process looks before it decides, so a new one needs no restart.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from node.adapters.database import Database, proposals
from node.adapters.database import rules as rows
from node.adapters.database.proposals import Proposal
from node.adapters.database.rules import Publication, ToPublish
from node.core.rules import Mistake, Severity, check_rule_set, parse_rule_set, version_of
from node.errors import Overtaken, Usage

DIRECTORY, PUBLISH, ROLLBACK = "directory", "publish", "rollback"
TEXT_AT_MOST = 1000  # characters of an author or a reason
FILES_AT_MOST, SIZE_AT_MOST = 1000, 4 * 1024 * 1024  # of one rule set, in characters

FILE_NAME = re.compile(r"\w[\w.-]{0,120}\.yaml", re.ASCII)

Foretold = Mapping[str, object]


@dataclass(frozen=True)
class Change:
    """Who changes the rules, and why."""

    author: str
    reason: str

    def __post_init__(self) -> None:
        """Raises Usage when either is missing: the history is read by people."""
        for name, text in (("author", self.author), ("reason", self.reason)):
            if not text.strip() or len(text) > TEXT_AT_MOST or not storable(text):
                raise Usage(
                    f"--{name}: is missing, no text, or longer than {TEXT_AT_MOST} characters: it is for the history"
                )


@dataclass(frozen=True)
class Versions:
    """Publishes, rolls back, compares."""

    database: Database
    clock: Callable[[], datetime]
    check: Callable[[Mapping[str, str]], Sequence[Mistake]] = check_rule_set  # with this node's models, destinations
    approval: bool = False  # whether a second person has to approve

    def keep(self, files: Mapping[str, str], change: Change) -> str:
        """Write a rule set down without using it: its version. Raises BadConfiguration for the first error in it."""
        allowed(files)
        errors = (mistake for mistake in self.check(files) if mistake.severity is Severity.ERROR)
        if wrong := next(errors, None):
            raise wrong.error()
        version = version_of(files)
        rows.keep(self.database, version, files, author=change.author, reason=change.reason, now=self.clock())
        return version

    def publish(
        self,
        files: Mapping[str, str],
        change: Change,
        *,
        base: str | None = None,
        origin: str = PUBLISH,
        foretold: Callable[[str, str], Foretold | None] = lambda _version, _in_use: None,
    ) -> Publication | Proposal:
        """Put files into use, or propose them where a second person has to approve.

        `base` is what they were made from, as number or version; without it, what is in use now. `foretold` knows
        what a trial said of a version beside what is in use. Raises
        BadConfiguration for the first error in them, Overtaken when somebody published since `base`, NoSuch.
        """
        last = self._unchanged_since(base)
        version = self.keep(files, change)
        if last and last.version == version:
            raise Usage(f"{version[:12]} is in use already (publication {last.number}): there is nothing to publish")
        number = last.number if last else 0
        told = foretold(version, last.version) if last else None
        if self.approval and number:
            waiting = (one for one in proposals.waiting(self.database) if (one.version, one.base) == (version, number))
            if there := next(waiting, None):
                return there
            return proposals.propose(
                self.database, version, number, author=change.author, reason=change.reason, origin=origin,
                simulation=told, now=self.clock()
            )  # fmt: skip
        new = ToPublish(version, change.author, change.reason, origin, simulation=told)
        return rows.publish(self.database, new, number, self.clock())

    def approve(self, proposal_id: int, by: str) -> Publication:
        """Put a proposal into use. Raises Usage when it is one's own, Overtaken when it is decided or out of date."""
        proposal = self._open(proposal_id, by)
        if same_person(proposal.author, by):
            raise Usage(f"proposal {proposal_id} is by {proposal.author}: another person has to approve it")
        new = ToPublish(proposal.version, proposal.author, proposal.reason, proposal.origin, by, proposal.simulation)
        published = rows.publish(self.database, new, proposal.base, self.clock())
        proposals.decide(self.database, proposal_id, proposals.APPROVED, by, self.clock())
        return published

    def reject(self, proposal_id: int, by: str) -> None:
        """Close a proposal; one's own too. Raises Overtaken when it is decided."""
        self._open(proposal_id, by)
        proposals.decide(self.database, proposal_id, proposals.REJECTED, by, self.clock())

    def rollback(self, text: str, change: Change, base: str | None = None) -> Publication:
        """Put a version that was in use before into use again, at once: it needs no second approval.

        Raises NoSuch, Usage when it never was in use or is now, Overtaken.
        """
        version = rows.version_named(self.database, text)
        last = self._unchanged_since(base)
        if last and last.version == version:
            raise Usage(f"{version[:12]} is in use already (publication {last.number})")
        if version not in {one.version for one in rows.history(self.database, limit=100_000)}:
            raise Usage(f"{version[:12]} was never in use. Publish it: `mricore-node rules publish DIR`")
        parse_rule_set(rows.files_of(self.database, version))
        new = ToPublish(version, change.author, change.reason, ROLLBACK)
        return rows.publish(self.database, new, last.number if last else 0, self.clock())

    def files(self, text: str | None = None) -> tuple[str, dict[str, str]]:
        """Version and files of a publication's number or a version; without one, of what is in use. Raises NoSuch."""
        if text is None:
            last = rows.newest(self.database)
            if last is None:
                raise Usage("no rule set was published yet. Start the node, or `mricore-node rules publish DIR`")
            return last.version, rows.files_of(self.database, last.version)
        version = rows.version_named(self.database, text)
        return version, rows.files_of(self.database, version)

    def _unchanged_since(self, base: str | None) -> Publication | None:
        last = rows.newest(self.database)
        if base is None or (last and last.version == rows.version_named(self.database, base)):
            return last
        meanwhile = f"{last.author} published {last.number} ({last.version[:12]}): {last.reason}" if last else ""
        raise Overtaken(f"{base} is no longer in use. {meanwhile}. Compare with `mricore-node rules diff {base}`")

    def _open(self, proposal_id: int, by: str) -> Proposal:
        Change(by, "decided")
        proposal = proposals.get(self.database, proposal_id)
        if proposal.state != proposals.OPEN:
            raise Overtaken(f"proposal {proposal_id} was {proposal.state} by {proposal.decided_by} already")
        return proposal


def allowed(files: Mapping[str, str]) -> None:
    """Raises Usage for what cannot be kept as a rule set, right or wrong."""
    if len(files) > FILES_AT_MOST or sum(map(len, files.values())) > SIZE_AT_MOST:
        raise Usage(f"a rule set has at most {FILES_AT_MOST} files and {SIZE_AT_MOST} characters")
    for name in files:
        if not FILE_NAME.fullmatch(name):
            raise Usage(f"{name[:64]!r} is no name of a rule file. Write letters, digits, - and _, then .yaml")
        if not storable(files[name]):
            raise Usage(f"{name}: holds what is no text in UTF-8")


def storable(text: str) -> bool:
    """Whether any database takes it: no NUL, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False


def same_person(one: str, other: str) -> bool:
    """Whether two names are one, however they are typed."""
    return one.strip().casefold() == other.strip().casefold()


def difference(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """A unified diff of two rule sets, file by file, without line ends."""
    lines: list[str] = []
    for name in sorted({*one, *other}):
        before, after = one.get(name), other.get(name)
        if before == after:
            continue
        lines += difflib.unified_diff(
            [] if before is None else before.splitlines(),
            [] if after is None else after.splitlines(),
            "/dev/null" if before is None else name,
            "/dev/null" if after is None else name,
            lineterm="",
        )
    return lines
