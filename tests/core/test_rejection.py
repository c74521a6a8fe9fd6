"""A rejected association is told in the words of PS3.8 table 9-21, with what to do."""

from __future__ import annotations

import pytest

from node.core.rejection import reason_and_cure


@pytest.mark.parametrize(
    ("fields", "said", "cure"),
    [
        ((1, 1, 1), ", no reason given", "its log may say why"),
        ((1, 1, 3), ", calling AE title not recognized", "admit NODE with the address of this machine there"),
        ((1, 1, 7), ", called AE title not recognized", "it is not called PACS: ask what its AE title is"),
        ((1, 2, 2), ", protocol version not supported", "is it a DICOM node that listens there?"),
        ((2, 3, 1), " for now, temporary congestion", "it has too much to do: try again later"),
    ],
)
def test_a_rejection_says_its_reason_and_the_cure(fields: tuple[int, int, int], said: str, cure: str) -> None:
    assert reason_and_cure(*fields, "NODE", "PACS") == (f"rejects the association{said}", cure)


@pytest.mark.parametrize("source", [1, 3, 9])
def test_numbers_that_the_standard_reserves_are_told_as_they_came(source: int) -> None:
    said, _ = reason_and_cure(1, source, 10, "NODE", "PACS")
    assert said == f"rejects the association, source {source}, reason 10"


def test_an_ae_title_with_braces_is_told_as_it_is() -> None:
    assert reason_and_cure(1, 1, 3, "{calling}{}", "PACS")[1].startswith("admit {calling}{} with")
