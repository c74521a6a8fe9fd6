"""The node as a wheel, in an environment of its own: nothing of the checkout is near."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.processes import PATIENCE_S, REPOSITORY
from tests.wheels import SERVER, build, environment

_NOT_SHIPPED = ("tests/", "benchmarks/", "docs/", "var/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_models_rules_settings_and_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    here = {"dicom_rules": "node/shipped/dicom_rules", "triton_models": "node/shipped/triton_models", "node": "node"}
    for folder, place in here.items():
        for file in (REPOSITORY / folder).rglob("*"):
            within = file.relative_to(REPOSITORY / folder)
            if file.is_file() and not {"__pycache__", "shipped"} & set(file.parts) and not _made_here(file):
                assert f"{place}/{within}" in names
    for name in ("deploy/node.example.toml", "deploy/install.sh", "deploy/systemd/mricore.service", "constraints.txt"):
        assert f"node/shipped/{name}" in names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(_NOT_SHIPPED)]


def _made_here(file: Path) -> bool:
    """By building a plan on this machine, for its own GPU."""
    return file.suffix == ".plan" or file.name in ("plan.json", "timing.cache")


def test_a_wheel_made_from_the_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build(tmp_path, "sdist")) as packed:
        packed.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("mricore_node-*/")
    with zipfile.ZipFile(wheel) as made:
        for name in made.namelist():
            if name.startswith("node/shipped/") or (name.startswith("node/") and not name.endswith(".py")):
                source = name.removeprefix("node/shipped/") if "shipped" in name else name
                assert (unpacked / source).read_bytes() == made.read(name)


def test_installed_into_an_empty_environment_it_runs_the_main_job(wheel: Path, tmp_path: Path) -> None:
    if SERVER not in {one.metadata["Name"] for one in metadata.distributions()}:
        pytest.skip(f"{SERVER} is not installed")
    programs = environment(tmp_path / "environment", wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out = elsewhere / "out.json"
    done = _run(elsewhere, programs / "mricore-node", "demo", "--once", "--json", str(out))
    assert done.returncode == 0, done.stderr[-3000:]
    outcome = json.loads(out.read_text())
    assert [one["state"] for one in outcome["series"]] == ["delivered"]
    assert outcome["node"]["data_dir"] == str(elsewhere / "var" / "demo")


def test_without_the_servers_wheel_the_demonstration_says_how_to_get_it(wheel: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "environment", wheel, server=False)
    done = _run(tmp_path, programs / "mricore-node", "demo", "--once")
    assert done.returncode == 2
    assert "pip install --no-deps nvidia-pytriton==" in done.stderr
    assert "Traceback" not in done.stderr


def _run(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    outside = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MRICORE", "VIRTUAL"))}
    return subprocess.run(
        [*map(str, command)], cwd=folder, env=outside, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
