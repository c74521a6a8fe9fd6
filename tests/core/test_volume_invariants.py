"""What must hold for every volume, whatever the scanner and the order of arrival."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.dicom import Facts, facts
from node.core.volume import affine, volume_for, volumes
from node.errors import NotProcessable
from tests.synthetic import AXIAL, CORONAL, SAGITTAL, Grid, mr_series, oblique

some = settings(max_examples=20, deadline=None)


def _spun(turn: float, tilt: float) -> tuple[float, ...]:
    c, s, ct, st_ = math.cos(turn), math.sin(turn), math.cos(tilt), math.sin(tilt)
    return (c, s, 0.0, -s * ct, c * ct, st_)


orientations = st.sampled_from([AXIAL, SAGITTAL, CORONAL, oblique(13)]) | st.builds(
    _spun, st.floats(0, 6.2), st.floats(0, 3.1)
)
grids = st.builds(
    Grid,
    slices=st.integers(4, 12),
    rows=st.just(4),
    columns=st.just(3),
    slice_spacing=st.floats(0.3, 9.0).map(lambda value: round(value, 3)),
    orientation=orientations,
)


def known(grid: Grid, **how: Any) -> list[Facts]:
    return [facts(ds) for ds in mr_series(grid, **how)]


@some
@given(grid=grids, data=st.data())
def test_any_order_of_arrival_gives_the_same_volumes(grid: Grid, data: st.DataObject) -> None:
    instances = known(grid, echo_times=(5.0, 9.0))
    assert volumes(data.draw(st.permutations(instances))) == volumes(instances)


@some
@given(grid=grids)
def test_positions_are_kept_and_ascend(grid: Grid) -> None:
    volume = volume_for(known(grid, order="shuffled"), None, at_least=1, at_most=99)
    assert [list(one.position) for one in volume.slices] == [grid.position(k) for k in range(grid.slices)]
    assert volume.slice_spacing == pytest.approx(grid.slice_spacing, abs=1e-3)
    last = affine(volume) @ [0, 0, grid.slices - 1, 1]
    assert list(last[:3]) == pytest.approx(grid.position(grid.slices - 1), abs=0.01)


@some
@given(grid=grids, data=st.data())
def test_without_an_inner_slice_there_is_no_volume(grid: Grid, data: st.DataObject) -> None:
    hole = data.draw(st.integers(1, grid.slices - 2))
    instances = [one for k, one in enumerate(known(grid)) if k != hole]
    with pytest.raises(NotProcessable, match=r"slice missing between|spacing varies"):
        volumes(instances)


@some
@given(grid=grids, data=st.data())
def test_a_slice_out_of_step_by_half_the_spacing_is_noticed(grid: Grid, data: st.DataObject) -> None:
    which = data.draw(st.integers(0, grid.slices - 1))
    step = [0.5 * grid.slice_spacing * value for value in grid.normal()]
    moved = Grid(**{**vars(grid), "shift": {which: step}})
    with pytest.raises(NotProcessable):
        volumes(known(moved))


@some
@given(grid=grids, noise=st.lists(st.floats(-0.02, 0.02), min_size=12, max_size=12))
def test_rounding_of_positions_is_no_fault(grid: Grid, noise: list[float]) -> None:
    normal = grid.normal()
    small = min(1.0, grid.slice_spacing)
    shaken = Grid(**{**vars(grid), "shift": {k: [small * noise[k] * v for v in normal] for k in range(grid.slices)}})
    assert len(volume_for(known(shaken), None, at_least=1, at_most=99).slices) == grid.slices


@some
@given(grid=grids, data=st.data())
def test_every_image_is_in_one_volume_only(grid: Grid, data: st.DataObject) -> None:
    phases = data.draw(st.integers(1, 3))
    instances = known(grid, phases=phases, echo_times=(5.0, 9.0))
    used = [one.sop_instance_uid for volume in volumes(instances) for one in volume.slices]
    assert sorted(used) == sorted(one.sop_instance_uid for one in instances)
