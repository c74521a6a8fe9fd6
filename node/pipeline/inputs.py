"""What a job is made of: the volume that its result lies on, and those of other series, where the model takes more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.adapters.database import Database, routing
from node.adapters.database.series import StoredInstance, instances
from node.adapters.decoding import Decoder, Pixels
from node.adapters.files import Files
from node.adapters.headers import read_header
from node.core.card import Brought, Card, Input, NamedInput
from node.core.jobs import Job
from node.core.results import inputs_sha256
from node.core.volume import Volume, demand_alignment, demand_same_planes, orientation, resampled, volume_for
from node.errors import NotProcessable, StoreUnavailable

_LOOKS = 5  # instances that come while a job begins make it look again, so often at most
_HIGHEST = 65535

Stored = Mapping[str, Sequence[StoredInstance]]  # by SeriesInstanceUID


@dataclass(frozen=True)
class Part:
    """The volume of one series, its images' headers and files."""

    volume: Volume
    sources: Sequence[Dataset]
    paths: Mapping[str, Path]
    sha256: Mapping[str, str]  # of each instance


@dataclass(frozen=True)
class Prepared:
    """A job's input."""

    card: Card
    volume: Volume
    sources: Sequence[Dataset]
    paths: Mapping[str, Path]
    inputs_sha256: str
    others: Mapping[str, Part]  # by the name of the input; empty for a model of one series
    inputs: tuple[tuple[str, str], ...] = ()  # (name, SeriesInstanceUID) of a model that takes several

    @property
    def all_sources(self) -> list[Dataset]:
        """The headers of every image that the model was given."""
        return [*self.sources, *(ds for part in self.others.values() for ds in part.sources)]


@dataclass(frozen=True)
class Preparing:
    """What it takes to find a job's input."""

    database: Database
    files: Files

    def prepare(self, job: Job, card: Card) -> Prepared:
        """Raises NotProcessable where the job's series are not what the card says."""
        if card.reference is None:
            stored = instances(self.database, job.series_instance_uid)
            whole = self._part(stored, card.name, card.input, job.volume)
            return Prepared(card, whole.volume, whole.sources, whole.paths, inputs_sha256(whole.sha256), {})
        return self._several(job, card, card.reference)

    def _several(self, job: Job, card: Card, reference: NamedInput) -> Prepared:
        bound = _bound(job, card, reference, dict(routing.inputs(self.database, job.id)))
        stored = self._stored(job, bound)
        parts = {
            one.name: self._named(one, stored[bound[one.name]], card.name, job.volume if one.reference else "")
            for one in card.inputs
        }
        mine = parts[reference.name]
        for one in card.inputs:
            if not one.reference:
                _demand_fit(one, parts[one.name].volume, reference.name, mine.volume)
        digest = inputs_sha256(
            {f"{name}/{uid}": sha256 for name, part in parts.items() for uid, sha256 in part.sha256.items()}
        )
        others = {one.name: parts[one.name] for one in card.inputs if not one.reference}
        return Prepared(card, mine.volume, mine.sources, mine.paths, digest, others, tuple(bound.items()))

    def _stored(self, job: Job, bound: Mapping[str, str]) -> Stored:
        """The instances of every series, after it was noted how many there are: more of them later are then seen to be
        more. Raises StoreUnavailable while they keep coming."""
        uids = tuple(bound.values())
        seen: Stored = {uid: instances(self.database, uid) for uid in uids}
        for _ in range(_LOOKS):
            routing.note_used(self.database, job.id, {uid: len(seen[uid]) for uid in uids})
            now: Stored = {uid: instances(self.database, uid) for uid in uids}
            if all(len(now[uid]) == len(seen[uid]) for uid in uids):
                return now
            seen = now
        raise StoreUnavailable("images of the job's series keep coming")

    def _named(self, one: NamedInput, stored: Sequence[StoredInstance], model: str, volume: str) -> Part:
        try:
            return self._part(stored, model, one.contract, volume)
        except NotProcessable as unfit:
            raise NotProcessable(f"{one.name}: {unfit}") from unfit

    def _part(self, stored: Sequence[StoredInstance], model: str, wanted: Input, volume: str) -> Part:
        if gone := max((one.removed_at for one in stored if one.removed_at), default=None):
            raise NotProcessable(f"images of the series were removed at {gone:%Y-%m-%d %H:%M} UTC (storage.keep_days)")
        headers = {one.sop_instance_uid: read_header(self.files.path(one.path)) for one in stored}
        read = [header.facts for header in headers.values()]
        found = volume_for(read, volume or None, at_least=wanted.slices_at_least, at_most=wanted.slices_at_most)
        _demand_input(model, wanted, found, [header.ds for header in headers.values()])
        mine = {one.sop_instance_uid for one in found.slices}
        used = [one for one in stored if one.sop_instance_uid in mine]
        return Part(
            volume=found,
            sources=[headers[one.sop_instance_uid].ds for one in used],
            paths={one.sop_instance_uid: self.files.path(one.path) for one in used},
            sha256={one.sop_instance_uid: one.sha256 for one in used},
        )


