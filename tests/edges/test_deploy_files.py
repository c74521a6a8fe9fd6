"""Dockerfiles, scripts, alerts and dashboards in deploy/: linted by those who read them, and true to the node."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from node.adapters import viewer
from tests.edges.test_deploy_compose import DEPLOY, program
from tests.processes import PATIENCE_S, REPOSITORY

DOCKERFILES = sorted(DEPLOY.glob("Dockerfile*"))
SCRIPTS = sorted([*DEPLOY.glob("*.sh"), *DEPLOY.glob("docker/*.sh"), REPOSITORY / ".ci" / "run"])
_METRIC = re.compile(r"\bmricore_[a-z_]+")


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    run(program("hadolint"), "--failure-threshold", "info", file)


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_shellcheck_has_nothing_to_say(file: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs the Debian package shellcheck")
    run("shellcheck", file)
    assert os.access(file, os.X_OK) or file.name == "run"


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_what_a_dockerfile_copies_is_in_the_context(file: Path) -> None:
    let_in = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        name
        for line in file.read_text().splitlines()
        if line.startswith("COPY") and "--from" not in line
        for name in [part for part in line.split()[1:-1] if not part.startswith("--")]
    ]
    assert copied
    for name in copied:
        assert (REPOSITORY / name).exists(), name
        assert any(name == one or name.startswith(f"{one}/") for one in let_in), f"{name} is not let in"


def test_the_viewer_in_the_image_is_the_pinned_one() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert f"npm pack {viewer.PACKAGE}@{viewer.VERSION} " in text
    assert f"ohif-app-{viewer.VERSION}.tgz" in text


def test_the_images_have_a_user_of_their_own_and_all_dependencies_of_this_release() -> None:
    for file in DOCKERFILES:
        text = file.read_text()
        assert "--constraint constraints.txt" in text
        assert re.findall(r"^USER (.*)", text, re.MULTILINE)[-1] == "10001:10001"
        assert all(":" in image for image in re.findall(r"^(?:FROM|ARG BASE=)\s*([^$\s]\S*)", text, re.MULTILINE))


def test_secrets_are_made_once_and_each_site_has_its_own(tmp_path: Path) -> None:
    said = run("sh", DEPLOY / "secrets.sh", tmp_path / "one", "node.example")
    run("sh", DEPLOY / "secrets.sh", tmp_path / "two", "node.example")
    first = {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()}
    assert {line.split(":")[0].strip() for line in _secret_files()} == set(first)
    assert not any(content.decode() in said for content in first.values())
    assert run("sh", DEPLOY / "secrets.sh", tmp_path / "one", "node.example") == ""
    assert {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()} == first
    second = {file.name: file.read_bytes() for file in (tmp_path / "two").iterdir()}
    assert all(first[name] != second[name] for name in first)
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0


def _secret_files() -> Iterator[str]:
    text = (DEPLOY / "compose.yaml").read_text()
    yield from re.findall(r"\{file: secrets/([^}]+)\}", text)


# --- what Prometheus and Grafana ask


def _said_by_the_node() -> set[str]:
    """Names of all metrics, by what the modules that say them hold."""
    found = set[str]()
    for file in [
        *(REPOSITORY / "node" / "web").glob("metrics*.py"),
        *(REPOSITORY / "node" / "web").glob("metrics/*.py"),
    ]:
        text = file.read_text()
        found |= set(re.findall(r'"(mricore_[a-z_]+)"', text))
        found |= {f"{name}_total" for name in re.findall(r'CounterMetricFamily\(\s*"(mricore_[a-z_]+)"', text)}
        for counted in re.findall(r"_COUNTED: .*?\n\)\n", text, re.DOTALL):  # of Triton
            found |= {f"mricore_triton_{name}_total" for name in re.findall(r'\(\s*"([a-z_]+)",', counted)}
    return found


def _alerts() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load(DEPLOY / "prometheus" / "alerts.yaml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "mricore.json").read_text())
    return found


def test_every_metric_that_is_asked_for_is_one_that_the_node_says() -> None:
    said = _said_by_the_node()
    assert "mricore_ledger_residue_instances" in said
    asked = {name for rule in _alerts() for name in _METRIC.findall(rule["expr"])}
    asked |= {
        name
        for panel in _dashboard()["panels"]
        for target in panel["targets"]
        for name in _METRIC.findall(target["expr"])
    }
    assert asked <= said, asked - said


def test_an_alert_says_what_and_what_to_do() -> None:
    alerts = _alerts()
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "warn"), rule["alert"]


def test_prometheus_takes_rules_and_configuration() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs the Debian package prometheus")
    run("promtool", "check", "rules", DEPLOY / "prometheus" / "alerts.yaml")
    run("promtool", "check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yaml")


def test_the_alerts_ring_when_they_should_and_are_silent_when_all_is_well(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs the Debian package prometheus")
    shutil.copyfile(DEPLOY / "prometheus" / "alerts.yaml", tmp_path / "alerts.yaml")
    shutil.copyfile(DEPLOY / "prometheus" / "alerts_test.yaml", tmp_path / "alerts_test.yaml")
    run("promtool", "test", "rules", tmp_path / "alerts_test.yaml")
    assert {one["name"] for one in _tests()} == {"all is well", *(rule["alert"] for rule in _alerts())}


def _tests() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = YAML(typ="safe").load(DEPLOY / "prometheus" / "alerts_test.yaml")["tests"]
    return found


def test_panels_have_room_and_a_name_of_their_own() -> None:
    panels = _dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
