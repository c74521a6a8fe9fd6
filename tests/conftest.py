"""Fixtures for every floor; tests marked `slow` run when MRICORE_SLOW_TESTS=1 (`make test-slow`)."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["tests.triton_fixture", "tests.receiving", "tests.archive", "tests.bench", "tests.browser"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("MRICORE_SLOW_TESTS") == "1":
        return
    later = pytest.mark.skip(reason="slow: make test-slow runs it")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(later)
