"""Every example in docs/rules.md does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from node.core.rules import FactValue, Severity, Subject, Truth, check_rule_set, decide, parse_rule_set

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
SET = "lists: {head: [HEAD, BRAIN]}"


def rows(heading: str) -> list[list[str]]:
    table = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def condition(text: str) -> dict[str, str]:
    return {"_set.yaml": SET, "10.yaml": f"name: example\nwhen:\n  {text.strip('`')}\nthen: [{{tag: seen}}]\n"}


FACTS = ("series.", "study.", "patient.", "ood.")


def series(text: str) -> Subject:
    datasets, facts = list[Dataset](), dict[str, FactValue]()
    for written in text.strip("`").split(" / "):
        ds = Dataset()
        for assignment in written.split("; ") if written != "missing" else ():
            name, _, value = assignment.partition("=")
            if name.startswith(FACTS):
                facts[name] = fact(value)
            elif name.endswith("Sequence"):
                setattr(ds, name, [coded(*value.split(":"))])
            else:
                ds[name] = raw(name, value)
        ds["SpecificCharacterSet"] = raw("SpecificCharacterSet", "ISO_IR 192")
        datasets.append(ds)
    return Subject(datasets, facts)


def fact(value: str) -> FactValue:
    if value in ("true", "false"):
        return value == "true"
    try:
        return float(value)
    except ValueError:
        return value.split("\\") if "\\" in value else value


def raw(keyword: str, value: str) -> RawDataElement:
    tag = Tag(tag_for_keyword(keyword) or 0)
    encoded = value.encode()
    return RawDataElement(tag, dictionary_VR(tag), len(encoded), encoded, 0, False, True)


def coded(scheme: str, value: str) -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator, item.CodeValue = scheme, value
    return item


@pytest.mark.parametrize("row", rows("Operators"), ids=lambda row: row[0])
def test_an_operator_answers_as_its_row_says(row: list[str]) -> None:
    rule_set = parse_rule_set(condition(row[0]))

    def truth(cell: str) -> Truth:
        verdict = decide(rule_set, series(cell)).outcomes[0].verdict
        assert verdict is not None
        return verdict.truth

    assert [truth(cell) for cell in row[1:]] == [Truth.TRUE, Truth.FALSE, Truth.UNKNOWN]


@pytest.mark.parametrize("row", rows("What is checked before a rule is used"), ids=lambda row: row[0])
def test_a_mistake_is_told_as_its_row_says(row: list[str]) -> None:
    mistakes = [mistake for mistake in check_rule_set(condition(row[0])) if mistake.severity is Severity.ERROR]
    assert [str(mistake).replace("`", "") for mistake in mistakes] == [f"10.yaml:3: {row[1].strip('`')}"]


def test_the_rule_files_on_the_page_are_a_rule_set_without_a_mistake() -> None:
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```yaml") == 6
    assert check_rule_set(dict(blocks), models=["mri_core_head"], destinations=["pacs"]) == ()
