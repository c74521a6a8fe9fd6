"""Who may ask the series about what names patients: what a draft matches would tell a name letter by letter."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from node.core.access import Actor
from node.core.rules import parse_rule_set
from node.core.rules.program import leaves
from node.errors import NoSuch, NotAllowed
from node.pipeline.rule_sets.versions import Versions


def demand_sight(actor: Actor, files: Mapping[str, str], versions: Versions) -> None:
    """Rules as they are in use may be asked by all. Raises NotAllowed, BadConfiguration for files that are no rules."""
    if actor.sees_patients:
        return
    in_use = _in_use(versions)
    new = {file for file, text in files.items() if text not in in_use}
    for rule in parse_rule_set(files).rules if new else ():
        asked = [leaf.operand for leaf in leaves(rule.applies) if rule.file in new]
        if named := [one.text for one in asked if one.identifying]:
            raise NotAllowed(f"{rule.file} asks for {named[0]}, which may name a patient, and {actor.name} sees none")


def _in_use(versions: Versions) -> Collection[str]:
    try:
        return versions.files()[1].values()
    except NoSuch:
        return ()
