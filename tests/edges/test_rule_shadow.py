"""A draft in the shadow: asked about live series, obeyed for none."""

from __future__ import annotations

from node.adapters.database import headers, shadows
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.kept import Headers
from node.pipeline.rule_sets.shadow import seen_by_shadow
from node.pipeline.rule_sets.versions import Change, Versions
from tests.bench import Bench
from tests.synthetic import Grid, mr_series

IN_USE = {"10.yaml": "name: mr\nwhen: {Modality: MR}\nthen: [{infer: mri_core_head}]\n"}
DRAFT = {"10.yaml": "name: brain\nwhen: {SeriesDescription: brain}\nthen: [{infer: mri_core_head}]\n"}
ANNA = Change("anna", "try")


def in_the_shadow(bench: Bench, draft: dict[str, str]) -> str:
    versions = Versions(bench.store.database, bench.clock)
    if bench.in_use is None:
        versions.publish(IN_USE, ANNA)
        bench.in_use = InUse(bench.store.database)
    version = versions.keep(draft, ANNA)
    shadows.begin(bench.store.database, version, "anna", bench.clock())
    return version


def complete(bench: Bench, description: str) -> None:
    change = {"SeriesDescription": description, "StudyInstanceUID": "1.2.3"}
    bench.complete(mr_series(Grid(slices=3), name=description, change=change))


def test_differences_are_counted_and_listed_and_nothing_else_happens(bench: Bench) -> None:
    version = in_the_shadow(bench, DRAFT)
    complete(bench, "brain")
    complete(bench, "knee")
    seen = seen_by_shadow(bench.store.database)
    assert seen is not None
    assert seen.shadow.version == version
    assert seen.sentence == "would have treated 1 of 2 series otherwise"
    (other,) = seen.listed
    assert (other.decided["does"], other.would["does"]) == ("mri_core_head", "held")
    assert [job.rule for job in bench.jobs()] == ["mr", "mr"]


def test_another_draft_begins_to_count_anew_and_off_ends_it(bench: Bench) -> None:
    in_the_shadow(bench, DRAFT)
    complete(bench, "knee")
    in_the_shadow(bench, {"10.yaml": DRAFT["10.yaml"] + "# other\n"})
    seen = seen_by_shadow(bench.store.database)
    assert seen is not None
    assert (seen.series, seen.differing) == (0, 0)
    shadows.begin(bench.store.database, "", "anna", bench.clock())
    complete(bench, "hip")
    assert seen_by_shadow(bench.store.database) is None


def test_what_it_said_is_forgotten_with_the_headers(bench: Bench) -> None:
    in_the_shadow(bench, DRAFT)
    complete(bench, "knee")
    bench.clock.advance(31 * 86400)
    Headers(bench.store.database, bench.clock, 30).tidy()
    seen = seen_by_shadow(bench.store.database)
    assert seen is not None
    assert seen.series == 0
    assert headers.number(bench.store.database) == 0


def test_a_draft_with_a_study_rule_is_asked_with_the_other_series_of_the_study(bench: Bench) -> None:
    study = {
        "10.yaml": "name: both\nwhen: {Modality: MR}\nneeds:\n  t1: {SeriesDescription: t1}\n"
        "  flair: {SeriesDescription: flair}\nwithin: 4 h\nelse: hold\nthen: [{infer: mri_core_head}]\n"
    }
    in_the_shadow(bench, study)
    complete(bench, "t1")
    complete(bench, "flair")
    seen = seen_by_shadow(bench.store.database)
    assert seen is not None
    assert [one.would["disposition"] for one in reversed(seen.listed)] == ["wait", "ignore"]
