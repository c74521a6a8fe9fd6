"""Fixtures for every floor; tests marked `slow` run when MRICORE_SLOW_TESTS=1 (`make test-slow`)."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.triton_fixture", "tests.receiving", "tests.archive", "tests.bench", "tests.browser"]

# An example that takes long is no fault: the machine may be busy. What decides whether a change lands (.ci/run) says
# the same of the same tree each time; everywhere else new examples are looked for.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("patient")


# Files that take a minute or more begin first, the longest before the others: nobody waits for one of them at the end.
_LONG = [
    "test_job_faults", "test_validators", "test_docs_commands", "test_backup", "test_plan", "test_network",
    "test_network_cut", "test_cli_trace", "test_cli_usage", "test_roles", "test_restart", "test_wheel",
    "test_gpu_benchmark", "test_likeness", "test_destination_peers", "test_drill", "test_dicomweb_delete",
    "test_check", "test_bad_files", "test_geometry_phantoms", "test_backup_drill", "test_replica_faults",
    "test_training", "test_docs_site", "test_crash", "test_graceful_stop", "test_upgrade", "test_secrets",
    "test_pages_rules", "test_viewer_browser",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _LONG.index(item.path.stem) if item.path.stem in _LONG else len(_LONG))
    asked_for = os.environ.get("MRICORE_SLOW_TESTS") == "1"
    late = pytest.mark.timeout(3600) if asked_for else pytest.mark.skip(reason="slow: make test-slow runs it")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(late)