def slices_for(prepared: Prepared, decoder: Decoder, *, floats: bool) -> dict[str, NDArray[Any]]:
    """Slices (N, H, W) of the inputs beside the reference, by name: brought to its planes as the card says.

    Raises as `Decoder.decode` does.
    """
    named = {one.name: one for one in prepared.card.inputs}
    return {
        name: _brought(
            named[name], part.volume, prepared.volume, decoder.decode(part.volume, part.paths), floats=floats
        )
        for name, part in prepared.others.items()
    }


def numbers(pixels: Pixels, *, floats: bool) -> NDArray[Any]:
    """Slices as a model takes them: modality values, or whole numbers."""
    return pixels.values if floats else pixels.as_uint16()


def _brought(one: NamedInput, volume: Volume, reference: Volume, pixels: Pixels, *, floats: bool) -> NDArray[Any]:
    own = numbers(pixels, floats=floats)
    if one.brought is Brought.OWN_GRID:
        return own
    moved = resampled(np.asarray(own, np.float32), volume, reference, one.outside)
    return moved if floats else np.rint(moved).clip(0, _HIGHEST).astype(np.uint16)


def _bound(job: Job, card: Card, reference: NamedInput, found: Mapping[str, str]) -> dict[str, str]:
    """The series of each input, by name, in the order of the card. Raises NotProcessable."""
    names = [one.name for one in card.inputs]
    if missing := [name for name in names if name not in found]:
        raise NotProcessable(
            f"{card.name} takes {', '.join(names)}, and the rule {job.rule} gave it no {' and no '.join(missing)}"
        )
    if found[reference.name] != job.series_instance_uid:
        raise NotProcessable(
            f"results of {card.name} lie on its {reference.name}, which must be the first of the needs of {job.rule}"
        )
    return {name: found[name] for name in names}


def _demand_fit(one: NamedInput, volume: Volume, reference_name: str, reference: Volume) -> None:
    demand_alignment(one.name, volume, reference_name, reference, one.covers_at_least)
    if one.brought is Brought.OWN_GRID:
        demand_same_planes(one.name, volume, reference_name, reference)


def _demand_input(model: str, wanted: Input, volume: Volume, headers: Iterable[Dataset]) -> None:
    """Raises NotProcessable when the card says that the model is not made for this series."""
    plane = orientation(volume)
    if wanted.orientation and plane not in wanted.orientation:
        raise NotProcessable(f"{plane} slices: {model} takes {', '.join(wanted.orientation)}")
    modalities = {str(header.get("Modality", "")) for header in headers}
    wrong = sorted(modalities - set(wanted.modality))
    if wanted.modality and wrong:
        raise NotProcessable(f"Modality {', '.join(wrong) or 'absent'}: {model} takes {', '.join(wanted.modality)}")
