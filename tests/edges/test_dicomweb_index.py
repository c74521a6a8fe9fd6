"""The index answers what matching says (PS3.4 C.2.2.2), follows the ledger, and can be made again of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from node.adapters.database import erasing, removals
from node.adapters.database import tables as rows
from node.adapters.database.erasing import Asked
from node.adapters.database.index import Index, filling, followed, searching
from node.adapters.database.index.filling import Addition
from node.adapters.database.index.tables import version
from node.adapters.database.tables import job, result
from node.core.dicomweb.attributes import KEYS, Level
from node.core.dicomweb.entry import entry
from node.core.dicomweb.matching import Fuzzy, matches
from node.core.dicomweb.model import BASE, model
from node.core.dicomweb.query import read_query
from node.errors import StoreUnavailable
from tests.archives import ServedArchive, served, served_archive
from tests.databases import url
from tests.receiving import encoded
from tests.synthetic import Grid, mr_series, to_bytes, uid

__all__ = ["served", "url"]

_PEOPLE = [
    ("Müller^Eva", "P1", "20240101", "101112.5"),
    ("Mueller^Adam", "P-2", "20240102", "09"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "p1", "20240103", "235959"),
    ("O'Brien^Pat[1]", "P[1]", "20231231", ""),
    ("", "", "", "1200"),
    ("100%^Sure_", "50%_x\\y", "20240102", "120000.000001"),
]


def _addition(number: int, name: str, patient_id: str, date: str, time: str) -> Addition:
    ds = mr_series(Grid(slices=1), name=f"person {number}")[0]
    ds.PatientName, ds.StudyDate, ds.StudyTime, ds.AccessionNumber = name, date, time, f"A{number}"
    found = entry(model(ds, BASE) | _raw(name, patient_id, date, time))
    return Addition(
        str(ds.SOPInstanceUID), str(ds.SOPClassUID), str(ds.SeriesInstanceUID), str(ds.StudyInstanceUID), "1.2",
        "instances", "path", "", 1, None, b"", found,
    )  # fmt: skip


def _raw(name: str, patient_id: str, date: str, time: str) -> dict[str, object]:
    groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False))
    values = {"00100010": groups, "00100020": patient_id, "00080020": date, "00080030": time}
    return {tag: {"vr": "LO", "Value": [value]} for tag, value in values.items()}


@pytest.fixture(scope="module")
def people(url: str) -> Iterator[Index]:
    index = Index(url.replace("node.db", "people.db"))
    index.migrate()
    filling.add(index, "ledger X", 6, [_addition(number, *one) for number, one in enumerate(_PEOPLE)])
    yield index
    index.close()


_ASKED = st.one_of(
    st.tuples(st.just("PatientID"), st.sampled_from(["P1", "P*", "*1", "P?2", "p1", "P[1]", "*%*", "50%_x?y", "5*"])),
    st.tuples(
        st.just("PatientName"),
        st.sampled_from(
            ["muller^eva", "MÜLLER*", "yamada*", "山田*", "*", "*[1]", "100%*", "eva", "mueller", "brien pat"]
        ),
    ),
    st.tuples(st.just("StudyDate"), st.sampled_from(["20240102", "20240101-20240102", "-20240101", "20240103-"])),
    st.tuples(st.just("StudyTime"), st.sampled_from(["10", "0900-1200", "-10", "120000.000001", "12-"])),
)


@given(asked=_ASKED, fuzzy=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=80)
def test_the_database_matches_what_matching_says(people: Index, asked: tuple[str, str], fuzzy: bool) -> None:
    query = read_query(Level.STUDY, [asked, ("fuzzymatching", str(fuzzy).lower())])
    found = {hit.study_instance_uid for hit in searching.search(people, query).hits}
    expected = set()
    for number, person in enumerate(_PEOPLE):
        one = _addition(number, *person)
        keys = {"PatientName": person[0]} if fuzzy else {}
        values = {path: keys.get(path, one.entry.keys[Level.STUDY][KEYS[path].column]) for path in query.matches}
        if all(matches(match, values[path]) for path, match in query.matches.items()):
            expected.add(one.study_instance_uid)
        assert not fuzzy or all(isinstance(m, Fuzzy) for path, m in query.matches.items() if path == "PatientName")
    assert found == expected


def test_a_batch_that_is_entered_twice_is_there_once(people: Index) -> None:
    filling.add(people, "ledger X", 6, [_addition(0, *_PEOPLE[0])])
    query = read_query(Level.STUDY, [("PatientID", "P1")])
    (hit,) = searching.search(people, query).hits
    assert (hit.series_count, hit.instance_count, hit.modalities) == (1, 1, ("MR",))
    assert filling.followed(people) == {"ledger X": 6}


def test_pages_come_in_one_order_and_say_how_much_is_left(people: Index) -> None:
    pages = [
        searching.search(people, read_query(Level.STUDY, [("limit", "2"), ("offset", str(at))])) for at in (0, 2, 4)
    ]
    assert [page.more for page in pages] == [4, 2, 0]
    dates = [
        hit.attributes[Level.STUDY].get("00080020", {}).get("Value", [""])[0] for page in pages for hit in page.hits
    ]
    assert dates == sorted(dates, reverse=True)
    assert len({hit.study_instance_uid for page in pages for hit in page.hits}) == len(_PEOPLE)


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    index = Index(f"sqlite:///{tmp_path / 'index.db'}")
    index.migrate()
    filling.add(index, "ledger X", 1, [_addition(0, *_PEOPLE[0])])
    index.migrate()
    assert filling.followed(index) == {"ledger X": 1}
    with index.transaction() as connection:
        connection.execute(update(version).values(version=0))
    index.migrate()
    assert filling.followed(index) == {}
    index.close()


def test_indexing_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    series = mr_series(Grid(slices=4), name="resumed")
    with served_archive(tmp_path) as opened:
        opened.keep(*series[:2])
        for ds in series[2:]:
            opened.store.receive(encoded(ds))
        assert opened.indexing.step(lambda: True) > 0  # looked at, and left for the next start
    with served_archive(tmp_path) as again:
        again.catch_up()
        assert len(again.get("instances").json()) == 4
        assert again.indexing.step() == 0


def test_an_instance_whose_header_cannot_be_read_is_there_by_its_uids(served: ServedArchive) -> None:
    ds = mr_series(Grid(slices=1), name="unreadable")[0]
    served.store.receive(encoded(ds))
    path = served.store.files.path(served.store.instances()[-1].path)
    rows = [row for row in served.store.instances() if row.sop_instance_uid == str(ds.SOPInstanceUID)]
    path = served.store.files.path(rows[0].path)
    path.write_bytes(b"not DICOM")
    served.catch_up()
    found = served.get(f"instances?SOPInstanceUID={ds.SOPInstanceUID}").json()
    assert found[0]["0020000D"]["Value"] == [str(ds.StudyInstanceUID)]


def _make_result(served: ServedArchive, number: int, source: str, supersedes: int | None) -> str:
    """A SEG's stand-in of job `number`, in the results' folder and rows; its series."""
    ds = mr_series(Grid(slices=1), name=f"result {number}")[0]
    ds.StudyInstanceUID, ds.Modality = uid(source, "study"), "SEG"
    path = f"job-{number}.dcm"
    (served.results / path).write_bytes(to_bytes(ds))
    now = datetime(2025, 1, 1, tzinfo=UTC)
    with served.store.database.transaction() as connection:
        connection.execute(
            insert(job).values(
                id=number, series_instance_uid=uid(source, "series"), version=number, rule="r", rule_set_version="1",
                model="m", model_version="1", volume="", destinations=[], priority="normal", state="completed",
                created_at=now, supersedes=supersedes,
            )
        )  # fmt: skip
        connection.execute(
            insert(result).values(
                job_id=number, kind="SEG", sop_class_uid=str(ds.SOPClassUID), path=path, sha256="", size=1,
                series_instance_uid=str(ds.SeriesInstanceUID), sop_instance_uid=str(ds.SOPInstanceUID),
            )
        )  # fmt: skip
    return str(ds.SeriesInstanceUID)


def test_results_that_were_gone_before_they_were_looked_at_are_passed_once(served: ServedArchive) -> None:
    served.keep(*mr_series(Grid(slices=1), name="long ago"))
    _make_result(served, 900, "long ago", None)
    served.catch_up()
    gone = [
        {
            "job_id": 900, "kind": f"K{number}", "sop_class_uid": "1.2", "path": f"{number}.dcm", "sha256": "",
            "size": 1, "series_instance_uid": "2.25.9", "sop_instance_uid": f"2.25.9{number}",
            "removed_at": served.store.clock(),
        }
        for number in range(500)
    ]  # fmt: skip
    with served.store.database.transaction() as connection:
        connection.execute(insert(result), gone)
        last = connection.scalar(select(func.max(result.c.id)))
    served.catch_up()
    assert filling.followed(served.index)["results"] == last
    assert len(followed.results(served.store.database, last or 0, 64)[1]) <= 1


def test_results_are_found_beside_their_source_and_superseded_ones_only_by_name(served: ServedArchive) -> None:
    served.keep(*mr_series(Grid(slices=3), name="source"))
    study = uid("source", "study")
    first = _make_result(served, 1, "source", None)
    served.catch_up()
    assert served.get(f"studies?StudyInstanceUID={study}").json()[0]["00080061"]["Value"] == ["MR", "SEG"]
    second = _make_result(served, 2, "source", 1)
    served.catch_up()

    shown = [one["0020000E"]["Value"][0] for one in served.get(f"studies/{study}/series?Modality=SEG").json()]
    assert shown == [second]
    assert served.get(f"studies?StudyInstanceUID={study}").json()[0]["00201206"]["Value"] == [2]
    assert len(served.get(f"studies/{study}/metadata").json()) == 4

    assert served.get(f"studies/{study}/series/{first}/metadata").status_code == 200
    assert len(served.get(f"studies/{study}/series?Modality=SEG&superseded=true").json()) == 2


def test_what_a_result_replaces_is_hidden_wherever_the_indexer_was_cut_off(
    served: ServedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> set[str]:
        raise StoreUnavailable("the database does not answer")

    served.keep(*mr_series(Grid(slices=1), name="cut off"))
    _make_result(served, 301, "cut off", None)
    served.catch_up()
    second = _make_result(served, 302, "cut off", 301)
    with monkeypatch.context() as patched:
        patched.setattr(followed, "superseded", away)
        with pytest.raises(StoreUnavailable):
            served.indexing.step()
    served.catch_up()
    found = served.get(f"studies/{uid('cut off', 'study')}/series?Modality=SEG").json()
    assert [one["0020000E"]["Value"][0] for one in found] == [second]


def test_a_result_whose_file_is_lost_keeps_the_indexer_from_nothing_else(served: ServedArchive) -> None:
    served.keep(*mr_series(Grid(slices=1), name="of a lost result"))
    _make_result(served, 77, "of a lost result", None)
    (served.results / "job-77.dcm").unlink()
    steps = [bool(served.indexing.step()) for _ in range(10)]
    assert not all(steps)
    assert served.get(f"studies?StudyInstanceUID={uid('of a lost result', 'study')}").status_code == 200


def test_what_retention_removed_is_not_found_and_is_found_when_it_comes_again(served: ServedArchive) -> None:
    series = mr_series(Grid(slices=2), name="removed")
    served.keep(*series)
    uids = [str(ds.SOPInstanceUID) for ds in series]
    path = f"studies/{uid('removed', 'study')}"
    assert len(served.get(f"{path}/instances").json()) == 2
    _remove(served, "removed")
    served.catch_up()
    assert not _finds(served, "removed")
    assert served.get(f"{path}/metadata").status_code == 404

    served.keep(*series)
    assert len(served.get(f"{path}/instances").json()) == 2
    frame = f"{path}/series/{uid('removed', 'series')}/instances/{uids[0]}/frames/1"
    assert served.get(frame, "application/octet-stream").content == series[0].PixelData


def test_many_series_that_go_at_once_are_forgotten_batch_by_batch(served: ServedArchive) -> None:
    names = [f"one of many {number}" for number in range(12)]
    served.keep(*(mr_series(Grid(slices=1), name=name)[0] for name in names))
    before = removals.newest(served.store.database)
    for name in names:
        _remove(served, name)
    last, gone, again = followed.removed(served.store.database, before, 5)
    assert (last, len(gone), again) == (before + 5, 5, [])
    served.catch_up()
    assert not any(_finds(served, name) for name in names)
    assert served.indexing.step() == 0  # and are left at that


def test_what_is_entered_after_others_have_followed_its_removal_is_forgotten_all_the_same(
    served: ServedArchive,
) -> None:
    """A process that is slow to read a header, beside one that is not."""
    known = removals.newest(served.store.database)
    served.keep(*mr_series(Grid(slices=1), name="read slowly"))
    late = _as_it_came(served, "read slowly")
    _remove(served, "read slowly")
    served.catch_up()
    assert not _finds(served, "read slowly")
    filling.add(served.index, "ledger slow", 1, [late], known)
    assert _finds(served, "read slowly")
    served.catch_up()
    assert not _finds(served, "read slowly")


@pytest.mark.parametrize("same_bytes", [True, False])
def test_what_came_again_is_found_whoever_entered_the_file_before_it_since(
    served: ServedArchive, same_bytes: bool
) -> None:
    name = f"came again, {same_bytes}"
    series = mr_series(Grid(slices=1), name=name)
    known = removals.newest(served.store.database)
    served.keep(*series)
    late = _as_it_came(served, name)
    _remove(served, name)
    served.keep(*series)
    filling.add(served.index, "ledger slower", 1, [late if same_bytes else replace(late, sha256="other")], known)
    served.catch_up()
    path = f"studies/{uid(name, 'study')}/series/{uid(name, 'series')}/instances/{series[0].SOPInstanceUID}"
    assert served.get(f"{path}/frames/1", "application/octet-stream").content == series[0].PixelData
    assert served.indexing.step() == 0


def test_a_removal_is_noticed_where_a_late_instance_came_before_the_index_looked(served: ServedArchive) -> None:
    first, late = mr_series(Grid(slices=2), name="late beside removed")
    served.keep(first)
    _remove(served, "late beside removed")
    served.keep(late)
    found = served.get(f"studies/{uid('late beside removed', 'study')}/instances").json()
    assert [one["00080018"]["Value"] for one in found] == [[str(late.SOPInstanceUID)]]


def test_metadata_of_an_instance_that_came_corrected_are_made_anew(served: ServedArchive) -> None:
    """Whatever key its row has in the index: that of the one before is free again."""
    ds, corrected = (mr_series(Grid(slices=1), name="corrected")[0] for _ in range(2))
    served.keep(ds)
    path = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/metadata"
    before = served.get(path)
    asked = Asked(str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), "", "admin", "")
    with served.store.database.transaction() as connection:
        mine = rows.series.c.series_instance_uid == str(ds.SeriesInstanceUID)
        connection.execute(update(rows.series).where(mine).values(state="filtered"))
    erasing.erase(served.store.database, asked, [asked.series], served.store.clock())
    corrected.ImageComments = "as it should be"
    served.keep(corrected)
    after = served.get(path, **{"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.json()[0]["00204000"]["Value"]) == (200, ["as it should be"])


def test_a_new_index_does_not_look_at_what_was_removed_long_before_it(tmp_path: Path) -> None:
    with served_archive(tmp_path) as opened:
        opened.keep(*mr_series(Grid(slices=1), name="of long ago"))
        _remove(opened, "of long ago")
    (tmp_path / "index.db").unlink()
    with served_archive(tmp_path) as again:
        assert again.indexing.step() == 1  # the line of the ledger, whose bytes are gone
        assert again.indexing.step() == 0
        assert not _finds(again, "of long ago")


def _as_it_came(served: ServedArchive, name: str) -> Addition:
    """The one instance of a series, as a process enters it that has read it just now."""
    (row,) = [one for one in served.store.instances() if one.series_instance_uid == uid(name, "series")]
    return replace(
        _addition(0, *_PEOPLE[0]),
        sop_instance_uid=row.sop_instance_uid,
        series_instance_uid=row.series_instance_uid,
        study_instance_uid=row.study_instance_uid,
        path=row.path,
        sha256=row.sha256,
    )


def _remove(served: ServedArchive, name: str) -> None:
    """As retention does: the rows say it, then the files go."""
    mine, now = uid(name, "series"), served.store.clock()
    with served.store.database.transaction() as connection:
        for table in (rows.series, rows.instance):
            connection.execute(update(table).where(table.c.series_instance_uid == mine).values(removed_at=now))
        removals.note(connection, now, removals.RETENTION, [(mine, "")])
    for row in served.store.instances():
        if row.series_instance_uid == mine:
            served.store.files.remove(row.path)


def _finds(served: ServedArchive, name: str) -> bool:
    return served.get(f"studies?StudyInstanceUID={uid(name, 'study')}").status_code == 200
