"""People are found whatever the case, the accents, the order or the script in which their names are typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.dicomweb.names import fits, folded, groups, wanted


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("muller", "Müller^Eva"),
        ("MUELLER", "Müller^Eva"),
        ("Müller", "Mueller^Eva"),
        ("eva mul", "Müller^Eva"),
        ("Éva^Muller", "Müller^Eva"),
        ("yamada tarou", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("山田", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("やまだ", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("lyuksemburg", "Люксембург^Роза"),
        ("люкс", "ЛЮКСЕМБУРГ"),
        ("gildong", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("홍", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("brien", "O'Brien^Pat"),
        ("papadop gio", "Παπαδόπουλος^Γιώργος"),
        ("strasse", "Straße"),
    ],
)
def test_a_person_is_found(asked: str, name: str) -> None:
    assert fits(wanted(asked), name)


@pytest.mark.parametrize(
    ("asked", "name"),
    [("muller", "Miller^Eva"), ("eva maier", "Müller^Eva"), ("ller", "Müller^Eva"), ("noel", "Nolan")],
)
def test_another_person_is_not(asked: str, name: str) -> None:
    assert not fits(wanted(asked), name)


def test_literal_matching_sees_each_component_group() -> None:
    assert groups("Yamada^Tarou^^=山田^太郎") == "=yamada^tarou=山田^太郎="
    assert groups("") == ""


@given(st.text(max_size=64))
def test_every_name_is_found_by_itself(name: str) -> None:
    assert fits(wanted(name), name)


@given(st.text(max_size=64))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
