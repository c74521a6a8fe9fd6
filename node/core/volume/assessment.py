"""How whole a series looks, for judging whether more is to come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from node.core.dicom import Facts
from node.core.volume.grid import Grid, grid
from node.core.volume.planes import planes
from node.core.volume.splitting import Part, parts
from node.errors import NotProcessable


@dataclass(frozen=True)
class Assessment:
    """The grid of the images that are there."""

    volumes: int  # parts that differ in more than position
    slices: int  # of the largest part
    missing: int  # slices that would fill gaps, or that one part has and another of its orientation lacks
    regular: bool  # every part is an evenly spaced grid of at least two slices

    @property
    def whole(self) -> bool:
        """Nothing inside is missing. The ends cannot be judged."""
        return self.regular and self.missing == 0


def assess(instances: Sequence[Facts]) -> Assessment | None:
    """What the positions amount to; None when the images cannot be placed (no geometry, mosaic, colour …)."""
    try:
        found = parts(planes(instances))
    except NotProcessable:
        return None
    grids = [grid(part.planes) for part in found]
    return Assessment(
        volumes=len(found),
        slices=max(len(part.planes) for part in found),
        missing=sum(one.missing for one in grids) + _shorter(found, grids),
        regular=all(one.fault is None and len(one.ordered) > 1 for one in grids),
    )


def _shorter(found: Sequence[Part], grids: Sequence[Grid]) -> int:
    """Slices by which regular parts fall short of the largest one of their orientation."""
    sizes: dict[object, list[int]] = defaultdict(list)
    for part, one in zip(found, grids, strict=True):
        if one.fault is None:
            sizes[part.values["Orientation"], part.values.get("StackID")].append(len(part.planes))
    return sum(max(of_one) - size for of_one in sizes.values() for size in of_one)
