"""A model that takes several series gets them, each brought to where the result lies; and nothing is guessed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.adapters.database import jobs as rows
from node.adapters.database import retention, routing
from node.adapters.database.erasing import Asked, erase, plan
from node.adapters.triton import StillWanted
from node.core.card import Brought, Card, parse_card
from node.core.jobs import Job
from node.core.results import verify_files
from node.core.rules import check_rule_set
from node.core.rules.mistakes import Severity
from node.core.states import JobState, SeriesState
from node.errors import BadConfiguration
from node.pipeline.models import Judged
from tests.bench import LONG_AFTER, Bench, on_bench, rules
from tests.fakes import FakeModels
from tests.synthetic import Grid, mr_series, uid
from tests.two_contrasts import CARD as TEXT
from tests.two_contrasts import NAME, RULE

DIGEST = "a" * 64
CARD = parse_card(
    TEXT.replace("BROUGHT", "resampled").replace("WEIGHTS", DIGEST).replace("CANARY", DIGEST).encode(), "card.yaml"
)
COARSE = Grid(slices=6, rows=16, columns=12, pixel_spacing=(1.6, 1.4), slice_spacing=8.0)


class TwoModels(FakeModels):
    """Marks what is bright in the one and in the other, and remembers what it was shown."""

    def __init__(self, card: Card = CARD) -> None:
        super().__init__()
        self._card = card
        self.given: list[Mapping[str, NDArray[Any]]] = []

    def card(self, name: str, version: str) -> Card:
        return self._card if name == NAME else super().card(name, version)

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
        super().infer(card, slices, request_id, still_wanted, images, judged)
        self.given.append({"t1": slices, **others})
        second = others["flair"] if others["flair"].shape == slices.shape else np.zeros_like(slices)
        return np.asarray((slices > 300) | (np.asarray(second > 300) * np.uint8(2)), np.uint8)


def series(description: str, grid: Grid | None = None, **more: object) -> list[Dataset]:
    same = {"StudyInstanceUID": uid("study"), "FrameOfReferenceUID": uid("frame"), "SeriesDescription": description}
    return mr_series(grid or Grid(), name=description, change={**same, **more})


T1, FLAIR = series("t1"), series("flair", COARSE)


@pytest.fixture
def both(bench: Bench) -> Bench:
    bench.rule_set, bench.models = rules({"10.yaml": RULE}), TwoModels()
    return bench


def arrive(bench: Bench, datasets: list[Dataset]) -> None:
    bench.receive(datasets)
    bench.clock.advance(LONG_AFTER)
    for _ in range(10):
        if not bench.completion.due():
            return
        bench.judge_due()
    raise AssertionError("series reopen each other without end")


def done(bench: Bench) -> str:
    """An attempt, written down as the worker does."""
    job = bench.claim()
    sentence = bench.work.attempt(job)
    rows.finish(bench.store.database, job.id, JobState.COMPLETED, sentence, bench.clock())
    return sentence


def result(bench: Bench, kind: str) -> Dataset:
    return dcmread(BytesIO(next(content for one, content in reversed(bench.out.taken) if one == kind)))


def inputs(bench: Bench, job: Job) -> dict[str, str]:
    return dict(routing.inputs(bench.store.database, job.id))


def test_the_model_gets_both_and_the_second_lies_on_the_grid_of_the_first(both: Bench) -> None:
    arrive(both, [*T1, *FLAIR])
    assert done(both) == "delivered to out"
    assert isinstance(both.models, TwoModels)
    (given,) = both.models.given
    assert given["t1"].shape == given["flair"].shape == (12, 32, 24)
    assert given["flair"].dtype == np.uint16
    assert given["flair"].max() > 300


def test_results_name_both_series_and_lie_on_the_first(both: Bench) -> None:
    arrive(both, [*T1, *FLAIR])
    done(both)
    segmentation, report = result(both, "SEG"), result(both, "SR")
    named = [item.SeriesInstanceUID for item in segmentation.ReferencedSeriesSequence]
    assert named == [T1[0].SeriesInstanceUID, FLAIR[0].SeriesInstanceUID]
    assert [len(item.ReferencedInstanceSequence) for item in segmentation.ReferencedSeriesSequence] == [12, 6]
    assert (segmentation.Rows, segmentation.Columns) == (32, 24)
    mine = {ds.SOPInstanceUID for ds in T1}
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert image.ReferencedSOPInstanceUID in mine
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert {item.SeriesInstanceUID for item in study.ReferencedSeriesSequence} >= set(named)
    parameters = segmentation.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters
    assert f"input_flair={FLAIR[0].SeriesInstanceUID}" in parameters.replace("'", "").replace(": ", "=")
    for _, content in both.out.taken:
        assert verify_files(content, [*T1, *FLAIR]) == ()


def test_the_same_inputs_give_the_same_bytes_and_another_second_series_other_uids(tmp_path: Path, both: Bench) -> None:
    arrive(both, [*T1, *FLAIR])
    done(both)
    for folder, other, same in (("again", FLAIR, True), ("other", series("flair 2", COARSE), False)):
        (tmp_path / folder).mkdir()
        with on_bench(tmp_path / folder, both.decoder, both.rule_set) as bench:
            bench.models = TwoModels()
            arrive(bench, [*other, *T1])
            done(bench)
            assert (dict(bench.out.taken) == dict(both.out.taken)) is same
            assert (result(bench, "SEG").SOPInstanceUID == result(both, "SEG").SOPInstanceUID) is same


@pytest.mark.parametrize(
    ("flair", "said"),
    [
        (series("flair", FrameOfReferenceUID=uid("elsewhere")), "different Frame of Reference UIDs"),
        (series("flair", Grid(origin=(-10.0, 20.0, 10.0))), "flair covers 17% of the field of view of t1"),
        (series("flair", Grid(missing=(5,))), "flair: slice missing"),
        (mr_series(name="flair", echo_times=(10.0, 90.0), change={
            "StudyInstanceUID": uid("study"), "FrameOfReferenceUID": uid("frame"), "SeriesDescription": "flair",
        }), "flair: each of 12 positions occurs 2 times"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_processable_with_the_reason(both: Bench, flair: list[Dataset], said: str) -> None:
    loose = RULE.replace(", series.orientation: axial, series.slices: {at_least: 4}", "")
    both.rule_set = rules({"10.yaml": loose})
    arrive(both, [*T1, *flair])
    told = both.attempt()
    assert told.startswith("NotProcessable: ")
    assert said in told
    assert both.out.taken == []


def test_an_input_on_its_own_grid_comes_as_it_is(both: Bench) -> None:
    apart = tuple(replace(one, brought=Brought.OWN_GRID) for one in CARD.inputs)
    both.models = models = TwoModels(replace(CARD, inputs=apart))
    arrive(both, [*T1, *series("flair", replace(Grid(), rows=64, columns=48, pixel_spacing=(0.4, 0.35)))])
    done(both)
    assert models.given[0]["flair"].shape == (12, 64, 48)


def test_slices_of_other_planes_are_refused_where_the_model_takes_them_as_they_are(both: Bench) -> None:
    apart = tuple(replace(one, brought=Brought.OWN_GRID) for one in CARD.inputs)
    both.models = TwoModels(replace(CARD, inputs=apart))
    arrive(both, [*T1, *FLAIR])
    assert both.attempt() == "NotProcessable: flair has 6 slices, t1 12: the model takes slices of the same planes"


def test_a_late_slice_of_any_input_supersedes(both: Bench) -> None:
    late = series("flair", replace(COARSE, slices=7))[6:]
    arrive(both, [*T1, *FLAIR])
    done(both)
    arrive(both, late)
    old, new = both.jobs()
    assert (new.version, new.supersedes, new.series_instance_uid) == (2, old.id, T1[0].SeriesInstanceUID)
    done(both)
    assert [job.state for job in both.jobs()] == [JobState.SUPERSEDED, JobState.COMPLETED]
    images = result(both, "SEG").ReferencedSeriesSequence[1].ReferencedInstanceSequence
    assert len(images) == 7
    assert result(both, "SR").PredecessorDocumentsSequence


def test_an_image_of_any_input_that_was_deleted_and_comes_corrected_supersedes(both: Bench) -> None:
    wrong, right = FLAIR[2], copy.deepcopy(FLAIR[2])
    right.ImageComments = "corrected"
    arrive(both, [*T1, *FLAIR])
    done(both)
    asked = Asked(str(wrong.StudyInstanceUID), str(wrong.SeriesInstanceUID), str(wrong.SOPInstanceUID), "anna", "wrong")
    (portion,) = plan(both.store.database, asked).portions
    assert len(erase(both.store.database, asked, portion, both.clock()).files) == 1
    arrive(both, [])
    assert len(both.jobs()) == 1
    arrive(both, [right])
    old, new = both.jobs()
    assert (new.supersedes, new.series_instance_uid) == (old.id, T1[0].SeriesInstanceUID)
    done(both)
    assert len(result(both, "SEG").ReferencedSeriesSequence[1].ReferencedInstanceSequence) == len(FLAIR)
    arrive(both, [])
    assert len(both.jobs()) == 2


def test_a_late_slice_before_the_model_was_asked_is_simply_used(both: Bench) -> None:
    arrive(both, [*T1, *FLAIR])
    arrive(both, series("flair", replace(COARSE, slices=7))[6:])
    assert [job.version for job in both.jobs()] == [1]
    done(both)
    assert len(result(both, "SEG").ReferencedSeriesSequence[1].ReferencedInstanceSequence) == 7


def test_series_that_are_inputs_of_each_others_jobs_do_not_reopen_each_other_for_ever(both: Bench) -> None:
    back = RULE.replace("name: both", "name: back").replace(
        "  t1: {SeriesDescription: {contains: t1}}\n  flair: {SeriesDescription: {contains: flair}}\n",
        "  flair: {SeriesDescription: {contains: flair}}\n  t1: {SeriesDescription: {contains: t1}}\n",
    ).replace("infer: two_contrasts", "infer: turned")  # fmt: skip
    turned = tuple(replace(one, reference=one.name == "flair", brought=Brought.RESAMPLED) for one in CARD.inputs)

    class Both(TwoModels):
        def card(self, name: str, version: str) -> Card:
            return replace(CARD, name="turned", inputs=turned) if name == "turned" else super().card(name, version)

        def infer(self, card: Card, slices: NDArray[np.uint16], *more: Any, **named: Any) -> NDArray[Any]:
            return np.zeros(slices.shape, np.uint8)

    both.models = Both()
    both.rule_set = rules({"10.yaml": f"{RULE}stop: false\n", "20.yaml": f"{back}stop: false\n"})
    arrive(both, [*T1, *FLAIR])
    while any(job.state is JobState.SCHEDULED for job in both.jobs()):
        done(both)
    assert len(both.jobs()) == 2
    arrive(both, series("t1", Grid(slices=13))[12:])
    for _ in range(6):
        while any(job.state is JobState.SCHEDULED for job in both.jobs()):
            done(both)
        arrive(both, [])
    assert len(both.jobs()) == 4


def test_a_job_without_one_of_its_series_says_so(both: Bench) -> None:
    both.rule_set = rules({"10.yaml": RULE.replace("else: hold", "else: proceed")})
    arrive(both, T1)
    both.clock.advance(4 * 3600)
    arrive(both, [])
    assert both.attempt() == "NotProcessable: two_contrasts takes t1, flair, and the rule both gave it no flair"


def test_the_bytes_of_every_input_stay_while_a_job_needs_them(both: Bench) -> None:
    arrive(both, [*T1, *FLAIR])
    assert {one.series_description: one.state for one in both.store.series()} == {
        "t1": SeriesState.ROUTED,
        "flair": SeriesState.FILTERED,
    }
    assert retention.oldest(both.store.database, 10) == []
    done(both)
    assert len(retention.oldest(both.store.database, 10)) == 2


def test_the_checks_of_rules_know_what_the_model_takes() -> None:
    def said(text: str) -> list[tuple[str, str]]:
        found = check_rule_set({"10.yaml": text}, {NAME: CARD}, destinations=["out"])
        return [(one.severity.value, one.what) for one in found]

    assert said(RULE) == []
    assert said(RULE.replace("  flair:", "  t2:")) == [
        (Severity.ERROR, "two_contrasts takes t1, flair, and both names no flair")
    ]
    ((severity, what),) = said(RULE.replace("  t1:", "  z:").replace("  flair:", "  t1:").replace("  z:", "  flair:"))
    assert (severity, what) == (
        Severity.ERROR,
        "results of two_contrasts lie on its t1, and both names flair first",
    )
    ((severity, what),) = said(RULE.replace("else: hold", "else: proceed"))
    assert (severity, what) == (
        Severity.WARNING,
        "two_contrasts takes t1, flair, and both may proceed without one of them",
    )
    ((severity, what),) = said(RULE.replace("{contains: flair}}", "{contains: flair}, series.orientation: sagittal}"))
    assert severity == Severity.ERROR
    loose = RULE.replace(", series.slices: {at_least: 4}", "").replace("t1}}", "t1}, series.slices: {at_least: 9}}")
    ((severity, what),) = said(loose)
    assert (severity, what) == (
        Severity.WARNING,
        "both does not make sure of what two_contrasts needs: flair: series.slices at_least 4",
    )


def test_a_rule_that_tells_somebody_whom_nobody_knows_is_told_of() -> None:
    text = RULE.replace("{deliver: [out]}", "{deliver: [out]}, {notify: [neuro, it]}")
    found = check_rule_set({"10.yaml": text}, {NAME: CARD}, destinations=["out"], told=["neura", "it"])
    assert [(one.severity, one.what) for one in found] == [
        (Severity.WARNING, "both tells neuro, whom nobody knows"),
    ]
    assert "neura" in found[0].cure


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("    reference: true\n", "", "inputs"),
        ("brought: resampled", "brought: guessed", "inputs[1].brought"),
        ("name: flair", "name: T 1", "inputs[1].name"),
        ("name: flair", "name: t1", "inputs"),
        ("covers_at_least: 0.5", "covers_at_least: 0", "inputs[1].covers_at_least"),
        ("outside: 0", "outside: .nan", "inputs[1].outside"),
        ("kind: segmentation", "kind: segmentation\ninput: {}", "inputs"),
    ],
)
def test_a_card_with_inputs_that_cannot_be_is_refused(old: str, new: str, where: str) -> None:
    text = TEXT.replace("BROUGHT", "resampled")
    assert old in text
    with pytest.raises(BadConfiguration) as refusal:
        parse_card(text.replace(old, new, 1).encode(), "card.yaml")
    assert refusal.value.where == f"card.yaml: {where}"


def test_nobody_deletes_an_input_of_a_job_that_somebody_may_try_again(both: Bench) -> None:
    arrive(both, [*T1, *FLAIR])
    job = both.claim()
    rows.finish(both.store.database, job.id, JobState.FAILED, "the model failed", both.clock())
    for one in (T1[0], FLAIR[0]):
        asked = Asked(str(one.StudyInstanceUID), str(one.SeriesInstanceUID), "", "admin", "")
        assert plan(both.store.database, asked).unsettled == [one.SeriesInstanceUID]
