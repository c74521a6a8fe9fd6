"""A classification says in coded words what a series is, and the rules may go by what it is when its headers lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from node.adapters.database import conclusions
from node.adapters.database import jobs as rows
from node.adapters.database.conclusions import Shown
from node.adapters.triton import StillWanted
from node.core.card import Answer, Card, Code, Kind, Question, Vector
from node.core.results import verify_files
from node.errors import NotProcessable
from node.pipeline.models import Judged
from node.pipeline.work import Work
from tests.bench import Bench, rules
from tests.fakes import CARD, FakeModels
from tests.synthetic import Grid, mr_series, set_pixels

PART = Question(
    "body_part",
    Code("123014", "DCM", "Target Region"),
    (Answer("head", Code("69536005", "SCT", "Head")), Answer("knee", Code("72696002", "SCT", "Knee"))),
    0.6,
)
PROBE = replace(CARD, name="body_probe", kind=Kind.CLASSIFICATION, segments=(), questions=(PART,))
VECTORS = replace(CARD, name="vectors", kind=Kind.EMBEDDING, segments=(), vector=Vector(8, None))
BY_WHAT_IT_IS = {
    "_set.yaml": "otherwise: hold\n",
    "10-identify.yaml": (
        "name: identify\ndescription: what is it\nwhen: {Modality: MR}\n"
        "then: [{infer: body_probe}, {deliver: [out]}]\nstop: false\n"
    ),
    "20-head.yaml": (
        "name: head\ndescription: heads, whatever their headers say\nwhen: {result.body_probe.body_part: head}\n"
        "then: [{infer: mri_core_head}, {deliver: [out]}]\n"
    ),
}


class ProbeModels(FakeModels):
    """Also a classification, sure of a head as far as it is told, and an embedding."""

    def __init__(self, head: float) -> None:
        super().__init__()
        self.head = head

    @property
    def cards(self) -> Mapping[str, Card]:
        return {card.name: card for card in (CARD, PROBE, VECTORS)}

    def card(self, name: str, version: str) -> Card:
        if name not in self.cards:
            raise NotProcessable(f"the model {name} is not installed on this node")
        return self.cards[name]

    def infer(
        self,
        card: Card,
        slices: NDArray[np.uint16],
        request_id: str,
        still_wanted: StillWanted,
        images: str = "",
        judged: Judged = lambda _: None,
        others: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    ) -> NDArray[Any]:
        labels = super().infer(card, slices, request_id, still_wanted, images, judged)
        if card.kind is Kind.SEGMENTATION:
            return labels
        answers = np.tile(np.asarray([self.head, 1 - self.head], np.float32), (len(slices), 1))
        answers[slices.min((1, 2)) == slices.max((1, 2))] = 0
        return answers


@pytest.fixture
def lying(bench: Bench) -> Bench:
    """A bench whose rules go by what a series is."""
    bench.rule_set = rules(BY_WHAT_IT_IS)
    bench.models = ProbeModels(0.9)
    return bench


def series() -> list[Dataset]:
    """A head that calls itself a knee, with a blank slice at its end."""
    made = mr_series(Grid(slices=10), change={"BodyPartExamined": "KNEE", "SeriesDescription": "knee pd"})
    last = max(made, key=lambda ds: int(ds.InstanceNumber))
    set_pixels(last, np.zeros((last.Rows, last.Columns), np.int16))
    return made


def work(bench: Bench) -> Work:
    return replace(bench.work, reconsider=bench.completion.reconsider)


def said(content: bytes) -> list[tuple[str, str]]:
    """Concept and value of every coded evaluation."""
    sr = dcmread(BytesIO(content))
    assert sr.SOPClassUID == Comprehensive3DSRStorage
    return [
        (item.ConceptNameCodeSequence[0].CodeMeaning, item.ConceptCodeSequence[0].CodeMeaning)
        for container in sr.ContentSequence
        if container.ValueType == "CONTAINER"
        for item in container.get("ContentSequence", [])
        if item.ValueType == "CODE"
    ]


def test_a_series_goes_where_what_it_is_belongs(lying: Bench) -> None:
    first = lying.complete(series())
    assert [job.model for job in lying.jobs()] == ["body_probe"]
    assert work(lying).attempt(lying.claim()) == "delivered to out"
    assert lying.out.kinds == ["SR"]
    assert said(lying.out.taken[0][1]) == [("Target Region", "Head")]
    assert not verify_files(lying.out.taken[0][1], series())
    assert [(job.model, job.rule) for job in lying.jobs()] == [("body_probe", "identify"), ("mri_core_head", "head")]
    assert conclusions.found(lying.store.database, first.series_instance_uid, 1) == {
        "body_probe": {"body_part": "head"}
    }
    assert work(lying).attempt(lying.claim()) == "delivered to out"
    assert lying.out.kinds == ["SR", "SEG", "SR"]
    assert len(lying.jobs()) == 2


def test_what_it_is_not_sure_of_it_does_not_say_to_the_rules(lying: Bench) -> None:
    lying.models = ProbeModels(0.55)
    job = lying.complete(series())
    work(lying).attempt(lying.claim())
    assert said(lying.out.taken[0][1]) == [("Target Region", "Undetermined")]
    assert conclusions.found(lying.store.database, job.series_instance_uid, 1) == {}
    assert len(lying.jobs()) == 1


def test_asking_the_rules_again_and_again_adds_nothing(lying: Bench) -> None:
    job = lying.complete(series())
    work(lying).attempt(lying.claim())
    assert [lying.completion.reconsider(job.series_instance_uid, 1) for _ in range(3)] == [0, 0, 0]
    rows.retry(lying.store.database, job.id, "somebody", lying.clock())
    assert len(lying.jobs()) == 2


def test_what_was_found_on_an_older_version_does_not_count(lying: Bench) -> None:
    *most, late = series()
    job = lying.complete(most)
    work(lying).attempt(lying.claim())
    lying.receive([late])
    assert lying.completion.reconsider(job.series_instance_uid, 1) == 0
    lying.clock.advance(700)
    lying.judge_due()
    assert [(one.model, one.version) for one in lying.jobs() if one.version == 2] == [("body_probe", 2)]


def test_the_job_says_what_its_model_was_shown(lying: Bench) -> None:
    job = lying.complete(series())
    work(lying).attempt(lying.claim())
    blank = sum(ds.pixel_array.min() == ds.pixel_array.max() for ds in series())
    assert blank
    assert conclusions.was_shown(lying.store.database, job.id) == Shown(slices=10, blank=blank, encoder="")


def test_a_job_that_was_taken_away_concludes_nothing(lying: Bench) -> None:
    job = lying.complete(series())
    claimed = lying.claim()
    other = replace(claimed, claim=claimed.claim + 1)
    assert not conclusions.keep(lying.store.database, other, [], lying.clock())
    assert conclusions.found(lying.store.database, job.series_instance_uid, 1) == {}


def test_a_model_of_vectors_alone_is_no_result(lying: Bench) -> None:
    lying.rule_set = rules(
        {"_set.yaml": "otherwise: hold\n", "10.yaml": "name: v\nwhen: {}\nthen: [{infer: vectors}]\n"}
    )
    lying.complete(series())
    assert "makes vectors, which are no result" in lying.attempt()
