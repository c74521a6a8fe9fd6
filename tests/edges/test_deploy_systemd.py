"""The units of a bare server: what systemd says of them, and that what they start is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from node.cli import entry
from tests.processes import PATIENCE_S, REPOSITORY

UNITS = REPOSITORY / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
_EXPOSURE = 1.5  # of 10; systemd calls 2 OK


def _systemd_analyze(*arguments: object) -> str:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs the Debian package systemd")
    done = subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_systemd_finds_a_unit_hardly_exposed(unit: Path) -> None:
    said = _systemd_analyze("security", "--offline=true", unit)
    (figure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert float(figure) <= _EXPOSURE, said


@pytest.mark.parametrize("unit", sorted(UNITS.iterdir()), ids=lambda unit: unit.name)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    if unit.suffix == ".env":
        pytest.skip("no unit")
    name = unit.name.replace("@.", "@work.")
    text = unit.read_text().replace("/opt/mricore/current/bin/mricore-node", "/bin/true")
    for other in UNITS.iterdir():  # a timer names its service
        shutil.copyfile(other, tmp_path / other.name)
    (tmp_path / name).write_text(text)
    said = _systemd_analyze("verify", "--man=no", tmp_path / name)
    assert not [line for line in said.splitlines() if str(tmp_path / name) in line or "Unknown" in line], said


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_what_a_unit_starts_is_a_command_that_there_is(unit: Path) -> None:
    (command,) = re.findall(r"^ExecStart=/opt/mricore/current/bin/mricore-node (.*)", unit.read_text(), re.MULTILINE)
    name, *arguments = command.replace("%i", "work").split()
    found = entry.get_command(click.Context(entry), name)
    assert found is not None
    found.make_context(name, arguments)  # raises for an option that it does not have


def test_roles_have_a_folder_and_a_name_of_their_own() -> None:
    text = (UNITS / "mricore@.service").read_text()
    assert "MRICORE_NODE__DATA_DIR=/var/lib/mricore/%i" in text
    assert "MRICORE_JOBS__PROCESS=%i" in text
    assert "StateDirectory=mricore/%i" in text
