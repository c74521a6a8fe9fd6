"""Signing in and staying so: the first administrator, sessions, passwords (after the OWASP cheat sheets)."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.core.access import Role
from node.core.access.secrets import digest
from tests.doors import PASSWORD, House, home, lived_in, sign_in

__all__ = ["home", "lived_in"]

COOKIE = "mricore-session"
HALF = b"\\ud800"  # of a character: JSON can say it, UTF-8 cannot


def test_half_a_character_is_no_password_and_no_code(home: House) -> None:
    told = b'{"name": "anna", "password": "' + 12 * HALF + b'", "code": "' + HALF + b'"}'

    def ask(where: str) -> int:
        headers = {"Content-Type": "application/json"}
        return home.client().post(f"/api/v1/{where}", content=told, headers=headers).status_code

    assert ask("session") == 401
    assert ask("first-start") in (401, 422)
    home.add("anna", Role.ADMIN)
    assert ask("session") == 401


# Before there is a user


def test_while_there_is_no_user_who_is_at_this_machine_is_the_administrator(home: House) -> None:
    me = home.client().get("/api/v1/session").json()
    assert (me["name"], me["role"], me["sees_patients"]) == ("local", "admin", True)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "10.0.0.1"}, {"Forwarded": "for=10.0.0.1"}, {"X-Real-IP": "10.0.0.1"},
        {"Host": "evil.example"}, {"Host": "10.0.0.5:8080"},
    ],
)  # fmt: skip
def test_a_request_that_somebody_passed_on_or_another_name_is_not_local(home: House, headers: dict[str, str]) -> None:
    assert home.client().get("/api/v1/jobs", headers=headers).status_code == 401


def test_another_sites_page_cannot_use_the_local_administrator(home: House) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = home.client().post("/api/v1/jobs/pause", json={"kind": "model", "name": "x"}, headers=headers)
        assert answer.status_code == 403
    mine = {"Origin": home.url, "Sec-Fetch-Site": "same-origin"}
    answer = home.client().post("/api/v1/jobs/pause", json={"kind": "model", "name": "x"}, headers=mine)
    assert answer.status_code == 200


def test_with_the_first_user_everybody_signs_in_for_good(home: House) -> None:
    client = home.client()
    assert client.get("/api/v1/jobs").status_code == 200
    home.add("anna", Role.ADMIN)
    assert client.get("/api/v1/jobs").status_code == 401
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 200
    assert client.get("/dicom-web/studies").status_code == 401
    assert client.get("/ohif/").status_code == 401


def test_the_first_administrator_shows_the_consoles_code_which_counts_once_and_an_hour(home: House) -> None:
    old = home.doors.signing_in.first_code()
    home.clock.advance(3601)
    code = home.doors.signing_in.first_code()
    client, new = home.client(), {"name": "anna", "password": PASSWORD}
    assert client.post("/api/v1/first-start", json={**new, "code": "0000-0000"}).status_code == 401
    assert client.post("/api/v1/first-start", json={**new, "code": old}).status_code == 401
    weak = client.post("/api/v1/first-start", json={"name": "anna", "password": "short", "code": code})
    assert (weak.status_code, "12 characters" in weak.json()["detail"]) == (422, True)
    assert client.post("/api/v1/first-start", json={**new, "code": code}).status_code == 201
    assert client.get("/api/v1/session").json()["role"] == "admin"
    again = client.post("/api/v1/first-start", json={"name": "eve", "password": PASSWORD, "code": code})
    assert again.status_code == 422


# Sessions


def test_the_cookie_is_for_this_host_no_script_and_no_other_site(lived_in: House) -> None:
    answer = sign_in(lived_in.client(), "anna", PASSWORD)
    (cookie,) = answer.headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"httponly", "path=/", "samesite=strict"}


def test_a_session_is_new_and_the_old_one_is_over(lived_in: House) -> None:
    client = lived_in.client()
    client.cookies.set(COOKIE, "fixed-by-somebody-else", "127.0.0.1", "/")
    assert sign_in(client, "anna", PASSWORD).status_code == 201
    first = client.cookies[COOKIE]
    assert first != "fixed-by-somebody-else"
    assert sign_in(client, "anna", PASSWORD).status_code == 201
    thief = lived_in.client(cookies={COOKIE: first})
    assert thief.get("/api/v1/session").status_code == 401


def test_only_digests_of_sessions_and_tokens_are_kept(lived_in: House, tmp_path: Path) -> None:
    client = lived_in.signed_in("anna")
    made = client.post("/api/v1/account/tokens", json={"name": "ci", "scopes": ["read"]}).json()
    with lived_in.database.engine.connect() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr] # of sqlite3
    assert digest(made["secret"]) in dump
    assert made["secret"] not in dump
    assert client.cookies[COOKIE] not in dump
    assert PASSWORD not in dump


def test_a_session_ends_without_requests_after_an_hour_and_in_any_case_after_twelve(lived_in: House) -> None:
    client = lived_in.signed_in("anna")
    for _ in range(12):
        lived_in.clock.advance(59 * 60)
        assert client.get("/api/v1/jobs").status_code == 200
    lived_in.clock.advance(59 * 60)
    assert client.get("/api/v1/jobs").status_code == 401
    other = lived_in.signed_in("anna")
    lived_in.clock.advance(60 * 60)
    assert other.get("/api/v1/jobs").status_code == 401


def test_signing_out_ends_the_session_and_not_only_the_cookie(lived_in: House) -> None:
    client = lived_in.signed_in("anna")
    secret = client.cookies[COOKIE]
    assert client.delete("/api/v1/session").json() == {"then": "/admin/sign-in"}
    assert lived_in.client(cookies={COOKIE: secret}).get("/api/v1/jobs").status_code == 401


def test_another_role_or_password_ends_the_sessions(lived_in: House) -> None:
    admin, viewer = lived_in.signed_in("anna"), lived_in.signed_in("bernd")
    assert admin.patch("/api/v1/users/bernd", json={"role": "operator"}).json()["role"] == "operator"
    assert viewer.get("/api/v1/jobs").status_code == 401
    viewer = lived_in.signed_in("bernd")
    assert admin.put("/api/v1/users/bernd/password", json={"password": "another door entirely"}).status_code == 204
    assert viewer.get("/api/v1/jobs").status_code == 401


def test_changing_ones_password_needs_the_old_one_and_ends_the_other_sessions(lived_in: House) -> None:
    here, there = lived_in.signed_in("bernd"), lived_in.signed_in("bernd")
    new = {"current": "not this one at all", "new": "another door entirely"}
    assert here.put("/api/v1/account/password", json=new).status_code == 422
    assert here.put("/api/v1/account/password", json={**new, "current": PASSWORD}).status_code == 204
    assert here.get("/api/v1/jobs").status_code == 200
    assert there.get("/api/v1/jobs").status_code == 401
    assert sign_in(lived_in.client(), "bernd", PASSWORD).status_code == 401


def test_the_last_administrator_stays(lived_in: House) -> None:
    admin = lived_in.signed_in("anna")
    for answer in (admin.delete("/api/v1/users/anna"), admin.patch("/api/v1/users/anna", json={"role": "viewer"})):
        assert (answer.status_code, "last administrator" in answer.json()["detail"]) == (422, True)


def test_a_removed_user_is_out_at_once_and_the_name_stays_taken(lived_in: House) -> None:
    admin, viewer = lived_in.signed_in("anna"), lived_in.signed_in("bernd")
    token = viewer.post("/api/v1/account/tokens", json={"name": "ci", "scopes": ["read"]}).json()["secret"]
    assert admin.delete("/api/v1/users/bernd").status_code == 204
    assert viewer.get("/api/v1/jobs").status_code == 401
    bearer = {"Authorization": f"Bearer {token}"}
    assert lived_in.client().get("/api/v1/jobs", headers=bearer).status_code == 401
    new = {"name": "Bernd", "role": "admin", "password": PASSWORD}
    assert admin.post("/api/v1/users", json=new).status_code == 422
