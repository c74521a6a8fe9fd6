"""The documentation is a site whose links all lead somewhere, and its reference is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / "docs"


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the site is built with the extra docs")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(_DOCS), str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site" / "conformance-statement.html").is_file()


def test_the_reference_is_what_the_code_says(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, str(_DOCS / "reference.py"), str(tmp_path / "docs" / "reference")],
        capture_output=True,
        text=True,
        check=False,
        cwd=_ROOT,
    )
    assert made.returncode == 0, made.stderr
    for name in ("reference/configuration.md", "reference/commands.md", "reference/api.md", "conformance-statement.md"):
        now, there = (tmp_path / "docs" / name).read_text(), (_DOCS / name).read_text()
        assert now == there, f"docs/{name} is not up to date: make docs"
