"""What a node is made of: named in its bill of materials, with licences that a hospital may use."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import REPOSITORY
from tests.sbom import bill, licences, release

_ONLY_LINKED_TO = {"orthanc-api-client", "psycopg", "psycopg-binary"}  # LGPL: used as they are, unchanged
_COPYLEFT = re.compile(r"\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)
_LESSER = re.compile(r"\bLGPL|Lesser General Public", re.IGNORECASE)


def test_nothing_that_is_installed_with_the_node_is_under_the_gpl() -> None:
    for name in sorted(release()):
        said = licences(name)
        assert said, f"{name} does not say its licence"
        assert not _COPYLEFT.search(said), f"{name}: {said}"
        assert bool(_LESSER.search(said)) == (name in _ONLY_LINKED_TO), f"{name}: {said}"


def test_the_expressions_tell_the_gpl_from_what_is_not() -> None:
    for said in ("GPL-3.0-or-later", "GNU General Public License v2", "AGPL-3.0", "GNU Affero General Public License"):
        assert _COPYLEFT.search(said), said
    for said in ("LGPL-3.0-only", "GNU Lesser General Public License v3 (LGPLv3)", "MIT"):
        assert not _COPYLEFT.search(said), said


def test_the_bill_of_materials_names_what_an_installed_node_has_and_nothing_else() -> None:
    if not (Path(sys.executable).parent / "cyclonedx-py").exists():
        pytest.skip("cyclonedx-bom is not installed: pip install '.[deploy]'")
    found = bill()
    components = {canonicalize_name(one["name"]): one for one in found["components"]}
    assert set(components) == release()
    for name, one in components.items():
        assert one["version"] == metadata.version(name), name
        assert one["purl"].startswith("pkg:pypi/"), name
        assert one.get("licenses"), name
    assert found["bomFormat"] == "CycloneDX"


def test_every_version_that_an_installed_node_has_is_pinned() -> None:
    pinned = {}
    for line in (REPOSITORY / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            one = Requirement(line)
            pinned[canonicalize_name(one.name)] = next(iter(one.specifier)).version
    for name in sorted(release() - {"nvidia-pytriton"}):  # the Makefile pins it
        assert pinned.get(canonicalize_name(name)) == metadata.version(name), name
