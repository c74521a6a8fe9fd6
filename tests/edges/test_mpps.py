"""Performed procedure steps, as a modality reports them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom.association import Association
from sqlalchemy import select

from node.adapters.database import Database
from node.adapters.database.evidence import reported_instances
from node.adapters.database.tables import series
from node.core.procedure_step import SOP_CLASS_UID, Step, read_step
from node.pipeline.procedure_steps import ProcedureSteps
from node.scp.mpps import mpps
from tests.listening import Listening, associate, listening, now
from tests.synthetic import Grid, mr_series

STEP = "2.25.1001"


@dataclass
class Modality:
    """A scanner with an open association, and the node it talks to."""

    association: Association
    node: Listening
    woken: list[bool] = field(default_factory=list)

    def create(self, uid: str | None = STEP, *, state: str | None = "IN PROGRESS") -> Dataset:
        status, _ = self.association.send_n_create(step(state), SOP_CLASS_UID, uid)
        return status

    def set(self, state: str | None, made: Mapping[str, Sequence[str]] | None = None, uid: str = STEP) -> Dataset:
        status, _ = self.association.send_n_set(step(state, made), SOP_CLASS_UID, uid)
        return status


def step(state: str | None, made: Mapping[str, Sequence[str]] | None = None) -> Dataset:
    """An attribute list or modification list."""
    ds = Dataset()
    ds.PerformedStationAETitle = "SCANNER"
    if state is not None:
        ds.PerformedProcedureStepStatus = state
    if made is not None:
        ds.PerformedSeriesSequence = [performed(uid, instances) for uid, instances in made.items()]
    return ds


def performed(series_instance_uid: str, instances: Sequence[str]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series_instance_uid
    item.ReferencedImageSequence = [reference(uid) for uid in instances]
    return item


def reference(sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", sop_instance_uid
    return item


@contextmanager
def at_work(folder: Path) -> Iterator[Modality]:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    woken: list[bool] = []
    steps = ProcedureSteps(database, now, lambda: woken.append(True))
    with listening(folder, services=[mpps(steps)], database=database) as node:
        association = associate(node.port, sop_classes=[SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.4"])
        yield Modality(association, node, woken)
        association.release()


@pytest.fixture
def modality(tmp_path: Path) -> Iterator[Modality]:
    with at_work(tmp_path) as one:
        yield one


def test_a_completed_step_tells_the_instances_of_its_series(modality: Modality) -> None:
    assert modality.create().Status == 0
    assert modality.set(None, {"2.25.7": ["2.25.71"]}).Status == 0
    assert reported_instances(modality.node.database, "2.25.7") is None, "it may still make more"
    assert modality.set("COMPLETED", {"2.25.7": ["2.25.71", "2.25.72"], "2.25.8": ["2.25.81"]}).Status == 0
    assert reported_instances(modality.node.database, "2.25.7") == frozenset({"2.25.71", "2.25.72"})
    assert reported_instances(modality.node.database, "2.25.8") == frozenset({"2.25.81"})


def test_a_step_completed_without_instances_is_no_evidence(modality: Modality) -> None:
    modality.create()
    assert modality.set("COMPLETED", {"2.25.7": []}).Status == 0
    assert reported_instances(modality.node.database, "2.25.7") is None


def test_a_discontinued_step_is_no_evidence(modality: Modality) -> None:
    modality.create()
    assert modality.set("DISCONTINUED", {"2.25.7": ["2.25.71"]}).Status == 0
    assert reported_instances(modality.node.database, "2.25.7") is None


def test_a_series_is_not_done_while_another_step_on_it_goes_on(modality: Modality) -> None:
    modality.create("2.25.1")
    modality.create("2.25.2")
    modality.set("COMPLETED", {"2.25.7": ["2.25.71"]}, uid="2.25.1")
    modality.set("IN PROGRESS", {"2.25.7": ["2.25.72"]}, uid="2.25.2")
    assert reported_instances(modality.node.database, "2.25.7") is None
    modality.set("COMPLETED", uid="2.25.2")
    assert reported_instances(modality.node.database, "2.25.7") == frozenset({"2.25.71", "2.25.72"})


def test_the_same_step_cannot_be_created_twice(modality: Modality) -> None:
    modality.create()
    assert modality.create().Status == 0x0111


def test_a_step_that_nobody_created_cannot_be_changed(modality: Modality) -> None:
    assert modality.set("COMPLETED").Status == 0x0112


@pytest.mark.parametrize("state", ["COMPLETED", "DISCONTINUED"])
def test_a_step_that_ended_may_not_be_changed(modality: Modality, state: str) -> None:
    modality.create()
    modality.set(state)
    refused = modality.set("COMPLETED", {"2.25.7": ["2.25.71"]})
    assert (refused.Status, refused.ErrorID) == (0x0110, 0xA710)
    assert refused.ErrorComment == "Performed Procedure Step Object may no longer be updated"
    assert reported_instances(modality.node.database, "2.25.7") is None


def test_states_that_the_standard_does_not_allow_are_refused(modality: Modality) -> None:
    assert modality.create("2.25.1", state="COMPLETED").Status == 0x0106
    assert modality.create("2.25.2", state=None).Status == 0x0120
    assert modality.create().Status == 0
    assert modality.set("FINISHED").Status == 0x0106


def test_a_step_without_a_uid_gets_one(modality: Modality) -> None:
    assert modality.create(None).Status == 0


def test_a_uid_longer_than_the_standard_allows_is_refused() -> None:
    from node.core.procedure_step import refuse_create

    refused = refuse_create("1." * 60, Step("IN PROGRESS", None), exists=False)
    assert refused is not None
    assert refused.status == 0x0117


def test_steps_survive_a_restart(tmp_path: Path) -> None:
    with at_work(tmp_path) as before:
        before.create()
    with at_work(tmp_path) as after:
        assert after.create().Status == 0x0111
        assert after.set("COMPLETED").Status == 0


def test_a_completed_step_has_its_waiting_series_looked_at_at_once(modality: Modality) -> None:
    images = mr_series(Grid(slices=3))
    modality.create()
    for ds in images:
        assert modality.association.send_c_store(ds).Status == 0
    uid = str(images[0].SeriesInstanceUID)
    modality.set("COMPLETED", {uid: [str(ds.SOPInstanceUID) for ds in images]})
    with modality.node.database.reading() as connection:
        look_at = connection.scalar(select(series.c.look_at).where(series.c.series_instance_uid == uid))
    assert look_at is not None
    assert look_at <= now() + timedelta(milliseconds=1)
    assert modality.woken


def test_a_dirty_list_reads_as_what_can_be_read_of_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says that a UID is too long
        ds = step("COMPLETED ", {"": ["2.25.1"], "1." * 80: ["2.25.2"], "2.25.7": ["2.25.71", ""]})
    assert read_step(ds) == Step("COMPLETED", {"2.25.7": ("2.25.71",)})
    assert read_step(Dataset()) == Step(None, None)
