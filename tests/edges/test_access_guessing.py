"""Who guesses: passwords, and credentials that do not count."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from node.core.access import Role
from node.web.access.wrong import Wrong
from tests.clock import Clock
from tests.doors import PASSWORD, House, home, house, lived_in, sign_in, token_of, told
from tests.receiving import Store
from tests.waiting import NOON

__all__ = ["home", "lived_in"]


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


# Credentials that do not count


OLD = {"Authorization": "Bearer mricore_of-a-year-ago"}


def test_who_shows_a_token_that_does_not_count_again_and_again_is_told_to_wait(lived_in: House) -> None:
    client = lived_in.client()

    def ask() -> tuple[int, str | None]:
        answer = client.get("/api/v1/jobs", headers=OLD)
        return answer.status_code, answer.headers.get("Retry-After")

    assert [ask() for _ in range(22)] == [(401, None)] * 20 + [(429, "15")] * 2
    lived_in.clock.advance(16)
    assert [ask(), ask()] == [(401, None), (429, "30")]
    assert told(lived_in, "session.locked_out") == []  # nobody's name was tried


def test_whoever_shares_the_address_with_it_is_let_in(lived_in: House) -> None:
    client, right = lived_in.client(), token_of(lived_in, "anna", "read")
    for _ in range(21):
        client.get("/api/v1/jobs", headers=OLD)
    assert client.get("/api/v1/jobs", headers=OLD).status_code == 429
    assert client.get("/api/v1/jobs", headers=right).status_code == 200
    assert client.get("/api/v1/jobs", headers={"Authorization": "Bearer mricore_another"}).status_code == 401
    assert client.get("/api/v1/jobs").status_code == 401
    assert sign_in(lived_in.client(), "anna", PASSWORD).status_code == 201


def test_a_browser_whose_session_ended_is_led_to_the_sign_in_however_often_it_asks(lived_in: House) -> None:
    client = lived_in.client(cookies={"mricore-session": "over"})
    for _ in range(21):
        client.get("/api/v1/jobs")
    assert client.get("/api/v1/jobs").status_code == 429
    assert client.get("/admin/", headers={"Accept": "text/html"}).status_code == 303
    assert client.get("/admin/sign-in").status_code == 200


def test_many_different_ones_from_an_address_are_slowed_down_and_another_address_is_not() -> None:
    clock = Clock(NOON)
    wrong = Wrong(clock)
    assert {wrong.count(f"token {number}", "192.0.2.1") for number in range(200)} == {0}
    assert wrong.count("one more", "192.0.2.1") == 15
    assert wrong.count("one more", "192.0.2.2") == 0
    clock.advance(3600)
    assert wrong.count("much later", "192.0.2.1") == 0


def test_who_is_turned_away_is_counted_like_everybody(store: Store, tmp_path: Path) -> None:
    http = {"behind_proxy": True, "proxies": ["127.0.0.1"], "requests_per_second": 0.001, "burst": 3}
    with house(store, tmp_path, http=http) as home:
        home.add("anna", Role.ADMIN)

        def ask(client: str) -> httpx.Response:
            return home.client().get("/api/v1/jobs", headers={**OLD, "X-Forwarded-For": client})

        assert [ask("10.9.8.7").status_code for _ in range(4)] == [401, 401, 401, 429]
        refused = ask("10.9.8.7")
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert ask("10.9.8.6").status_code == 401
