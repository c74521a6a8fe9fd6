"""Tokens for programs: what they may, and when they end."""

from __future__ import annotations

from typing import Any

from node.core.access import Right
from tests.doors import PASSWORD, House, home, lived_in, token_of

__all__ = ["home", "lived_in"]


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
