"""Sources and destinations: what was noted of feeds, and what each destination takes. Nothing is stored anywhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from node.adapters.database import Database, feeds
from node.app.clock import Clock
from node.app.destinations import build_destination, wanted_forms
from node.app.places import Places
from node.config import DestinationSettings, Settings
from node.core.inspection import Verdict
from node.errors import BadConfiguration
from node.pipeline.checking import Looked, Part
from node.pipeline.examination import Asked, Examination

_PEER_S, _STEP_S = 45.0, 10.0


def peer_parts(places: Places, database: Database, clock: Clock) -> list[Part]:
    merged = places.merged()
    settings = merged.settings
    return [
        *(
            Part(f"source {one.name}", partial(_feed, one.name, database))
            for one in settings.source
            if one.kind != "dicom"
        ),
        *(
            Part(f"destination {one.name}", partial(_destination, one, settings, clock), _PEER_S, "It hangs")
            for one in settings.destination
        ),
        *(
            Part(f"{family} {name}", partial(_unused, fault))
            for (family, name), fault in merged.faults.items()
        ),
    ]  # fmt: skip


def _unused(fault: str) -> Looked:
    return Looked(Verdict.FAILED, f"is not in use: {fault}", "Edit or remove it")


def _feed(name: str, database: Database) -> Looked:
    """What the running node noted of a feed."""
    state = next((one for one in feeds.states(database) if one.name == name), None)
    if state is None:
        return Looked(Verdict.NOT_ASKED, "has not brought anything yet")
    at = f"{state.at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if state.fault:
        return Looked(Verdict.FAILED, f"{state.fault} (since {at})", "Look at its url or path, and whether it runs")
    if state.missed:
        told = f"{state.missed} instances could not be fetched"
        return Looked(Verdict.ATTENTION, told, "docs/ways-in.md tells what a missed instance is")
    return Looked(Verdict.OK, f"last brought something {at}")


def _destination(one: DestinationSettings, settings: Settings, clock: Clock) -> Looked:
    if one.kind == "folder":
        return _folder(one)
    asked = Asked(settings.node.ae_title, wanted_forms(settings)[one.name], clock(), seconds=_STEP_S)
    seen = list(Examination(build_destination(one, settings.node.ae_title), asked, Path()).looks())
    for verdict in (Verdict.FAILED, Verdict.ATTENTION):
        if bad := [step for step in seen if step.verdict is verdict]:
            return Looked(verdict, "; ".join(f"{step.part}: {step.sentence}" for step in bad), bad[0].cure)
    taken = sum(step.part.startswith("takes ") for step in seen)
    answers = next((step.sentence for step in seen if step.part == "answers"), "")
    classes = "; takes every class that it gets" if taken else ""
    return Looked(Verdict.OK, f"{answers}{classes}. `destinations test {one.name}` stores a synthetic report there")


def _folder(one: DestinationSettings) -> Looked:
    path = one.path or Path()
    if path.exists() and not path.is_dir():
        raise BadConfiguration("path", f"{path} is not a folder", "Choose another one")
    there = path if path.exists() else next((above for above in path.parents if above.exists()), Path())
    return Looked(Verdict.OK, f"folder {path}" + ("" if there == path else f", which is made in {there}"))
