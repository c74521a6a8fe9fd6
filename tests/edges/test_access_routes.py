"""Every route of the API and every page says which right it needs, and whoever has only the least changes nothing."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from node.adapters.database import audit, claims, jobs
from node.core.access import HIDDEN, Right, Role
from node.core.audit import What
from node.core.states import JobState
from node.web.access import Anybody, Demand
from node.web.access.demand import demands_of
from node.web.api.access.trail import MOST
from tests.doors import PASSWORD, House, whole_house
from tests.receiving import encoded
from tests.synthetic import Grid, mr_series
from tests.waiting import wait

_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# What changes nothing, or only what is one's own: whoever may look may do it.
_OWN = re.compile(r"/v1/(account/.*|session|trace|rules/(check|explain|why|form|form/write|complete|matches))")
_OPEN = {"/v1/session", "/v1/first-start", "/sign-in", "/first-start", "/oidc/start", "/oidc/callback",
         "/static/{digest}/{name:path}"}  # fmt: skip


_HOSTILE = "<img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class Door:
    """One route and one of its methods."""

    where: str
    method: str
    path: str
    demands: Sequence[Demand | Anybody]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def changes(self) -> bool:
        return self.method in _CHANGES and not _OWN.fullmatch(self.path) and self.path not in _OPEN

    @property
    def rights(self) -> set[Right]:
        return {one.right for one in self.demands if isinstance(one, Demand)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A node that serves everything."""
    with whole_house(tmp_path_factory.mktemp("node")) as built:
        built.add("anna", Role.ADMIN)
        built.add("bernd", Role.VIEWER, sees_patients=False)
        built.add("carla", Role.ADMIN, sees_patients=False)
        yield built


def doors(routes: Sequence[BaseRoute]) -> list[Door]:
    mounts = [one for one in routes if isinstance(one, Mount) and isinstance(one.app, FastAPI)]
    return [door for mount in mounts for door in _below(mount.path, "", mount.routes)]


def _below(where: str, prefix: str, routes: Sequence[BaseRoute]) -> Iterator[Door]:
    """FastAPI keeps a router that was included as it is, with its prefix beside it, or its routes one by one."""
    for one in routes:
        if isinstance(one, APIRoute):
            for method in sorted(one.methods or ()):
                yield Door(where, method, prefix + one.path, demands_of(one.dependant))
        elif router := getattr(one, "original_router", None):
            yield from _below(where, prefix + one.include_context.prefix, router.routes)  # type: ignore[attr-defined]


def test_every_route_says_what_it_needs(home: House) -> None:
    all_of_them = doors(home.web.routes)
    assert len(all_of_them) > 60
    assert [str(one) for one in all_of_them if not one.demands and one.path not in _OPEN] == []


def test_what_changes_something_needs_more_than_looking(home: House) -> None:
    changing = [one for one in doors(home.web.routes) if one.where == "/api" and one.changes]
    assert [str(one) for one in changing if one.rights <= {Right.READ}] == []


def test_pages_only_read(home: House) -> None:
    """Whatever a page does, the API does: the one exception is text that people search by, which is in no address."""
    changing = [one for one in doors(home.web.routes) if one.where == "/admin" and one.method in _CHANGES]
    assert [str(one) for one in changing if not one.rights <= {Right.READ}] == []


def test_a_viewer_changes_nothing(home: House) -> None:
    viewer = home.signed_in("bernd")
    for one in doors(home.web.routes):
        if one.where == "/api" and one.changes:
            path = "/api" + re.sub(r"\{[^}]*\}", "1", one.path)
            answer = viewer.request(one.method, path, json={})
            assert answer.status_code == 403, f"{one}: {answer.status_code} {answer.text}"


def test_who_is_nobody_gets_nothing(home: House) -> None:
    nobody = home.client()
    for one in doors(home.web.routes):
        if one.path not in _OPEN:
            path = one.where + re.sub(r"\{[^}]*\}", "1", one.path)
            answer = nobody.request(one.method, path, json={} if one.method in _CHANGES else None)
            assert answer.status_code == 401, f"{one}: {answer.status_code}"
    assert nobody.get("/api/openapi.json").status_code == 401


