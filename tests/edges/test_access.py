"""Who is let in over HTTP: sessions, tokens, forged requests, guessing, proxies (after the OWASP cheat sheets)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import MutableHeaders

from node.adapters.database import audit
from node.core.access import Right, Role
from node.core.access.secrets import digest
from node.web.access.headers import secure
from tests.doors import PASSWORD, House, house
from tests.receiving import Store

COOKIE = "mricore-session"


@pytest.fixture
def home(store: Store, tmp_path: Path) -> Iterator[House]:
    with house(store, tmp_path) as built:
        yield built


@pytest.fixture
def lived_in(home: House) -> House:
    """With an administrator and a viewer who sees no patients."""
    home.add("anna", Role.ADMIN)
    home.add("bernd", Role.VIEWER, sees_patients=False)
    return home


def told(home: House, *what: str) -> list[tuple[str, str, str, bool]]:
    """Lines of the audit trail, the oldest first."""
    lines = [one.line for one in audit.after(home.database, 0, 1000)]
    return [(one.what, one.actor, one.object, one.ok) for one in lines if not what or one.what in what]


def sign_in(client: httpx.Client, name: str, password: str, **headers: str) -> httpx.Response:
    return client.post("/api/v1/session", json={"name": name, "password": password}, headers=headers)


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


@pytest.mark.parametrize("path", ["/api/v1/jobs/1/slices/1", "/dicom-web/studies/1.2/rendered"])
def test_a_picture_that_a_browser_keeps_is_for_nobody_who_signs_in_after(path: str) -> None:
    headers = MutableHeaders({"Cache-Control": "private, max-age=3600"})
    secure(headers, path, encrypted=True)
    assert headers["Vary"] == "Authorization, Cookie"


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


# Forged requests


def test_a_change_by_cookie_shows_the_token_of_its_page(lived_in: House) -> None:
    client = lived_in.signed_in("anna")
    target, token = {"kind": "model", "name": "x"}, client.headers.pop("X-CSRF-Token")
    assert client.post("/api/v1/jobs/pause", json=target).status_code == 403
    other = lived_in.signed_in("anna").headers["X-CSRF-Token"]
    assert client.post("/api/v1/jobs/pause", json=target, headers={"X-CSRF-Token": other}).status_code == 403
    foreign = {"X-CSRF-Token": token, "Origin": "https://evil.example"}
    assert client.post("/api/v1/jobs/pause", json=target, headers=foreign).status_code == 403
    cross = {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"}
    assert client.post("/api/v1/jobs/pause", json=target, headers=cross).status_code == 403
    assert client.post("/api/v1/jobs/pause", json=target, headers={"X-CSRF-Token": token}).status_code == 200


def test_another_site_cannot_sign_its_visitor_in(lived_in: House) -> None:
    assert sign_in(lived_in.client(), "bernd", PASSWORD, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("/admin/audit?by=anna", "/admin/audit?by=anna"), ("/ohif/viewer?x=1", "/ohif/viewer?x=1"), ("", "/admin/"),
        ("https://evil.example", "/admin/"), ("//evil.example", "/admin/"), ("/\\evil.example", "/admin/"),
        ("/admin//evil.example", "/admin/"), ("/admin/\\..\\evil", "/admin/"), ("javascript:alert(1)", "/admin/"),
        ("/admin/\r\nX: y", "/admin/"), ("/api/v1/session", "/admin/"),
    ],
)  # fmt: skip
def test_signing_in_leads_to_a_page_of_this_node_whatever_the_link_says(
    lived_in: House, wanted: str, there: str
) -> None:
    answer = lived_in.client().post(
        "/api/v1/session", params={"next": wanted}, json={"name": "anna", "password": PASSWORD}
    )
    assert answer.json()["then"] == there


# Guessing


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(lived_in: House) -> None:
    answers = [sign_in(lived_in.client(), name, "wrong in any case") for name in ("anna", "nobody", "x" * 150, "\x00")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_guessing_is_slowed_down_for_a_name_whether_anybody_has_it_or_not(lived_in: House) -> None:
    seen = {}
    for name in ("anna", "nobody"):
        seen[name] = [sign_in(lived_in.client(), name, "wrong in any case").status_code for _ in range(6)]
    assert seen["anna"] == seen["nobody"] == [401] * 5 + [429]
    locked = sign_in(lived_in.client(), "ANNA", PASSWORD)
    assert (locked.status_code, int(locked.headers["Retry-After"]) > 5) == (429, True)
    lived_in.clock.advance(16)
    assert sign_in(lived_in.client(), "anna", "wrong in any case").status_code == 401
    lived_in.clock.advance(16)
    assert sign_in(lived_in.client(), "anna", PASSWORD).status_code == 429
    lived_in.clock.advance(31)
    assert sign_in(lived_in.client(), "anna", PASSWORD).status_code == 201
    assert ("session.locked_out", "anonymous", "user anna", False) in told(lived_in)


def test_guessing_many_names_from_one_address_is_slowed_down(lived_in: House) -> None:
    answers = [sign_in(lived_in.client(), f"name{number}", "x").status_code for number in range(21)]
    assert answers == [401] * 20 + [429]


def test_what_was_typed_as_a_name_is_kept_nowhere(lived_in: House, capfd: pytest.CaptureFixture[str]) -> None:
    sign_in(lived_in.client(), "my-secret-password-typed-as-name", PASSWORD)
    with lived_in.database.engine.connect() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr] # of sqlite3
    assert "typed-as-name" not in dump
    assert ("session.failed", "anonymous", "user unknown", False) in told(lived_in)
    said = capfd.readouterr()
    assert "typed-as-name" not in said.out + said.err
    assert PASSWORD not in said.out + said.err


# Tokens


def token_of(home: House, name: str, *scopes: str, **more: Any) -> dict[str, str]:
    client = home.signed_in(name)
    made = client.post("/api/v1/account/tokens", json={"name": "ci", "scopes": list(scopes), **more})
    assert made.status_code == 201, made.text
    assert made.json()["secret"].startswith("mricore_")
    return {"Authorization": f"Bearer {made.json()['secret']}"}


def test_a_token_may_what_its_scopes_say_and_needs_no_token_of_a_page(lived_in: House) -> None:
    reads, client = token_of(lived_in, "anna", "read"), lived_in.client()
    target = {"kind": "model", "name": "x"}
    assert client.get("/api/v1/jobs", headers=reads).status_code == 200
    assert client.post("/api/v1/jobs/pause", json=target, headers=reads).status_code == 403
    operates = token_of(lived_in, "anna", "read", "operate")
    assert client.post("/api/v1/jobs/pause", json=target, headers=operates).status_code == 200
    assert client.get("/api/v1/users", headers=operates).status_code == 403


def test_a_token_makes_no_credentials(lived_in: House) -> None:
    """One with little could give itself one with more."""
    all_of_them, client = token_of(lived_in, "anna", *Right), lived_in.client()
    new = {"name": "eve", "role": "admin", "password": PASSWORD}
    assert client.post("/api/v1/users", json=new, headers=all_of_them).status_code == 403
    mine = {"name": "more", "scopes": ["administer"]}
    assert client.post("/api/v1/account/tokens", json=mine, headers=all_of_them).status_code == 403
    changed = {"current": PASSWORD, "new": "another door entirely"}
    assert client.put("/api/v1/account/password", json=changed, headers=all_of_them).status_code == 403
    assert client.get("/api/v1/users", headers=all_of_them).status_code == 200


def test_nobody_makes_a_token_that_may_more_than_he(lived_in: House) -> None:
    viewer = lived_in.signed_in("bernd")
    wanted: list[dict[str, Any]] = [
        {"scopes": ["operate"]},
        {"scopes": ["read"], "sees_patients": True},
        {"scopes": []},
    ]
    for more in wanted:
        assert viewer.post("/api/v1/account/tokens", json={"name": "ci", **more}).status_code == 422


def test_a_token_ends_with_its_time_when_it_is_revoked_and_shrinks_with_its_owner(lived_in: House) -> None:
    client, admin = lived_in.client(), lived_in.signed_in("anna")
    admin.post("/api/v1/users", json={"name": "carla", "role": "operator", "password": PASSWORD})
    operates = token_of(lived_in, "carla", "read", "operate", days=1)
    target = {"kind": "model", "name": "x"}
    assert client.post("/api/v1/jobs/pause", json=target, headers=operates).status_code == 200
    admin.patch("/api/v1/users/carla", json={"role": "viewer"})
    assert client.post("/api/v1/jobs/resume", json=target, headers=operates).status_code == 403
    assert client.get("/api/v1/jobs", headers=operates).status_code == 200
    (listed,) = admin.get("/api/v1/tokens").json()
    assert "secret" not in listed
    lived_in.clock.advance(24 * 3600)
    assert client.get("/api/v1/jobs", headers=operates).status_code == 401
    fresh = token_of(lived_in, "carla", "read")
    owner = lived_in.signed_in("carla")
    newest = owner.get("/api/v1/account/tokens").json()[0]["id"]
    assert owner.delete(f"/api/v1/account/tokens/{newest}").status_code == 204
    assert client.get("/api/v1/jobs", headers=fresh).status_code == 401


def test_nobody_revokes_the_tokens_of_others_but_administrators(lived_in: House) -> None:
    token_of(lived_in, "anna", "read")
    viewer = lived_in.signed_in("bernd")
    assert viewer.delete("/api/v1/account/tokens/1").status_code == 404
    assert viewer.delete("/api/v1/tokens/1").status_code == 403


def test_stow_needs_the_right_to_store(lived_in: House) -> None:
    client = lived_in.client()
    kind = {"Content-Type": "multipart/related; type=application/dicom; boundary=x"}

    def status(bearer: dict[str, str]) -> int:
        return client.post("/dicom-web/studies", content=b"", headers={**kind, **bearer}).status_code

    assert status({}) == 401
    assert status(token_of(lived_in, "anna", "read")) == 403
    assert status(token_of(lived_in, "anna", "store")) == 400


def test_dicomweb_is_closed_to_who_may_not_see_patients(lived_in: House) -> None:
    viewer = lived_in.signed_in("bernd")
    answer = viewer.get("/dicom-web/studies")
    assert (answer.status_code, "may not see" in answer.json()["detail"]) == (403, True)
    unseen = token_of(lived_in, "anna", "read")
    assert lived_in.client().get("/dicom-web/studies", headers=unseen).status_code == 403


# Headers, hosts and proxies


def test_every_answer_carries_strict_headers(lived_in: House) -> None:
    client = lived_in.client()
    for path in ("/healthz", "/api/v1/jobs", "/admin/sign-in", "/dicom-web/studies", "/nothing", "/ohif/"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["cross-origin-resource-policy"] == "same-origin", path
        assert "frame-ancestors" in headers["content-security-policy"], path
        assert "server" not in headers, path
        assert "strict-transport-security" not in headers, path
    policy = client.get("/admin/sign-in").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy


def test_with_a_public_url_no_other_name_will_do(store: Store, tmp_path: Path) -> None:
    with house(store, tmp_path, http={"public_url": "https://node.example"}) as home:
        home.add("anna", Role.ADMIN)
        client = home.client()
        assert client.get("/api/v1/jobs", headers={"Host": "evil.example"}).status_code == 421
        assert client.get("/healthz", headers={"Host": "10.0.0.1"}).status_code == 200
        assert client.get("/api/v1/jobs", headers={"Host": "node.example"}).status_code == 401


def test_behind_a_proxy_its_word_is_believed_and_nobody_is_local(store: Store, tmp_path: Path) -> None:
    http = {"behind_proxy": True, "proxies": ["127.0.0.1"]}
    with house(store, tmp_path, http=http) as home:
        assert home.client().get("/api/v1/jobs").status_code == 401
        home.add("anna", Role.ADMIN)
        through = {
            "X-Forwarded-For": "6.6.6.6, 10.9.8.7, 127.0.0.1", "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "node.example",
        }  # fmt: skip
        answer = sign_in(home.client(), "anna", PASSWORD, Origin="https://node.example", **through)
        assert answer.status_code == 201
        assert answer.headers["set-cookie"].startswith("__Host-mricore-session=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers
        line = audit.page(home.database, audit.Wanted(what="session.begin"), None, 1)[0].line
        assert line.address == "10.9.8.7"


def test_what_others_forward_is_not_believed(lived_in: House) -> None:
    sign_in(lived_in.client(), "anna", PASSWORD, **{"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "https"})
    line = audit.page(lived_in.database, audit.Wanted(what="session.begin"), None, 1)[0].line
    assert line.address == "127.0.0.1"


def test_a_browser_is_led_to_the_sign_in_and_a_program_is_told(lived_in: House) -> None:
    client = lived_in.client()
    page = client.get("/admin/audit?by=a&x=1", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (
        303,
        "/admin/sign-in?next=%2Fadmin%2Faudit%3Fby%3Da%26x%3D1",
    )
    told = client.get("/api/v1/jobs", headers={"Accept": "text/html"})
    assert (told.status_code, told.headers["content-type"]) == (401, "application/problem+json")


def test_open_dicomweb_is_open_and_nothing_else_is(store: Store, tmp_path: Path) -> None:
    with house(store, tmp_path, auth={"dicomweb": "open"}) as home:
        home.add("anna", Role.ADMIN)
        client = home.client()
        assert client.get("/dicom-web/studies").status_code != 401
        assert client.get("/dicom-web/studies", headers={"Host": "evil.example"}).status_code == 401
        assert client.get("/api/v1/jobs").status_code == 401
        foreign = client.post("/dicom-web/studies", content=b"", headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403


def test_who_is_not_signed_in_says_little(lived_in: House) -> None:
    client = lived_in.client()
    assert client.post("/api/v1/session", content=b"x" * 70_000).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 10_000

    answer = client.post("/api/v1/session", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert sign_in(lived_in.client(), "anna", PASSWORD).status_code == 201


def test_who_is_turned_away_fills_no_trail(lived_in: House) -> None:
    for number in range(5):
        assert lived_in.client().post(f"/api/v1/jobs/{number}/retry").status_code == 401
    assert [what for what, _, _, _ in told(lived_in, "request.refused")] == ["request.refused"]


@pytest.mark.parametrize(
    "path", ["/admin/sign-in%3F/../../api/v1/jobs", "//api/v1/jobs", "/healthz%3Fx", "/admin/static/../../api/v1/jobs",
             "/admin/static/%2e%2e/%2e%2e/api/v1/jobs", "/API/v1/jobs", "/api/v1/jobs/", "/dicom-web"],
)  # fmt: skip
def test_no_way_of_writing_an_address_leads_past_the_door(lived_in: House, path: str) -> None:
    with socket.create_connection(("127.0.0.1", int(lived_in.url.rsplit(":", 1)[1])), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert int(answer.split()[1]) in (307, 401, 404)
    assert b'"jobs"' not in answer
