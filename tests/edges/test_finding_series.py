"""Where is accession X: series are found by what people know of them, page by page, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from node.adapters.database import Database, claims, finding, jobs
from node.adapters.database.ledger import Ledger
from node.core.jobs import MadeResult
from node.errors import Usage
from node.pipeline import series
from tests.databases import url
from tests.waiting import NOON, arrival, emptied, wait

__all__ = ["url"]

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = emptied(Database(url))
    yield opened
    opened.close()


def receive(database: Database, uid: str, *, name: str = "Doe^Jane", minutes: int = 0, study: str = "") -> None:
    one = arrival(uid, NOON + timedelta(minutes=minutes))
    assert one.identity
    line = replace(one.receipt, study_instance_uid=study or f"{uid}.9")
    ledger = Ledger(database, f"chain-{uid}", timedelta(seconds=1))
    ledger.record([replace(one, receipt=line, identity=replace(one.identity, patient_name=name))])
    ledger.close()


def found(database: Database, text: str, *, patients: bool = True) -> list[str]:
    return [one.series_instance_uid for one in finding.page(database, text, patients=patients)]


NAMES = {
    "1.1": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "1.2": "Hong^Gildong=洪^吉洞=홍^길동",
    "1.3": "Müller-Lüdenscheidt^Änne",
    "1.4": "Люкceмбypг",
    "1.5": "O'Brien^Seán",
}


@pytest.mark.parametrize(
    ("asked", "uid"),
    [
        ("山田", "1.1"), ("太郎", "1.1"), ("やまだ", "1.1"), ("tarou yamada", "1.1"), ("ＹＡＭＡＤＡ", "1.1"),
        ("홍길동", None), ("홍 길동", "1.2"), ("洪^吉洞", "1.2"), ("gild", "1.2"),
        ("muller", "1.3"), ("mueller", "1.3"), ("MÜLLER anne", "1.3"), ("lüden", "1.3"),
        ("люкс", None), ("brien sean", "1.5"), ("brien yamada", None), ("%", None), ("_", None), ("*", None),
    ],
)  # fmt: skip
def test_a_name_is_found_in_every_script_and_spelling_by_how_its_words_begin(
    database: Database, asked: str, uid: str | None
) -> None:
    for one, name in NAMES.items():
        receive(database, one, name=name)
    assert found(database, asked) == ([uid] if uid else [])


def test_of_a_common_name_the_newest_are_found_first(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        receive(database, f"1.{number}", name=f"Sato^{number}", minutes=number)
    newest_first = [f"1.{number}" for number in reversed(range(6))]
    assert found(database, "sato") == newest_first
    monkeypatch.setattr(finding, "_FEW", 2)
    assert found(database, "sato") == newest_first
    assert found(database, "sato 3") == ["1.3"]


def test_a_uid_of_anything_leads_to_the_series(database: Database) -> None:
    wait(database, "1.2")
    job = claims.claim(database, LATER, claims.Claimant(delivers=False))
    assert job
    assert jobs.keep_results(database, job, [MadeResult("SEG", "1", "2.7", "2.7.1", "p", "c" * 64, 5)], [], {}, "1")
    for uid in ("1.2", "1.2.1", "1.2.9", "2.7", "2.7.1"):
        (one,) = finding.page(database, f" {uid} ")
        assert (one.series_instance_uid, [mark.id for mark in one.jobs]) == ("1.2", [job.id])
    assert found(database, "1.2.3.4.5") == []


def test_who_may_not_see_patients_finds_nothing_by_who_they_are(database: Database) -> None:
    receive(database, "1.2")
    for text in ("Doe", "4711", "7"):
        assert found(database, text) == ["1.2"]
        assert found(database, text, patients=False) == []
    assert found(database, "1.2.9", patients=False) == ["1.2"]
    assert found(database, "", patients=False) == ["1.2"]


def test_pages_hold_every_series_once_whatever_comes_meanwhile(database: Database) -> None:
    for number in range(7):
        receive(database, f"1.{number}", minutes=number // 3)  # some at one moment
    seen, after = [], None
    for step in range(9):
        page = series.find(database, "4711", after, 2)
        seen += [one.series_instance_uid for one in page.series]
        receive(database, f"2.{step}", minutes=100 + step)
        after = page.after
        if after is None:
            break
    assert seen == ["1.6", "1.5", "1.4", "1.3", "1.2", "1.1", "1.0"]


@pytest.mark.parametrize("after", ["nonsense", "~1.2", "99999999T000000.0~x", "\0"])
def test_what_no_page_told_is_refused(database: Database, after: str) -> None:
    receive(database, "1.2")
    with pytest.raises(Usage, match="after: this is not what a page before told"):
        series.find(database, "", after)


def test_words_of_a_corrected_name_are_found_too(database: Database) -> None:
    receive(database, "1.1", name="Doe^Jane", study="1.9")
    receive(database, "1.2", name="Roe^Jane", study="1.9", minutes=1)
    assert found(database, "doe") == found(database, "roe") == ["1.2", "1.1"]