def test_a_change_that_wrote_no_line_of_its_own_leaves_one_all_the_same(home: House) -> None:
    admin = home.signed_in("anna")
    made = admin.put("/api/v1/users/bernd/password", json={"password": PASSWORD})
    assert made.status_code == 204
    newest = admin.get("/api/v1/audit", params={"what": "user.password"}).json()["lines"][0]
    assert (newest["actor"], newest["object"]) == ("anna", "user bernd")


def test_the_trail_names_no_patient_to_an_administrator_who_may_see_none(home: House) -> None:
    query = "PatientName=Yamada%2A&PatientID=P-4711-X"
    with home.database.transaction() as connection:
        audit.note(connection, home.clock(), What.QUERIED, "/dicom-web/studies", actor="anna", after=query)
    for where in ("/api/v1/audit", "/admin/audit", "/api/v1/audit/export"):
        seen = [home.signed_in(name).get(where, params={"what": What.QUERIED}).text for name in ("anna", "carla")]
        assert ["Yamada" in text for text in seen] == [True, False]
        assert all("/dicom-web/studies" in text and "anna" in text for text in seen)


def test_the_whole_trail_is_taken_away_as_a_table_that_no_spreadsheet_works_out(home: House) -> None:
    with home.database.transaction() as connection:
        for number in range(MOST + 1):
            audit.note(connection, home.clock(), "job.retry", f"job {number}", actor="the auditor", reason='=1+1,"\n')
    admin = home.signed_in("anna")
    answer = admin.get("/api/v1/audit/export", params={"by": "the auditor"})
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-')
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [row["object"] for row in rows] == [f"job {number}" for number in range(MOST, -1, -1)]
    assert {row["reason"] for row in rows} == {"'=1+1,\"\n"}
    assert len(list(csv.reader(StringIO(admin.get("/api/v1/audit/export").text)))) > len(rows) + 1


def test_who_may_not_see_patients_finds_none_in_any_answer(home: House) -> None:
    change = {"PatientName": "Yamada^Tarou=山田^太郎", "PatientID": "P-4711-X", "PatientBirthDate": "19630517"}
    change |= {"SeriesDescription": _HOSTILE, "StudyDescription": _HOSTILE, "AccessionNumber": "'\"><b>"}
    instances = mr_series(Grid(slices=3), change=change)
    for ds in instances:
        home.store.receive(encoded(ds))
    sees, blind = home.signed_in("anna"), home.signed_in("bernd")
    uids = [instances[0].SeriesInstanceUID, instances[0].StudyInstanceUID, "1"]
    told = 0
    for one in doors(home.web.routes):
        if one.method != "GET" or "events" in one.path or "static" in one.path:
            continue
        for uid in uids if "{" in one.path else [""]:
            path = one.where + re.sub(r"\{[^}]*\}", uid, one.path)
            whole = sees.get(path).text
            told += "Yamada" in whole
            assert one.where != "/admin" or _HOSTILE not in whole, f"{path} shows what DICOM says as HTML"
            seen = blind.get(path, params={"text": "P-4711-X"}).text
            for secret in ("Yamada", "山田", "19630517", "1963-05-17"):
                assert secret not in seen, f"{path} shows {secret}"
    for text in ("P-4711-X", "yamada", "山田"):
        found = sees.post("/api/v1/trace", json={"text": text})
        told += "Yamada" in found.text
        assert "Yamada" not in blind.post("/api/v1/trace", json={"text": text}).text
        assert blind.post("/api/v1/trace", json={"text": text}).json()["series"] == []
    assert told > 0  # who may see them does: the test would notice a name


def test_who_may_not_see_patients_is_told_that_a_line_is_of_somebody(home: House) -> None:
    wait(home.database, "1.2.3")
    job = claims.claim(home.database, home.clock())
    assert job
    jobs.finish(home.database, job.id, JobState.FAILED, "it raised", home.clock())
    whose = ("patient_name", "patient_id", "accession_number")
    for name, said in (("anna", ["Doe^Jane", "7", "4711"]), ("bernd", [HIDDEN] * 3)):
        client = home.signed_in(name)
        (found,) = client.post("/api/v1/trace", json={"text": "1.2.3"}).json()["series"]
        story = client.get("/api/v1/series/1.2.3/trace").json()
        (cause,) = client.get("/api/v1/inbox").json()
        (stuck,) = client.get(f"/api/v1/inbox/{cause['cause']}").json()["entries"]
        assert (stuck["job"], stuck["gone"]) == (job.id, False)
        assert [[line[one] for one in whose] for line in (found, story, stuck)] == [said] * 3
