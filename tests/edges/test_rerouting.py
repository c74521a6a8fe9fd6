"""Finished results are sent once more, or elsewhere, and nothing is inferred anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from node.adapters.database import Database, jobs, trace
from node.adapters.database.balance import balance
from node.core.states import DeliveryState, JobState
from node.core.status import Meaning
from node.errors import DestinationRefused, NotProcessable, Usage
from node.pipeline.delivery import Delivering
from node.pipeline.forms import Choice
from node.pipeline.rerouting import Rerouting
from node.pipeline.work import Work
from tests.bench import Bench
from tests.fakes import FakeDestination
from tests.synthetic import Grid, mr_series

HEAD = mr_series(Grid(slices=10))


@dataclass
class Site:
    """A bench with a second archive."""

    bench: Bench
    other: FakeDestination

    @property
    def database(self) -> Database:
        return self.bench.store.database

    @property
    def work(self) -> Work:
        work = self.bench.work
        both = {"out": self.bench.out, "other": self.other}
        return replace(work, delivery=Delivering(self.database, work.results, both, self.bench.clock))

    @property
    def rerouting(self) -> Rerouting:
        return Rerouting(self.database, lambda: ["out", "other"], Choice(self.database, {}), self.bench.clock)

    def attempt(self) -> None:
        """The next job, and what came of it."""
        job = self.bench.claim()
        try:
            state, sentence = JobState.COMPLETED, self.work.attempt(job)
        except DestinationRefused as refused:
            state, sentence = JobState.FAILED, str(refused)
        assert jobs.finish(self.database, job.id, state, sentence, self.bench.clock())

    def sent(self, job_id: int) -> dict[str, set[str]]:
        line = trace.line(self.database, str(HEAD[0].SeriesInstanceUID))
        assert line
        job = next(one for one in line.jobs if one.id == job_id)
        found: dict[str, set[str]] = {}
        for one in job.sent:
            found.setdefault(f"{one.destination} {one.state}", set()).add(one.kind)
        return found


@pytest.fixture
def site(bench: Bench) -> Site:
    return Site(bench, FakeDestination("other"))


def test_results_go_to_another_archive_too_without_being_made_again(site: Site) -> None:
    job = site.bench.complete(HEAD)
    site.attempt()
    asked = len(site.bench.models.asked)
    site.rerouting.reroute(job.id, ["other"], "the ward has no access", "anna")
    assert balance(site.database).waiting == 10
    site.attempt()
    assert site.sent(job.id) == {"out delivered": {"SEG", "SR"}, "other delivered": {"SEG", "SR"}}
    assert len(site.bench.models.asked) == asked
    assert (balance(site.database).delivered, balance(site.database).residue) == (10, 0)
    row = site.bench.row(job.id)
    assert (row.state, row.reason, row.destinations) == ("completed", "delivered to out, other", ["out", "other"])


def test_everything_is_sent_once_more_where_nobody_says_where_to(site: Site) -> None:
    job = site.bench.complete(HEAD)
    site.attempt()
    first = list(site.bench.out.taken)
    site.rerouting.reroute(job.id, [], "the archive lost it", "anna")
    site.attempt()
    assert site.bench.out.taken == first * 2


def test_instead_gives_up_what_the_first_archive_refused(site: Site) -> None:
    site.bench.out.answers = {"SEG": [Meaning.REFUSED], "SR": [Meaning.REFUSED]}
    job = site.bench.complete(HEAD)
    site.attempt()
    assert site.bench.row(job.id).state == "failed"
    site.rerouting.reroute(job.id, ["other"], "out takes no SEG", "anna", instead=True)
    site.attempt()
    assert site.sent(job.id) == {"other delivered": {"SEG", "SR"}}
    assert site.bench.row(job.id).state == "completed"


@pytest.mark.parametrize(
    ("to", "words"),
    [(["nowhere"], "there is no destination nowhere: there are other, out"), (["out"] * 3 + ["x"], "no destination x")],
)
def test_a_destination_that_there_is_not_is_refused(site: Site, to: list[str], words: str) -> None:
    job = site.bench.complete(HEAD)
    site.attempt()
    with pytest.raises(Usage, match=words):
        site.rerouting.reroute(job.id, to, "why", "anna")


def test_a_job_without_results_and_one_in_progress_are_left_alone(site: Site) -> None:
    job = site.bench.complete(HEAD)
    with pytest.raises(NotProcessable, match="it has no results"):
        site.rerouting.reroute(job.id, ["other"], "why", "anna")
    site.bench.claim()
    with pytest.raises(NotProcessable, match="in progress"):
        site.rerouting.reroute(job.id, ["other"], "why", "anna")


def test_a_completed_job_is_sent_once_more_but_never_made_again(site: Site) -> None:
    job = site.bench.complete(HEAD)
    site.attempt()
    assert not jobs.retry(site.database, job.id, "anna", site.bench.clock())
    assert site.sent(job.id) == {f"out {DeliveryState.DELIVERED}": {"SEG", "SR"}}
