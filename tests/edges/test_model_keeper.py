"""When canaries are asked: all now and then and after a fault, and of a model that stays away that one alone."""

from __future__ import annotations

from dataclasses import replace

from node.adapters.triton import Model, TritonClient
from node.pipeline.models import Models
from node.worker import ModelKeeper
from tests.clock import Clock
from tests.triton_fixture import MODEL


def passed(models: Models, name: str) -> int:
    return models.canaries().get((name, True), 0)


def failed(models: Models, name: str) -> int:
    return models.canaries().get((name, False), 0)


def test_while_one_model_is_away_the_others_are_not_asked_each_time(model: Model, triton_client: TritonClient) -> None:
    away = replace(model, card=replace(model.card, name="away"))
    models = Models([model, away], triton_client, 240)
    clock = Clock()
    keeper = ModelKeeper(models, clock, lambda: None)
    for _ in range(4):
        keeper._step()
    assert (passed(models, MODEL), failed(models, "away")) == (1, 4)
    assert set(models.faults()) == {"away"}
    clock.advance(60)
    keeper._step()
    assert passed(models, MODEL) == 2


def test_a_fault_has_every_model_asked_since_a_server_that_comes_back_may_be_another(
    model: Model, triton_client: TritonClient
) -> None:
    models = Models([model], triton_client, 240)
    keeper = ModelKeeper(models, Clock(), lambda: None)
    keeper._step()
    keeper._step()
    assert passed(models, MODEL) == 1
    models._note(MODEL, "the server went away")
    keeper._step()
    assert passed(models, MODEL) == 2
    assert models.faults() == {}
