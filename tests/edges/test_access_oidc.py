"""Signing in at an OpenID Connect provider: what it says is believed only where it is signed, for us, and now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.adapters.database import audit
from node.core.access import Role
from tests.clock import Clock
from tests.doors import PASSWORD, House, house
from tests.openid import SECRET, OpenId, new_key, provider
from tests.receiving import Store
from tests.waiting import NOON

ANNA = {"sub": "a-1", "preferred_username": "anna", "groups": ["staff", "radiology-it"]}


@pytest.fixture
def far() -> Iterator[OpenId]:
    with provider(Clock(NOON)) as made:
        made.claims = dict(ANNA)
        yield made


@pytest.fixture
def home(far: OpenId, store: Store, tmp_path: Path) -> Iterator[House]:
    auth = {
        "oidc_issuer": far.issuer,
        "oidc_client_secret": SECRET,
        "oidc_roles": {"radiology-it": "admin", "staff": "viewer"},
        "oidc_sees_patients": ["radiology-it"],
    }
    with house(store, tmp_path, auth=auth, http={"public_url": "https://node.example"}) as built:
        yield built


def to_node(home: House, address: str) -> str:
    """Where a browser's own name service would lead it."""
    return address.replace("https://node.example", home.url)


def goes(home: House, client: httpx.Client, then: str = "") -> httpx.Response:
    """The whole way there and back."""
    begun = client.get("/admin/oidc/start", params={"next": then})
    assert begun.status_code == 303, begun.text
    with httpx.Client(trust_env=False, timeout=60) as browser:
        back = browser.get(begun.headers["location"])
    return client.get(to_node(home, back.headers["location"]))


def me(client: httpx.Client) -> Any:
    answer = client.get("/api/v1/session")
    return (answer.json()["name"], answer.json()["role"], answer.json()["sees_patients"]) if answer.is_success else None


def test_who_signs_in_there_has_the_highest_role_of_his_groups(home: House) -> None:
    client = home.client()
    page = goes(home, client, "/admin/audit")
    assert (page.status_code, 'content="0;url=/admin/audit"' in page.text) == (200, True)
    assert me(client) == ("anna", "admin", True)
    cookies = page.headers.get_list("set-cookie")
    assert any("mricore-session=" in one and "SameSite=strict" in one and "HttpOnly" in one for one in cookies)


def test_the_role_follows_the_groups_at_each_sign_in_and_old_sessions_end(home: House, far: OpenId) -> None:
    first, second = home.client(), home.client()
    goes(home, first)
    far.claims["groups"] = ["staff"]
    goes(home, second)
    assert me(second) == ("anna", "viewer", False)
    assert me(first) is None


def test_groups_may_come_from_user_info(home: House, far: OpenId) -> None:
    del far.claims["groups"]
    far.told_apart = {"groups": "staff"}
    client = home.client()
    goes(home, client)
    assert me(client) == ("anna", "viewer", False)


def test_without_a_group_that_has_a_role_nobody_comes_in(home: House, far: OpenId) -> None:
    far.claims["groups"] = ["kitchen"]
    client = home.client()
    page = goes(home, client)
    assert (page.status_code, "none of your groups has a role" in page.text) == (403, True)
    assert me(client) is None
    failed = audit.page(home.database, audit.Wanted(what="session.failed"), None, 1)[0].line
    assert "groups" in failed.reason


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "of another sign-in"}, {"aud": "another-service"}, {"aud": ["mricore-node", "other"], "azp": "other"},
        {"iss": "https://evil.example"}, {"exp": 1}, {"sub": None},
    ],
)  # fmt: skip
def test_what_is_not_for_us_and_now_is_not_believed(home: House, far: OpenId, lie: dict[str, Any]) -> None:
    far.lie = lie
    client = home.client()
    assert goes(home, client).status_code == 403
    assert me(client) is None


def test_what_is_not_signed_by_its_keys_is_not_believed(home: House, far: OpenId) -> None:
    client = home.client()
    far.signs_with = new_key()
    assert goes(home, client).status_code == 403
    far.signs_with, far.algorithm = None, "none"
    assert goes(home, client).status_code == 403
    assert me(client) is None


def test_new_keys_are_looked_for_when_the_old_ones_do_not_fit(home: House, far: OpenId) -> None:
    goes(home, home.client())
    far.key = new_key()
    home.clock.advance(31)
    far.clock.advance(31)
    client = home.client()
    goes(home, client)
    assert me(client) == ("anna", "admin", True)
    assert far.asked_for_keys == 2


def test_only_the_browser_that_began_may_finish_and_only_once(home: House) -> None:
    victim, thief = home.client(), home.client()
    begun = thief.get("/admin/oidc/start")
    with httpx.Client(trust_env=False, timeout=60) as browser:
        back = to_node(home, browser.get(begun.headers["location"]).headers["location"])
    assert victim.get(back).status_code == 403
    assert me(victim) is None
    assert thief.get(back).status_code == 403  # it was used up


def test_a_sign_in_that_took_too_long_begins_again(home: House) -> None:
    client = home.client()
    begun = client.get("/admin/oidc/start")
    with httpx.Client(trust_env=False, timeout=60) as browser:
        back = to_node(home, browser.get(begun.headers["location"]).headers["location"])
    home.clock.advance(601)
    page = client.get(back)
    assert (page.status_code, "begin again" in page.text) == (403, True)


def test_what_the_provider_says_in_the_address_is_not_shown(home: House) -> None:
    page = home.client().get("/admin/oidc/callback", params={"error": "<script>alert(1)</script>", "state": "x"})
    assert page.status_code == 403
    assert "alert(1)" not in page.text


def test_who_stopped_there_is_told_so(home: House, far: OpenId) -> None:
    far.denies = "access_denied"
    page = goes(home, home.client())
    assert (page.status_code, "did not let you in" in page.text) == (403, True)


def test_a_local_account_works_while_the_provider_is_down(home: House, far: OpenId) -> None:
    home.add("break-glass", Role.ADMIN)
    assert home.doors.oidc
    home.doors.oidc.provider.issuer = "http://127.0.0.1:9"
    page = home.client().get("/admin/oidc/start")
    assert (page.status_code, "does not answer" in page.text) == (503, True)
    answer = home.client().post("/api/v1/session", json={"name": "break-glass", "password": PASSWORD})
    assert answer.status_code == 201


def test_a_removed_user_stays_out_and_a_taken_name_is_not_taken_over(home: House) -> None:
    home.add("anna", Role.VIEWER)
    client = home.client()
    goes(home, client)
    name, role, _ = me(client)
    assert (name.startswith("anna-"), role) == (True, "admin")
    home.add("root", Role.ADMIN)
    home.doors.people.remove(name)
    assert goes(home, home.client()).status_code == 403


def test_signing_out_leads_to_the_providers_logout(home: House, far: OpenId) -> None:
    client = home.client()
    goes(home, client)
    client.headers["X-CSRF-Token"] = client.get("/api/v1/session").json()["csrf"]
    then = client.delete("/api/v1/session").json()["then"]
    assert then.startswith(f"{far.issuer}/logout?id_token_hint=")
    assert "post_logout_redirect_uri=https%3A%2F%2Fnode.example%2Fadmin%2Fsign-in" in then


def test_with_a_provider_nobody_is_let_in_for_being_local(home: House) -> None:
    assert home.client().get("/api/v1/jobs").status_code == 401
