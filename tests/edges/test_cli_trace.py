"""`trace`, `jobs` and `check` on what a node left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from node.adapters.database import Database
from node.core.states import JobState
from tests.bench import Bench
from tests.command_line import mricore_node, settings_file
from tests.receiving import open_store
from tests.synthetic import Grid, mr_series

HEAD = mr_series(Grid(slices=10))


@pytest.fixture
def left(bench: Bench) -> Iterator[Path]:
    """The settings of a node that delivered one series and canceled the job of another; the node does not run."""
    from node.adapters.database import jobs as rows

    bench.complete(HEAD)
    job = bench.claim()
    rows.finish(bench.store.database, job.id, JobState.COMPLETED, bench.work.attempt(job), bench.clock())
    other = bench.complete(mr_series(Grid(slices=10), name="other"))
    rows.finish(bench.store.database, other.id, JobState.CANCELED, "not wanted", bench.clock(), actor="somebody")
    folder = bench.store.folder
    bench.store.close()
    yield settings_file(folder)
    bench.store = open_store(folder, bench.clock)


def test_trace_shows_a_series_from_the_first_byte_to_the_last_delivery(left: Path) -> None:
    ran = mricore_node("trace", "A1", "--config", left)
    assert ran.status == 0, ran
    for words in (
        str(HEAD[0].SeriesInstanceUID),
        "Synthetic^Person (SYN1), accession A1",
        "10 stored from SCANNER",
        "grid of 10 slices without gap",
        "mr matched",
        "series routed",
        "job 1",
        "delivered to out",
        "not wanted",
    ):
        assert words in ran.out, words


def test_trace_as_json_has_the_balance_of_each_study(left: Path) -> None:
    ran = mricore_node("trace", str(HEAD[0].SOPInstanceUID), "--json", "--config", left)
    assert ran.status == 0, ran
    (series,) = ran.json["series"]
    assert series["jobs"][0]["state"] == "completed"
    assert {kind for kind, *_ in series["jobs"][0]["deliveries"]} == {"SEG", "SR"}
    (study,) = ran.json["balance"].values()
    assert (study["received"], study["delivered"], study["residue"]) == (10, 10, 0)


def test_trace_of_what_never_came_ends_with_1(left: Path) -> None:
    ran = mricore_node("trace", "NOBODY", "--config", left)
    assert ran.status == 1
    assert "nothing was received" in ran.err


def test_jobs_are_listed_shown_retried_and_canceled(left: Path) -> None:
    listed = mricore_node("jobs", "list", "--json", "--config", left)
    assert [(job["id"], job["state"]) for job in listed.json] == [(2, "canceled"), (1, "completed")]
    shown = mricore_node("jobs", "show", 1, "--config", left)
    assert shown.status == 0
    assert "0000" in shown.out
    again = mricore_node("jobs", "retry", 2, "--config", left)
    assert (again.status, again.out) == (0, "job 2 is scheduled\n")
    canceled = mricore_node("jobs", "cancel", 2, "--reason", "changed my mind", "--config", left)
    assert canceled.status == 0
    assert mricore_node("jobs", "retry", 1, "--config", left).status == 1
    assert mricore_node("jobs", "show", 99, "--config", left).status == 2


def test_results_are_sent_elsewhere_and_what_is_stuck_is_listed_and_dismissed(left: Path, bench: Bench) -> None:
    sent = mricore_node("jobs", "reroute", 1, "--to", "pacs", "--reason", "the ward reads there", "--config", left)
    assert (sent.status, sent.out) == (0, "the results of job 1 are on their way\n"), sent
    unknown = mricore_node("jobs", "reroute", 1, "--to", "nowhere", "--config", left)
    assert unknown.status == 2
    assert "there is no destination nowhere: there are out, pacs" in unknown.err
    nothing = mricore_node("inbox", "list", "--json", "--config", left)
    assert nothing.json == []
    done = mricore_node("inbox", "dismiss", "--job", 2, "--reason", "a phantom", "--config", left)
    assert (done.status, done.out) == (0, "1 done, 0 left alone\n"), done
    again = mricore_node("inbox", "dismiss", "--job", 2, "--reason", "a phantom", "--config", left)
    assert (again.status, again.out) == (1, "0 done, 1 left alone\n"), again


def test_check_says_line_by_line_that_the_ledger_is_whole(left: Path) -> None:
    ran = mricore_node("check", "--ledger", "--config", left, environment={"MRICORE_TRITON__URL": "grpc://127.0.0.1:9"})
    ok = [line for line in ran.out.splitlines() if line.startswith("ok")]
    assert any("20 received = 10 delivered" in line and "its chain is whole" in line for line in ok), ran
    assert any("destination out: folder" in line for line in ok)
    assert ran.status == 1  # the model server is not there
    assert "FAILED    triton:" in ran.out


def test_check_finds_a_changed_line_and_a_missing_file(left: Path, bench: Bench) -> None:
    database = Database(f"sqlite:///{bench.store.folder / 'node.db'}")
    with database.transaction() as connection:
        path = connection.execute(text("SELECT path FROM instance LIMIT 1")).scalar_one()
    (bench.store.folder / "instances" / path).unlink()
    environment = {"MRICORE_TRITON__URL": "grpc://127.0.0.1:9"}
    missing = mricore_node("check", "--ledger", "--json", "--config", left, environment=environment)
    (ledger,) = [line for line in missing.json if line["part"] == "ledger"]
    assert not ledger["ok"]
    assert path in ledger["sentence"]
    with database.transaction() as connection:
        connection.execute(text("UPDATE receipt SET size = size + 1 WHERE number = 7"))
    database.close()
    changed = mricore_node("check", "--ledger", "--json", "--config", left, environment=environment)
    (ledger,) = [line for line in changed.json if line["part"] == "ledger"]
    assert "line 7 of MRICORE was changed or is missing" in ledger["sentence"]
