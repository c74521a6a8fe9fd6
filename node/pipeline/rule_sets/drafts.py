"""Drafts: what an author is changing, from the first keystroke to the publication.

A draft knows which publication it was made from. Who saves says which revision they saw; who publishes, on what the
draft stands. When another was quicker, nothing happens, and they are told what each did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.adapters.database import drafts as rows
from node.adapters.database import rules as published
from node.adapters.database.drafts import Draft
from node.adapters.database.proposals import Proposal
from node.adapters.database.rules import Publication
from node.core.rules import version_of
from node.core.rules.order import renamed
from node.core.rules.three_way import Both, merged, three_way
from node.errors import NoSuch, Overtaken, Usage
from node.pipeline.rule_sets.trials import summary
from node.pipeline.rule_sets.versions import Change, Versions, allowed


@dataclass(frozen=True)
class Standing:
    """A draft beside what is in use."""

    draft: Draft
    in_use: Publication
    files_in_use: Mapping[str, str]
    base: Mapping[str, str]  # files of the publication that it was made from

    @property
    def overtaken(self) -> bool:
        """Whether somebody published since it was begun."""
        return self.draft.base != self.in_use.number

    @property
    def changed(self) -> tuple[str, ...]:
        """Files that are not as they are in use."""
        names = sorted({*self.draft.files, *self.files_in_use})
        return tuple(name for name in names if self.draft.files.get(name) != self.files_in_use.get(name))

    @property
    def three_way(self) -> tuple[Both, ...]:
        """What each side did since they began with the same."""
        return three_way(self.base, self.files_in_use, self.draft.files)


@dataclass(frozen=True)
class Drafts:
    """Each author has one draft. Revision 0 is one that is not written yet: what is in use."""

    versions: Versions

    def standing(self, author: str) -> Standing:
        """The author's draft, or what is in use as one that nobody has changed."""
        last = published.newest(self.versions.database)
        if last is None:
            raise Usage("no rule set was published yet. Start the node, or `mricore-node rules publish DIR`")
        in_use = published.files_of(self.versions.database, last.version)
        draft = rows.of_author(self.versions.database, author)
        if draft is None:
            return Standing(Draft(author, last.number, 0, last.at, in_use), last, in_use, in_use)
        base = in_use if draft.base == last.number else self.versions.files(str(draft.base))[1]
        return Standing(draft, last, in_use, base)

    def write(self, author: str, revision: int, files: Mapping[str, str]) -> Draft:
        """Put files into the draft in place of all others. Raises Usage, Overtaken when it is another revision."""
        allowed(files)
        if not any(not name.startswith("_") for name in files):
            raise Usage("a rule set has at least one rule: to do nothing, write one that ignores every series")
        return self._save(self._seen(author, revision), files)

    def write_file(self, author: str, revision: int, name: str, text: str | None) -> Draft:
        """One file; None takes it out. Raises Usage, NoSuch, Overtaken."""
        seen = self._seen(author, revision)
        files = dict(seen.files)
        if text is None:
            if files.pop(name, None) is None:
                raise NoSuch(f"there is no file {name[:64]} in your draft")
        else:
            files[name] = text
        return self.write(author, revision, files)

    def reorder(self, author: str, revision: int, order: Sequence[str]) -> Draft:
        """Rule files in another order, which is that of their names."""
        seen = self._seen(author, revision)
        try:
            return self._save(seen, renamed(seen.files, order))
        except ValueError as wrong:
            raise Usage(f"order: {wrong}") from wrong

    def take_up(self, author: str, revision: int, take_theirs: Sequence[str] = ()) -> Draft:
        """Put my changes on what is in use now; of files that both changed, theirs where that is said, else mine."""
        standing = self.standing(author)
        draft = self._seen(author, revision)
        files = merged(standing.files_in_use, standing.three_way, frozenset(take_theirs))
        return rows.save(
            self.versions.database, author, files, base=standing.in_use.number, revision=draft.revision,
            now=self.versions.clock(),
        )  # fmt: skip

    def discard(self, author: str, revision: int) -> None:
        """Throw it away."""
        rows.discard(self.versions.database, author, revision)

    def publish(self, author: str, revision: int, reason: str, digest: str) -> Publication | Proposal:
        """Put the draft into use, as it was simulated. `digest` is that of the simulation that was looked at.

        Raises Overtaken when the draft, or what is in use, is not what was simulated, Usage, BadConfiguration.
        """
        standing = self.standing(author)
        draft = self._seen(author, revision)
        if standing.overtaken:
            by = standing.in_use
            raise Overtaken(f"{by.author} published {by.number} since your draft was begun: {by.reason}")
        told = summary(self.versions.database, version_of(draft.files), standing.in_use.version)
        if told is None or told.get("digest") != digest:
            raise Overtaken("your draft is not what was simulated: simulate it again, and look at what it found")
        change = Change(author, reason)
        done = self.versions.publish(draft.files, change, base=str(draft.base), foretold=lambda _new, _old: told)
        rows.discard(self.versions.database, author, draft.revision)
        return done

    def _seen(self, author: str, revision: int) -> Draft:
        """The draft, when it still is that revision."""
        draft = self.standing(author).draft
        if draft.revision != revision:
            raise Overtaken("your draft was changed elsewhere meanwhile: look at it again")
        return draft

    def _save(self, seen: Draft, files: Mapping[str, str]) -> Draft:
        return rows.save(
            self.versions.database, seen.author, files, base=seen.base, revision=seen.revision,
            now=self.versions.clock(),
        )  # fmt: skip
