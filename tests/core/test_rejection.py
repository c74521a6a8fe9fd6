"""A rejected association is told in the words of PS3.8 table 9-21, with what to do."""

from __future__ import annotations

import pytest

from node.core.rejection import sentence


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            (1, 1, 3),
            "rejects the association, calling AE title not recognized: "
            "admit NODE with the address of this machine there",
        ),
        (
            (1, 1, 7),
            "rejects the association, called AE title not recognized: it is not called PACS: ask what its AE title is",
        ),
        ((1, 1, 1), "rejects the association, no reason given: its log may say why"),
        ((1, 2, 2), "rejects the association, protocol version not supported: is it a DICOM node that listens there?"),
        (
            (2, 3, 1),
            "rejects the association for now, temporary congestion: it has too much to do: try again later",
        ),
    ],
)
def test_a_rejection_says_its_reason_and_the_cure(fields: tuple[int, int, int], said: str) -> None:
    assert sentence(*fields, "NODE", "PACS") == said


@pytest.mark.parametrize("source", [1, 3, 9])
def test_numbers_that_the_standard_reserves_are_told_as_they_came(source: int) -> None:
    said = sentence(1, source, 10, "NODE", "PACS")
    assert said == f"rejects the association, source {source}, reason 10: its log may say why"


def test_an_ae_title_with_braces_is_told_as_it_is() -> None:
    assert "admit {calling}{} with" in sentence(1, 1, 3, "{calling}{}", "PACS")
