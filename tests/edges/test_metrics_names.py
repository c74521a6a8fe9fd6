"""Names of metrics, by the conventions that Prometheus' own linter knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from node.adapters.database import Database, deliveries, feeds, pauses
from node.adapters.database import notices as rows
from node.adapters.files import Files
from node.core.breaker import Breaker
from node.core.notices import Kind, Severity, Sighting, Told
from node.pipeline.models import Models
from node.web.metrics import Sources, exposition
from tests.fakes import FakeModels
from tests.waiting import NOON, wait

_NAME = re.compile(r"mricore(_[a-z][a-z0-9]*)+")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")
_NOT_BASE = re.compile(r"_(ms|milliseconds|minutes|hours|days|kb|mb|gb|kilobytes|megabytes|percent|celsius)(_|$)")
_TYPES_IN_NAMES = re.compile(r"_(gauge|counter|summary|histogram|untyped)(_|$)")
_RESERVED = {"le", "quantile", "job", "instance"}


def faults(text: str) -> Iterator[str]:
    """What promtool's `check metrics` would say, and a little more."""
    families: list[Metric] = list(text_string_to_metric_families(text))
    seen: set[str] = set()
    for family in families:
        name = family.name
        if name in seen:
            yield f"{name} is there twice"
        seen.add(name)
        if not _NAME.fullmatch(name):
            yield f"{name} is not mricore_words_like_these"
        if not family.documentation or family.documentation.endswith("."):
            yield f"{name} has no help, or one that ends with a dot"
        if family.type not in ("gauge", "counter"):
            yield f"{name} is {family.type}"
        if _NOT_BASE.search(name) or _TYPES_IN_NAMES.search(name):
            yield f"{name} is not in base units, or names its type"
        if re.search(r"_(total|count|sum|bucket|info)$", name):
            yield f"{name} has the end of another type"
        yield from _samples(family)


def _samples(family: Metric) -> Iterator[str]:
    for sample in family.samples:
        if family.type == "counter" and not sample.name.endswith("_total"):
            yield f"the counter {sample.name} does not end with _total"
        for label in sample.labels:
            if not _LABEL.fullmatch(label) or label in _RESERVED or label in family.name.split("_")[-1:]:
                yield f"{sample.name} has a label {label}"
        if family.type == "counter" and sample.value < 0:
            yield f"{sample.name} is below zero"


def test_every_metric_of_a_busy_node_has_a_proper_name(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    database.migrate()
    wait(database, "a")
    pauses.pause(database, pauses.MODEL, "head", "anna", NOON)
    feeds.note_fault(database, "archive", "it does not answer", NOON)
    deliveries.step(database, "pacs", lambda _: Breaker(3, NOON, NOON, "down"))
    rows.sighted(database, [Sighting(Kind.FAILED, "", Severity.WARNING, "one job failed")], NOON)
    (alarm,) = rows.page(database, None, 1)
    rows.note_told(database, alarm, "it", Told(1, True, 1, Severity.WARNING, NOON), "raised", "one job failed")
    text = exposition(Sources(database, Files(tmp_path / "instances", 0), cast("Models", FakeModels()))).decode()
    database.close()
    assert text.count("# TYPE") >= 20
    assert list(faults(text)) == []


def test_the_linter_finds_what_it_is_for() -> None:
    wrong = (
        "# HELP mricore_wait_ms Wait.\n# TYPE mricore_wait_ms gauge\nmricore_wait_ms 1\n"
        '# TYPE mricoreJobs gauge\nmricoreJobs{instance="a"} 1\n'
    )
    assert len(list(faults(wrong))) >= 5
