"""deploy/compose.yaml as Docker Compose itself reads it: who reaches whom, and what nobody may."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from node.config import load
from tests.processes import PATIENCE_S, REPOSITORY

DEPLOY = REPOSITORY / "deploy"
_PROFILES = {"gpu": ["gpu", "demo", "monitoring"], "cpu": ["cpu", "demo", "monitoring"]}
_OURS = ("receive", "work", "web", "models", "plans", "triton", "triton-cpu")


def program(name: str) -> Path:
    """One that came with the packages of the extra `deploy`."""
    found = Path(sys.executable).parent / name
    if not found.exists():
        pytest.skip(f"{name} is not installed: pip install '.[deploy]'")
    return found


@pytest.fixture(scope="module", params=sorted(_PROFILES))
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole file of a flavour, resolved and validated by Docker Compose."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DEPLOY, folder / "deploy")
    profiles = [part for one in _PROFILES[request.param] for part in ("--profile", one)]
    command = [program("docker-compose"), "-f", folder / "deploy" / "compose.yaml", *profiles, "config"]
    done = subprocess.run(
        [*map(str, command), "--format", "json"], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def networks(service: dict[str, Any]) -> set[str]:
    return set(service.get("networks") or ())


def test_every_service_is_held_down(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in one["security_opt"], name
        assert re.fullmatch(r"[1-9]\d*:\d+", one["user"]), name
        assert not one.get("privileged"), name
        assert "docker.sock" not in json.dumps(one), name
        limits = one["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= set(limits), name
        assert one["logging"]["options"]["max-size"], name


def test_every_service_that_stays_says_whether_it_is_well(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        stays = one.get("restart") != "no"
        in_image = name in ("receive", "work", "web")  # HEALTHCHECK of the Dockerfile
        assert not stays or in_image or one["healthcheck"]["test"], name


def test_versions_are_pinned(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        image, _, tag = one["image"].rpartition(":")
        assert image, name
        assert re.match(r"v?\d+\.\d+", tag), f"{name}: {one['image']}"


def test_triton_is_reached_from_work_alone(project: dict[str, Any]) -> None:
    on_it = {name for name, one in project["services"].items() if "inference" in networks(one)}
    assert on_it - {"triton", "triton-cpu"} == {"work"}
    assert project["networks"]["inference"]["internal"] is True
    for name in ("triton", "triton-cpu"):
        if one := project["services"].get(name):
            assert networks(one) == {"inference"}
            assert not one.get("ports")
            assert one["networks"]["inference"]["aliases"] == ["triton"]


def test_the_database_is_reached_from_the_node_alone(project: dict[str, Any]) -> None:
    on_it = {name for name, one in project["services"].items() if "data" in networks(one)}
    assert on_it == {"database", "receive", "work", "web"}
    assert project["networks"]["data"]["internal"] is True
    assert not project["services"]["database"].get("ports")


def test_what_is_published_is_dicom_and_tls_and_all_else_is_this_machines(project: dict[str, Any]) -> None:
    open_ports = {
        (name, port["target"])
        for name, one in project["services"].items()
        for port in one.get("ports", ())
        if port.get("host_ip") != "127.0.0.1"
    }
    assert open_ports == {("receive", 11112), ("nginx", 8443), ("nginx", 8080)}


def test_who_delivers_and_who_tests_destinations_reach_the_neighbour(project: dict[str, Any]) -> None:
    for name in ("work", "web"):
        assert networks(project["services"][name]) & networks(project["services"]["orthanc"]), name


def test_nginx_looks_for_the_node_anew_when_its_containers_were_replaced(project: dict[str, Any]) -> None:
    assert all(project["services"]["nginx"]["depends_on"][name]["restart"] for name in ("web", "receive"))


def test_secrets_are_files_and_stand_in_no_environment(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        for key, value in (one.get("environment") or {}).items():
            if re.search(r"password|token|secret|key", key, re.IGNORECASE):
                assert str(value).startswith("/run/secrets/"), f"{name}: {key}"
    assert all(set(secret) <= {"name", "file"} for secret in project["secrets"].values())


def test_shared_memory_is_enough_for_the_python_backend(project: dict[str, Any]) -> None:
    served = [one for name, one in project["services"].items() if name in ("triton", "triton-cpu", "plans")]
    assert all(int(one["shm_size"]) >= 1 << 30 for one in served)


def test_plans_are_built_before_a_gpu_serves_and_never_without_one(project: dict[str, Any]) -> None:
    services = project["services"]
    if "triton" not in services:
        assert "plans" not in services
        assert services["triton-cpu"]["environment"]["MRICORE_FLAVOUR"] == "cpu"
        return
    assert services["triton"]["depends_on"]["plans"]["condition"] == "service_completed_successfully"
    assert services["plans"]["depends_on"]["models"]["condition"] == "service_completed_successfully"
    for name in ("plans", "triton"):
        (device,) = services[name]["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]


def test_the_node_takes_the_settings_that_its_containers_get(
    project: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("database_password", "pass"), ("triton_token", "opens"), ("destination_password", "d")):
        (tmp_path / name).write_text(content)
    text = (DEPLOY / "docker" / "node.toml").read_text().replace("/run/secrets", str(tmp_path))
    (tmp_path / "node.toml").write_text(text)
    for name in ("receive", "work", "web"):
        environment = {
            key: value.replace("/run/secrets", str(tmp_path))
            for key, value in project["services"][name]["environment"].items()
        }
        settings = load(tmp_path / "node.toml", environment)
        assert settings.database_url == "postgresql+psycopg://mricore:pass@database/mricore"
        assert settings.triton.token.get_secret_value() == "opens"
        assert settings.destination[0].password.get_secret_value() == "d"
        edge = project["networks"]["edge"]["ipam"]["config"][0]["subnet"]
        assert settings.http.proxies == (edge,)
        assert settings.process_id == name


def test_what_a_service_mounts_is_there(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        for mount in one.get("volumes", ()):
            if mount["type"] == "bind" and not mount["source"].endswith(("deploy/node.toml", "/dicom_rules")):
                assert Path(mount["source"]).exists(), f"{name}: {mount['source']}"
                assert mount["read_only"], f"{name}: {mount['source']}"
            if mount["type"] == "volume":
                assert mount["source"] in project["volumes"], name


def test_roles_share_instances_and_have_a_folder_of_their_own(project: dict[str, Any]) -> None:
    own = set()
    for name in ("receive", "work", "web"):
        mounts = {mount["target"]: mount["source"] for mount in project["services"][name]["volumes"]}
        assert mounts["/srv/mricore/instances"] == "instances"
        own.add(mounts["/var/lib/mricore"])
    assert own == {"receive", "work", "web"}


def test_ours_are_built_here_and_all_of_one_release(project: dict[str, Any]) -> None:
    from node import __version__

    for name in _OURS:
        if one := project["services"].get(name):
            assert one["image"].endswith(f":{__version__}"), name
            assert (REPOSITORY / one["build"]["dockerfile"]).is_file(), name
