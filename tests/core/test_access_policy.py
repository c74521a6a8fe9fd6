"""Roles and rights, which passwords are taken, how long who guesses waits, and the chain of the audit trail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.access import HIDDEN, LOCAL, RIGHTS, Actor, Right, Role, masked, shown
from node.core.access.addresses import is_loopback
from node.core.access.lockout import FORGET_AFTER, USER_ALLOWED, Failures, after_failure, wait_seconds
from node.core.access.passwords import weakness
from node.core.access.secrets import Lifetime, csrf_token, digest
from node.core.audit import GENESIS, Line, broken_links, link

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_each_role_may_what_the_one_before_may_and_more() -> None:
    steps = [RIGHTS[role] for role in Role]
    assert all(fewer < more for fewer, more in pairwise(steps))
    assert RIGHTS[Role.VIEWER] == {Right.READ}
    assert RIGHTS[Role.ADMIN] == set(Right)


@given(role=st.sampled_from(Role), scopes=st.frozensets(st.sampled_from(Right)), right=st.sampled_from(Right))
def test_a_token_may_no_more_than_its_owner_and_no_more_than_its_scopes(
    role: Role, scopes: frozenset[Right], right: Right
) -> None:
    owner, token = Actor("anna", role, True), Actor("anna", role, True, scopes)
    assert token.may(right) == (owner.may(right) and right in scopes)
    assert owner.in_person
    assert not token.in_person


def test_who_may_not_see_patients_sees_that_there_is_something() -> None:
    blind = replace(LOCAL, sees_patients=False)
    assert [shown(blind, "Yamada^Tarou"), shown(blind, ""), shown(LOCAL, "Yamada^Tarou")] == [
        HIDDEN,
        "",
        "Yamada^Tarou",
    ]


@dataclass(frozen=True)
class Found:
    patient_name: str = "Yamada^Tarou"
    patient_id: str = ""
    accession_number: str = "A-17"
    modality: str = "MR"


def test_a_line_is_masked_where_it_says_whose_it_is_and_nowhere_else() -> None:
    assert masked(replace(LOCAL, sees_patients=False), Found()) == Found(HIDDEN, "", HIDDEN, "MR")
    assert masked(LOCAL, Found()) == Found()


@pytest.mark.parametrize(
    "password",
    [
        "", "short", "elevenchars", "passwordpassword", "PasswordPassword", "Password1234", "qwertyuiop12",
        "aaaaaaaaaaaaaaaa", "abcdefghijklmnop", "mricore-node", "anna.schmidt1", "x" * 257, "１２３４５６７８９０１２",
    ],
)  # fmt: skip
def test_a_password_that_is_short_or_known_is_not_taken(password: str) -> None:
    assert weakness(password, "anna.schmidt")


@pytest.mark.parametrize(
    "password",
    [
        "mauve otters argue",
        "            but spaces",
        "пароль из слов",
        "zwölf Boxkämpfer",
        "山田さんの猫は三匹います！",
    ],
)
def test_a_long_password_is_taken_whatever_it_is_made_of(password: str) -> None:
    assert weakness(password, "anna") == ""


@given(st.integers(0, 60))
def test_each_wrong_sign_in_makes_the_wait_longer_and_none_for_ever(number: int) -> None:
    waits = [wait_seconds(Failures(one, NOON), USER_ALLOWED, NOON) for one in (number, number + 1)]
    assert waits[0] <= waits[1] <= 900
    assert waits[0] == 0 or number >= USER_ALLOWED
    assert wait_seconds(Failures(number, NOON), USER_ALLOWED, NOON + FORGET_AFTER) == 0


def test_a_failure_long_after_the_last_one_is_the_first_again() -> None:
    assert after_failure(Failures(30, NOON), NOON + FORGET_AFTER) == Failures(1, NOON + FORGET_AFTER)
    assert after_failure(Failures(30, NOON), NOON + timedelta(minutes=1)).number == 31


@pytest.mark.parametrize(
    ("since", "idle", "over"), [(0, 0, False), (59, 59, False), (60, 60, True), (719, 1, False), (720, 0, True)]
)
def test_a_session_ends_when_nobody_uses_it_and_when_it_is_old(since: int, idle: int, over: bool) -> None:
    now = NOON + timedelta(minutes=since)
    assert Lifetime().is_over(NOON, now - timedelta(minutes=idle), now) == over


def test_the_token_of_a_page_is_not_the_session_and_not_what_is_kept_of_it() -> None:
    assert len({"s", csrf_token("s"), digest("s"), csrf_token("t")}) == 4


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("192.0.2.1", False), ("10.0.0.1", False), ("node.example", False), ("localhost.evil.example", False),
     ("", False)],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) == here


def trail(length: int) -> list[tuple[int, str, str, Line]]:
    made, previous = [], GENESIS
    for number in range(1, length + 1):
        line = Line(NOON, "anna", "10.0.0.1", "job.retry", f"job {number}", "failed", "scheduled", "again")
        made.append((number, previous, link(previous, line), line))
        previous = made[-1][2]
    return made


@given(length=st.integers(1, 6), data=st.data())
def test_a_line_that_is_changed_left_out_or_put_in_shows(length: int, data: st.DataObject) -> None:
    lines = trail(length)
    assert broken_links(lines) == ()
    at = data.draw(st.integers(0, length - 1))
    number, previous, told, line = lines[at]
    name = data.draw(st.sampled_from(["actor", "address", "what", "object", "before", "after", "reason"]))
    forged = replace(line, **{name: getattr(line, name) + "x"})
    assert broken_links([*lines[:at], (number, previous, told, forged), *lines[at + 1 :]]) != ()
    assert broken_links([*lines[:at], *lines[at + 1 :]]) != () or at == length - 1
    again = (number, previous, link(previous, forged), forged)
    assert broken_links([*lines[:at], again, *lines[at + 1 :]]) != () or at == length - 1


def test_what_moves_from_one_field_to_the_next_is_another_line() -> None:
    one = Line(NOON, "anna", "", "job.retry", "job 1", "a", "b", "")
    assert link(GENESIS, one) != link(GENESIS, replace(one, before="ab", after=""))
    assert link(GENESIS, one) != link(GENESIS, replace(one, ok=False))
