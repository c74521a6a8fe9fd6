"""A series is complete when the evidence says so, and evidence only ever shortens or lengthens the quiet time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from node.core.completion import Arrivals, Known, Policy, Verdict, judge
from node.core.dicom import Facts, facts
from tests.real import series
from tests.synthetic import enhanced, localizer, mr_series

LAST = datetime(2025, 3, 1, 12, 0, 0)  # noqa: DTZ001 # any clock does: the core only takes differences
POLICY = Policy(quiet_seconds=60, settle_seconds=5, grid_seconds=20, longest_seconds=600)


def after(seconds: float, instances: list[Facts], known: Known | None = None) -> Verdict:
    arrivals = Arrivals(LAST - timedelta(seconds=30), LAST)
    return judge(instances, arrivals, known or Known(), POLICY, LAST + timedelta(seconds=seconds))


def waits(instances: list[Facts], known: Known | None = None) -> tuple[str, float]:
    """The evidence, and the seconds of quiet after which the series is complete."""
    verdict = after(0, instances, known)
    if verdict.look_again_at is None:
        return verdict.evidence, 0.0
    seconds = (verdict.look_again_at - LAST).total_seconds()
    assert not after(seconds - 0.1, instances, known).complete
    assert after(seconds, instances, known).complete
    return verdict.evidence, seconds


SERIES = [facts(ds) for ds in mr_series()]
UIDS = frozenset(one.sop_instance_uid for one in SERIES)
OTHERS = frozenset({"1.2", *sorted(UIDS)[:11]})
HOLED = [one for number, one in enumerate(SERIES) if number != 5]
COUNTED = [facts(ds) for ds in mr_series(change={"ImagesInAcquisition": 12})]

CASES: list[tuple[str, list[Facts], Known, str, float]] = [
    ("nothing arrived", [], Known(), "none", 0.0),
    ("a grid without gap", SERIES, Known(), "grid", 20),
    ("a gap", HOLED, Known(), "gap", 600),
    ("no grid at all", [facts(ds) for ds in localizer(each=1)], Known(), "quiet", 60),
    ("all that the modality reported", SERIES, Known(mpps_instances=UIDS), "mpps", 0),
    ("as many as the modality reported", SERIES, Known(mpps_instances=12), "mpps", 0),
    ("fewer than the modality reported", SERIES[:11], Known(mpps_instances=UIDS), "mpps", 600),
    ("others than the modality reported", SERIES, Known(mpps_instances=OTHERS), "conflict", 60),
    ("as many as the PACS has", SERIES, Known(related_instances=12), "related", 5),
    ("fewer than the PACS has", SERIES, Known(related_instances=13), "related", 600),
    ("more than the PACS has", SERIES, Known(related_instances=11), "conflict", 60),
    ("counts that disagree", SERIES, Known(mpps_instances=12, related_instances=14), "conflict", 60),
    ("as many as always", SERIES, Known(earlier_counts=(12, 12, 12)), "earlier", 5),
    ("as many as always, with a gap", HOLED, Known(earlier_counts=(11, 11)), "earlier", 60),
    ("fewer than always", SERIES, Known(earlier_counts=(40, 40)), "earlier", 60),
    ("one earlier series is no habit", SERIES, Known(earlier_counts=(12,)), "grid", 20),
    ("earlier series that differed", SERIES, Known(earlier_counts=(12, 13)), "grid", 20),
    ("Images in Acquisition reached", COUNTED, Known(), "acquisition", 5),
    ("Images in Acquisition not reached", COUNTED[:11], Known(), "acquisition", 60),
    ("Images in Acquisition not reached, and a gap", COUNTED[:4] + COUNTED[5:], Known(), "acquisition", 600),
    ("Images in Acquisition against earlier counts", COUNTED, Known(earlier_counts=(24, 24)), "conflict", 60),
    ("all frames of a multi-frame image", [facts(enhanced())], Known(), "frames", 5),
    ("frames that are missing", [facts(enhanced(change={"NumberOfFrames": 20}))], Known(), "quiet", 60),
    ("a part of a concatenation", [facts(enhanced(change={"InConcatenationTotalNumber": 2}))], Known(), "quiet", 60),
    ("one echo is shorter", [facts(ds) for ds in mr_series(echo_times=(5, 9))][:-1], Known(), "gap", 600),
    ("temporal positions to come", [facts(ds) for ds in mr_series(phases=3)][:24], Known(), "quiet", 60),
]  # fmt: skip


@pytest.mark.parametrize(("name", "instances", "known", "evidence", "seconds"), CASES, ids=[case[0] for case in CASES])
def test_evidence_sets_the_quiet_time(
    name: str, instances: list[Facts], known: Known, evidence: str, seconds: float
) -> None:
    assert waits(instances, known) == (evidence, seconds)


REAL = [
    ("canon-dti-classic", "grid", 20),
    ("derived-fpg-flair-ax", "grid", 20),
    ("derived-sct-cspine-t2s-ax", "grid", 20),
    ("emri-small-ts", "quiet", 60),
    ("ge-3plane-localizer", "acquisition", 60),  # 6 of 21
    ("ge-b0map-multi", "acquisition", 5),  # 32 of 32, twice 16 slices
    ("ge-knee-mese-te1", "acquisition", 60),  # 24 of 192: seven echoes are not in the set
    ("ge-knee-mese-te5", "acquisition", 60),
    ("ge-pd-ax-brain", "grid", 20),  # says 1 image in each of 20 acquisitions, which counts nothing
    ("philips-pcasl-classic", "grid", 20),
    ("philips-pcasl-enh", "frames", 5),
    ("siemens-mosaic-ts", "quiet", 60),
    ("siemens-t1-sag-hfs", "grid", 20),
    ("siemens-xa30-colfa-enh", "frames", 5),
    ("siemens-xa30-t1-enh", "frames", 5),
    ("studyforrest-t1-ax-defaced", "grid", 20),
    ("toshiba-mr-small-ts", "quiet", 60),
    ("uih-dti-grid", "quiet", 60),
]


@pytest.mark.parametrize(("name", "evidence", "seconds"), REAL)
def test_real_series_wait_as_long_as_their_headers_allow(name: str, evidence: str, seconds: float) -> None:
    assert waits(series(name)) == (evidence, seconds)


@pytest.mark.parametrize("name", [name for name, evidence, _ in REAL if evidence in ("grid", "acquisition")])
def test_no_real_series_is_complete_at_once_at_any_moment_of_its_arrival(name: str) -> None:
    whole = series(name)
    for count in range(1, len(whole), max(1, len(whole) // 10)):
        assert not after(POLICY.settle_seconds, whole[:count]).complete


def test_the_sentence_says_what_was_seen() -> None:
    assert after(0, []).sentence == "no instance has arrived"
    assert after(25, SERIES).sentence == "grid of 12 slices without gap, quiet for 25 s"
    assert after(3, COUNTED).sentence == "12 of 12 Images in Acquisition, quiet for 3 of 5 s"
    assert after(600, HOLED).sentence == "1 slice missing among 11 images, quiet for 600 s"
    assert (
        after(0, SERIES, Known(related_instances=40)).sentence
        == "12 of 40 instances that the PACS has, quiet for 0 of 600 s"
    )
    assert after(0, SERIES, Known(mpps_instances=UIDS)).confidence == "certain"
    assert after(25, SERIES).confidence == "timer"
    assert after(5, COUNTED).confidence == "strong"
