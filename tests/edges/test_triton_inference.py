"""Slices go to a real server and come back as labels of the same size."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from node.adapters.triton import EmbeddedTriton, Model, TritonClient
from node.core import phantom
from node.errors import ModelFailed, ModelUnavailable
from tests.triton_fixture import MODEL


@pytest.fixture(scope="module")
def head() -> phantom.Phantom:
    return phantom.voxels()


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_the_phantom_is_labelled_as_it_was_made(triton_client: TritonClient, head: phantom.Phantom) -> None:
    labels = triton_client.infer(MODEL, "1", head.array)
    assert labels.shape == head.array.shape
    assert dice(labels & 1 == 1, head.head) > 0.95
    assert dice(labels & 2 == 2, head.brain) > 0.90


def test_the_canary_sings(triton_client: TritonClient, model: Model) -> None:
    triton_client.canary(model)


def test_a_canary_with_other_labels_is_refused(triton_client: TritonClient, model: Model) -> None:
    other = Model(model.folder, model.card, model.contract, np.flip(model.canary, axis=1))
    with pytest.raises(ModelFailed, match="Dice coefficient"):
        triton_client.canary(other)


def test_a_linear_change_of_intensity_changes_next_to_nothing(
    triton_client: TritonClient, head: phantom.Phantom
) -> None:
    slices = head.array[10:20:3]
    as_they_are = triton_client.infer(MODEL, "", slices)
    changed = triton_client.infer(MODEL, "", (slices * np.uint16(31) + np.uint16(777)).astype(np.uint16))
    assert (as_they_are == changed).mean() > 0.9995


def test_constant_slices_are_background(triton_client: TritonClient) -> None:
    assert not triton_client.infer(MODEL, "", np.full((3, 64, 80), 1234, np.uint16)).any()


def test_many_small_requests_give_what_one_large_request_gives(
    triton: EmbeddedTriton, triton_client: TritonClient, head: phantom.Phantom
) -> None:
    with TritonClient(triton.url, requests_in_flight=8, slices_per_request=1) as small:
        one_by_one = small.infer(MODEL, "", head.array[8:20])
    assert (one_by_one == triton_client.infer(MODEL, "", head.array[8:20])).mean() > 0.9999


@pytest.mark.parametrize(
    "slices", [np.zeros((2, 8, 8), np.float32), np.zeros((8, 8), np.uint16), np.zeros((0, 8, 8), np.uint16)]
)
def test_slices_of_another_kind_are_refused_before_they_are_sent(
    triton_client: TritonClient, slices: NDArray[np.uint16]
) -> None:
    with pytest.raises(ModelFailed, match="must be uint16"):
        triton_client.infer(MODEL, "", slices)


def test_an_unknown_model_may_come_later(triton_client: TritonClient) -> None:
    with pytest.raises(ModelUnavailable, match="does not know it"):
        triton_client.infer("mri_core_knee", "", np.zeros((1, 8, 8), np.uint16))


def test_a_deadline_is_kept(triton_client: TritonClient, head: phantom.Phantom) -> None:
    with pytest.raises(ModelUnavailable, match="deadline"):
        triton_client.infer(MODEL, "", head.array, deadline_s=0.02)


def test_only_a_loaded_model_is_ready(triton_client: TritonClient) -> None:
    assert triton_client.ready(MODEL)
    assert not triton_client.ready("mri_core_knee")
