"""Fixtures for every floor."""

pytest_plugins = ["tests.triton_fixture", "tests.receiving", "tests.archive", "tests.bench"]
