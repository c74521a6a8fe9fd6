"""Who is let in over HTTP: forged requests, headers, hosts and proxies (after the OWASP cheat sheets)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.datastructures import MutableHeaders

from node.adapters.database import audit
from node.core.access import Role
from node.web.access.headers import secure
from tests.doors import PASSWORD, House, home, house, lived_in, sign_in, told
from tests.receiving import Store

__all__ = ["home", "lived_in"]


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


def test_what_cannot_be_written_down_is_to_be_asked_again(lived_in: House) -> None:
    with lived_in.database.transaction() as connection:
        connection.execute(text("ALTER TABLE audit RENAME TO gone"))
    answer = sign_in(lived_in.client(), "bernd", PASSWORD, Origin="https://evil.example")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


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


# Headers, hosts and proxies


@pytest.mark.parametrize("path", ["/api/v1/jobs/1/slices/1", "/dicom-web/studies/1.2/rendered"])
def test_a_picture_that_a_browser_keeps_is_for_nobody_who_signs_in_after(path: str) -> None:
    headers = MutableHeaders({"Cache-Control": "private, max-age=3600"})
    secure(headers, path, encrypted=True)
    assert headers["Vary"] == "Authorization, Cookie"


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
