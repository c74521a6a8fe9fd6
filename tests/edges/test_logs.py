"""Logs: one line an event, and no way in for patient data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
import structlog

from node import logs
from node.logs import configure


@pytest.fixture
def stream() -> Iterator[StringIO]:
    """What is logged while the test runs."""
    written = StringIO()
    before = structlog.get_config()
    configure(verbose=True, stream=written)
    yield written
    structlog.configure(**before)


def test_an_event_is_one_line_with_its_time_and_level(stream: StringIO) -> None:
    structlog.get_logger("test").info("series complete", instances=35, series_instance_uid="1.2.3")
    (line,) = stream.getvalue().splitlines()
    for words in ("series complete", "info", "instances=35", "series_instance_uid=1.2.3", "Z"):
        assert words in line


@pytest.mark.parametrize("key", ["patient_name", "patient_id", "ds", "header", "value", "patient"])
def test_a_key_that_is_not_on_the_list_is_dropped(stream: StringIO, key: str) -> None:
    structlog.get_logger("test").warning("careless", **{key: "Doe^Jane"})
    assert "Doe" not in stream.getvalue()
    assert "careless" in stream.getvalue()


def test_no_line_of_the_node_has_a_key_that_would_be_dropped() -> None:
    said = {"debug", "info", "warning", "error", "exception", "critical"}
    node = Path(logs.__file__).parent
    dropped = [
        f"{file.relative_to(node)}:{call.lineno}: {keyword.arg}"
        for file in node.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in said
        for keyword in call.keywords
        if keyword.arg not in logs.ALLOWED
    ]
    assert dropped == []


def test_a_traceback_shows_no_local_variables(stream: StringIO) -> None:
    try:
        _fail("^".join(("Doe", "Jane")))
    except ZeroDivisionError:
        structlog.get_logger("test").exception("broke")
    assert "ZeroDivisionError" in stream.getvalue()
    assert "Doe^Jane" not in stream.getvalue()


def _fail(patient_name: str) -> float:
    return len(patient_name) / 0


def test_without_verbose_only_what_somebody_should_look_at_is_written() -> None:
    written = StringIO()
    before = structlog.get_config()
    configure(verbose=False, stream=written)
    structlog.get_logger("test").info("usual")
    structlog.get_logger("test").warning("unusual")
    structlog.configure(**before)
    assert "usual" in written.getvalue()
    assert len(written.getvalue().splitlines()) == 1
