"""Versions of the rule set, on SQLite and PostgreSQL: immutable, in order, nobody overruled in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.adapters.database import Database, proposals
from node.adapters.database import rules as rows
from node.adapters.database.proposals import Proposal
from node.adapters.database.rules import Publication
from node.core.rules import check_rule_set
from node.errors import BadConfiguration, NodeError, NoSuch, Overtaken, Usage
from node.pipeline.rule_sets.in_use import InUse
from node.pipeline.rule_sets.start import AtStart, take_directory
from node.pipeline.rule_sets.versions import DIRECTORY, PUBLISH, Change, Versions, difference
from tests.bench import Bench
from tests.clock import Clock
from tests.databases import url
from tests.synthetic import Grid, mr_series
from tests.waiting import emptied

__all__ = ["url"]
ANNA, BERT = Change("anna", "T2 too"), Change("bert", "fewer scouts")


def files(word: str) -> dict[str, str]:
    return {"10-a.yaml": f"# {word}\nname: a\nwhen: {{SeriesDescription: {word}}}\nthen: [{{ignore: {word}}}]\n"}


@pytest.fixture
def versions(url: str) -> Iterator[Versions]:
    database = emptied(Database(url))
    yield Versions(database, Clock())
    database.close()


def published(
    versions: Versions,
    content: Mapping[str, str],
    change: Change = ANNA,
    base: str | None = None,
    origin: str = PUBLISH,
) -> Publication:
    done = versions.publish(content, change, base=base, origin=origin)
    assert isinstance(done, Publication)
    return done


def test_what_is_published_is_in_use_from_then_on_with_author_and_reason(versions: Versions) -> None:
    in_use = InUse(versions.database)
    first = published(versions, files("one"))
    assert in_use().version == first.version
    second = published(versions, files("two"), BERT)
    assert in_use().version == second.version
    assert [(one.number, one.author, one.reason) for one in rows.history(versions.database)] == [
        (2, "bert", "fewer scouts"),
        (1, "anna", "T2 too"),
    ]


def test_who_built_on_a_version_that_is_no_longer_in_use_is_told_and_nothing_happens(versions: Versions) -> None:
    first = published(versions, files("one"))
    published(versions, files("two"), BERT, base=first.version)
    with pytest.raises(Overtaken, match="bert published 2"):
        versions.publish(files("three"), ANNA, base="1")
    assert rows.newest_number(versions.database) == 2


def test_of_many_who_publish_at_the_same_moment_each_number_goes_to_one(versions: Versions) -> None:
    def publish(number: int) -> str:
        try:
            versions.publish(files(f"w{number}"), ANNA)
        except Overtaken:
            return "overtaken"
        return "published"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(publish, range(8)))
    numbers = [one.number for one in rows.history(versions.database)]
    assert numbers == list(range(said.count("published"), 0, -1))


def test_rules_with_an_error_are_not_published(versions: Versions) -> None:
    with pytest.raises(BadConfiguration, match=r"10-a\.yaml:2: there is no operator"):
        versions.publish({"10-a.yaml": "name: a\nwhen: {EchoTime: {atleast: 80}}\nthen: [hold]\n"}, ANNA)
    assert rows.newest(versions.database) is None


@pytest.mark.parametrize("name", ["../x.yaml", "a/b.yaml", ".yaml", "a.yml", "a\n.yaml", ""])
def test_a_file_whose_name_could_lead_elsewhere_is_refused(versions: Versions, name: str) -> None:
    with pytest.raises(Usage, match="no name of a rule file"):
        versions.publish({name: "name: a\nwhen: {}\nthen: [hold]\n"}, ANNA)


def test_nobody_publishes_without_a_name_and_a_reason() -> None:
    with pytest.raises(Usage, match="--reason"):
        Change("anna", " ")


def test_the_same_files_are_not_published_twice_in_a_row(versions: Versions) -> None:
    published(versions, files("one"))
    with pytest.raises(Usage, match="in use already"):
        versions.publish(files("one"), BERT)


def test_a_rollback_is_one_step_and_a_publication_of_its_own(versions: Versions) -> None:
    first = published(versions, files("one"))
    published(versions, files("two"))
    back = versions.rollback("1", BERT)
    assert (back.number, back.version, back.origin) == (3, first.version, "rollback")
    assert InUse(versions.database)().version == first.version


def test_only_what_was_in_use_can_be_rolled_back_to(versions: Versions) -> None:
    published(versions, files("one"))
    kept = versions.keep(files("draft"), ANNA)
    with pytest.raises(Usage, match="never in use"):
        versions.rollback(kept, ANNA)
    with pytest.raises(Usage, match="in use already"):
        versions.rollback("1", ANNA)
    with pytest.raises(NoSuch):
        versions.rollback("7", ANNA)


def test_a_version_is_named_by_number_or_by_its_beginning(versions: Versions) -> None:
    first = published(versions, files("one"))
    assert versions.files("1") == (first.version, files("one"))
    assert versions.files(first.version[:8]) == (first.version, files("one"))
    for text in ("", first.version[:7], "00000000", "%%%%%%%%", "2", "99999999999999999999"):
        with pytest.raises(NoSuch):
            versions.files(text)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(comment=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20), crlf=st.booleans())
def test_files_come_out_as_they_went_in(versions: Versions, comment: str, crlf: bool) -> None:
    end = "\r\n" if crlf else "\n"
    text = f"# {comment}{end}name: a   # kept{end}when: {{}}{end}then: [hold]{end}"
    version = versions.keep({"10-a.yaml": text}, ANNA)
    assert rows.files_of(versions.database, version) == {"10-a.yaml": text}


def test_a_difference_names_files_and_lines(versions: Versions) -> None:
    lines = difference({"a.yaml": "x\ny\n", "b.yaml": "z\n"}, {"a.yaml": "x\nw\n", "c.yaml": "v\n"})
    assert [line for line in lines if line[0] in "+-"] == [
        "--- a.yaml", "+++ a.yaml", "-y", "+w", "--- b.yaml", "+++ /dev/null", "-z", "--- /dev/null", "+++ c.yaml", "+v"
    ]  # fmt: skip
    assert difference({"a.yaml": "x"}, {"a.yaml": "x"}) == []


def reviewed(versions: Versions) -> Versions:
    return Versions(versions.database, versions.clock, approval=True)


def test_where_two_persons_are_asked_a_proposal_waits_for_the_other(versions: Versions) -> None:
    published(versions, files("one"))
    two = reviewed(versions)
    proposed = two.publish(files("two"), ANNA)
    assert isinstance(proposed, Proposal)
    assert rows.newest_number(versions.database) == 1
    assert two.publish(files("two"), ANNA) == proposed
    with pytest.raises(Usage, match="another person"):
        two.approve(proposed.id, " Anna")
    approved = two.approve(proposed.id, "bert")
    assert (approved.author, approved.approver, approved.number) == ("anna", "bert", 2)
    with pytest.raises(Overtaken, match="approved by bert already"):
        two.approve(proposed.id, "carl")
    assert proposals.waiting(versions.database) == []


def test_a_proposal_that_was_overtaken_is_not_approved(versions: Versions) -> None:
    published(versions, files("one"))
    two = reviewed(versions)
    late, early = two.publish(files("two"), ANNA), two.publish(files("three"), ANNA)
    assert isinstance(late, Proposal)
    assert isinstance(early, Proposal)
    two.approve(early.id, "bert")
    with pytest.raises(Overtaken):
        two.approve(late.id, "bert")
    two.reject(late.id, "anna")
    assert proposals.waiting(versions.database) == []


def test_a_rollback_needs_no_second_person(versions: Versions) -> None:
    published(versions, files("one"))
    published(versions, files("two"))
    assert reviewed(versions).rollback("1", ANNA).number == 3


def test_the_folder_is_published_at_the_first_start_and_whenever_it_changed(versions: Versions) -> None:
    assert take_directory(versions, files("one")).outcome is AtStart.PUBLISH
    assert take_directory(versions, files("one")).outcome is AtStart.SAME
    assert take_directory(versions, files("two")).outcome is AtStart.PUBLISH
    assert [one.origin for one in rows.history(versions.database)] == [DIRECTORY, DIRECTORY]


def test_a_folder_that_did_not_change_does_not_undo_what_was_published_later(versions: Versions) -> None:
    take_directory(versions, files("one"))
    published(versions, files("two"))
    found = take_directory(versions, files("one"))
    assert (found.outcome, found.conflict) == (AtStart.UNCHANGED, False)
    assert rows.newest_number(versions.database) == 2


def test_a_folder_and_a_publication_that_both_changed_are_left_to_a_person(versions: Versions) -> None:
    take_directory(versions, files("one"))
    published(versions, files("two"), BERT)
    found = take_directory(versions, files("three"))
    assert found.conflict
    assert "bert published since" in found.sentence
    assert "--base 2" in found.sentence
    assert rows.newest_number(versions.database) == 2


def test_a_folder_that_was_published_from_the_shell_goes_on_as_the_folder(versions: Versions) -> None:
    take_directory(versions, files("one"))
    published(versions, files("two"), origin=DIRECTORY)
    assert take_directory(versions, files("three")).outcome is AtStart.PUBLISH


def test_a_broken_folder_stops_the_first_start_and_no_later_one(versions: Versions) -> None:
    broken = {"10-a.yaml": "name: a\nwhen: {Modalty: MR}\nthen: [hold]\n"}
    with pytest.raises(BadConfiguration, match="Modality"):
        take_directory(versions, broken)
    take_directory(versions, files("one"))
    found = take_directory(versions, broken)
    assert found.conflict
    assert "publication 1" in found.sentence
    assert InUse(versions.database)().rules[0].name == "a"


def test_a_destination_that_is_not_there_refuses_a_publication_and_not_a_start(versions: Versions) -> None:
    rule = {"10-a.yaml": "name: a\nwhen: {}\nthen: [{infer: brain}, {deliver: [pacs]}]\n"}
    strict = Versions(versions.database, versions.clock, lambda files: check_rule_set(files, destinations=["archive"]))
    with pytest.raises(BadConfiguration, match="there is no destination pacs"):
        strict.publish(rule, ANNA)
    assert take_directory(strict, rule).outcome is AtStart.PUBLISH
    assert InUse(versions.database)().rules[0].name == "a"


def test_a_changed_folder_is_proposed_where_two_persons_are_asked(versions: Versions) -> None:
    two = reviewed(versions)
    assert take_directory(two, files("one")).outcome is AtStart.PUBLISH
    found = take_directory(two, files("two"))
    assert found.conflict
    assert [one.author for one in proposals.waiting(versions.database)] == ["node"]
    assert take_directory(two, files("two")).conflict
    assert len(proposals.waiting(versions.database)) == 1


def test_nothing_in_use_says_so(versions: Versions) -> None:
    with pytest.raises(NodeError, match="no rule set"):
        InUse(versions.database)()


def test_a_new_version_is_taken_up_between_two_series_and_jobs_keep_theirs(bench: Bench) -> None:
    versions = Versions(bench.store.database, bench.clock)
    rule = "name: mr\nwhen: {Modality: MR}\nthen: [{infer: mri_core_head}]\n"
    made: list[str] = []
    for comment in ("# one\n", "# two\n"):
        made.append(published(versions, {"10-mr.yaml": comment + rule}).version)
        bench.in_use = InUse(bench.store.database)
        bench.complete(mr_series(Grid(slices=4), name=comment))
    assert [job.rule_set_version for job in bench.jobs()] == made
