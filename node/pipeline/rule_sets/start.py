"""What rules.directory means when a node starts.

The folder is for those who keep their rules in files: an edit is published at the next start. The database is for
those who publish from the shell or the pages. Where both did, nobody is overruled in silence: what was published
later stays in use, and the log and `mricore-node check` say how to settle it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from node.adapters.database import rules as rows
from node.adapters.database.proposals import Proposal
from node.adapters.database.rules import Publication
from node.core.rules import check_rule_set, version_of
from node.errors import BadConfiguration, Overtaken
from node.pipeline.rule_sets.versions import DIRECTORY, Change, Versions

NODE = "node"  # the author of what is published at start


class AtStart(StrEnum):
    """What becomes of the folder."""

    PUBLISH = "publish"
    SAME = "same"  # it is what is in use
    UNCHANGED = "unchanged"  # it is what it was when it was last published; something later is in use
    CONFLICT = "conflict"  # it changed, and so did what is in use


@dataclass(frozen=True)
class Folder:
    """What was done with the folder, in words for the log; `conflict` needs a person."""

    outcome: AtStart
    sentence: str

    @property
    def conflict(self) -> bool:
        return self.outcome is AtStart.CONFLICT


def at_start(directory: str, in_use: Publication | None, last_of_directory: Publication | None) -> AtStart:
    """What to do with a folder whose version is `directory`."""
    if in_use is None:
        return AtStart.PUBLISH
    if in_use.version == directory:
        return AtStart.SAME
    if last_of_directory is not None and last_of_directory.version == directory:
        return AtStart.UNCHANGED
    if last_of_directory is not None and last_of_directory.number == in_use.number:
        return AtStart.PUBLISH
    return AtStart.CONFLICT


def look_at(versions: Versions, directory: Mapping[str, str]) -> Folder:
    """What there is to be done with the folder, without doing it."""
    version, in_use = version_of(directory), rows.newest(versions.database)
    outcome = at_start(version, in_use, rows.newest(versions.database, DIRECTORY))
    return Folder(outcome, _sentence(outcome, version, in_use))


def take_directory(versions: Versions, directory: Mapping[str, str]) -> Folder:
    """Publish the folder where that overrules nobody.

    A model or a destination that is not there yet is no reason to stop: a node without its PACS still receives. Raises
    BadConfiguration for files that cannot be used, unless an earlier rule set is in use: then that stays.
    """
    found = look_at(versions, directory)
    if found.outcome is not AtStart.PUBLISH:
        return found
    change = Change(NODE, "rules.directory, read at start")
    try:
        done = replace(versions, check=check_rule_set).publish(directory, change, origin=DIRECTORY)
    except Overtaken:  # another process started at the same moment
        return look_at(versions, directory)
    except BadConfiguration as wrong:
        last = rows.newest(versions.database)
        if last is None:
            raise
        return Folder(AtStart.CONFLICT, f"rules.directory cannot be used ({wrong}): {_stays(last)}")
    if isinstance(done, Proposal):
        return Folder(AtStart.CONFLICT, f"rules.directory changed: proposal {done.id} waits for a second person")
    return found


def _sentence(outcome: AtStart, version: str, in_use: Publication | None) -> str:
    if outcome is AtStart.PUBLISH or in_use is None:
        return f"rules.directory is new ({version[:12]})"
    if outcome is AtStart.SAME:
        return f"rules.directory is in use (publication {in_use.number})"
    if outcome is AtStart.UNCHANGED:
        return f"rules.directory did not change, and {in_use.author} published later: {_stays(in_use)}"
    return (
        f"rules.directory changed ({version[:12]}), but {in_use.author} published since: {_stays(in_use)}. "
        f"Compare with `mricore-node rules diff {in_use.number} DIR`, then either "
        f"`mricore-node rules publish DIR --base {in_use.number}` or `mricore-node rules export DIR`"
    )


def _stays(last: Publication) -> str:
    return f"publication {last.number} ({last.version[:12]}) stays in use"
