"""The chart as Helm itself lints and renders it: what comes out is held down, and true to the node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from node import __version__
from node.config import load
from tests.processes import REPOSITORY

helm = pytest.importorskip("helm_python", reason="needs the extra deploy")

CHART = REPOSITORY / "deploy" / "helm" / "mricore-node"
_NEEDED: dict[str, Any] = {"database": {"host": "postgres", "passwordSecret": "mricore-database"}}
_ALL = {
    **_NEEDED,
    "rules": {"10-head.yaml": "name: head\n"},
    "secrets": [{"name": "pacs", "mountPath": "/run/secrets/pacs"}],
    "ingress": {"stowHost": "stow.example"},
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
}


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values=values, name="node")
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [one for text in texts for one in YAML(typ="safe").load_all(text) if one]


def of(kind: str, documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == kind}


def containers(documents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name, container, pod) of every container, those that come before the others too."""
    for name, one in of("Deployment", documents).items():
        pod = one["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            yield f"{name}/{container['name']}", container, pod


@pytest.fixture(scope="module", params=["gpu", "cpu"])
def documents(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return rendered({**_ALL, "triton": {"flavour": request.param}})


def test_helm_has_nothing_to_say() -> None:
    for values in (_NEEDED, _ALL):
        found = helm.lint(str(CHART), values=values)
        assert found["errors"] == []
        assert [one["error"] for one in found["messages"] if one["severity"] > 1] == []


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({}, "/database/host"),
        ({**_NEEDED, "databse": {}}, "databse"),
        ({**_NEEDED, "triton": {"flavour": "tpu"}}, "/triton/flavour"),
        ({**_NEEDED, "image": {"repository": "a", "tag": "latest"}}, "/image/tag"),
        ({**_NEEDED, "storage": {"instances": "lots"}}, "/storage/instances"),
        ({**_NEEDED, "rules": {"../etc.yaml": ""}}, "../etc.yaml"),
    ],
)
def test_values_that_make_no_node_are_refused_by_name(wrong: dict[str, Any], where: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(where)):
        rendered(wrong)


def test_every_container_is_held_down(documents: list[dict[str, Any]]) -> None:
    for name, container, pod in containers(documents):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert {"cpu", "memory"} <= set(container["resources"]["limits"]), name
        assert container["image"].endswith(f":{__version__}"), name


def test_what_is_mounted_is_there(documents: list[dict[str, Any]]) -> None:
    claims, maps = of("PersistentVolumeClaim", documents), of("ConfigMap", documents)
    for name, container, pod in containers(documents):
        volumes = {one["name"]: one for one in pod["volumes"]}
        for mount in container.get("volumeMounts", ()):
            volume = volumes[mount["name"]]
            assert volume.get("persistentVolumeClaim", {}).get("claimName", "node-models") in claims, name
            assert volume.get("configMap", {}).get("name", "node") in maps, name


def test_only_work_reaches_triton_and_triton_reaches_nobody(documents: list[dict[str, Any]]) -> None:
    policy = of("NetworkPolicy", documents)["node-triton"]["spec"]
    assert policy["egress"] == []
    (way,) = policy["ingress"]
    (who,) = way["from"]
    assert who["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "work"
    closed = of("NetworkPolicy", documents)["node-closed"]["spec"]
    assert (closed["policyTypes"], "ingress" in closed) == (["Ingress"], False)


def test_no_secret_stands_in_an_environment(documents: list[dict[str, Any]]) -> None:
    for name, container, _ in containers(documents):
        for one in container.get("env", ()):
            if re.search(r"password|token|secret", one["name"], re.IGNORECASE):
                assert one["value"].startswith("/run/secrets/"), f"{name}: {one['name']}"


def test_the_node_takes_the_settings_that_its_pods_get(documents: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("opens")
    (tmp_path / "node.toml").write_text(of("ConfigMap", documents)["node"]["data"]["node.toml"])
    for name, container, _ in containers(documents):
        if container["name"] != "node":
            continue
        environment = {
            one["name"]: str(tmp_path / "secret") if one["value"].startswith("/run/secrets/") else one["value"]
            for one in container["env"]
            if "value" in one
        }
        settings = load(tmp_path / "node.toml", environment)
        assert settings.database_url == "postgresql+psycopg://mricore:opens@postgres:5432/mricore", name
        assert settings.triton.url == "grpc://node-triton:8001"
        assert settings.http.proxies == ("10.0.0.0/8",)


def test_a_gpu_is_asked_for_where_plans_are_built_and_served_and_nowhere_else(documents: list[dict[str, Any]]) -> None:
    on_gpu = {name for name, one, _ in containers(documents) if "nvidia.com/gpu" in one["resources"]["limits"]}
    flavours = {
        one["value"]
        for _, container, _ in containers(documents)
        for one in container.get("env", ())
        if one["name"] == "MRICORE_FLAVOUR"
    }
    assert on_gpu == ({"node-triton/plans", "node-triton/triton"} if flavours == {"gpu"} else set())


def test_alerts_and_release_are_those_of_the_repository() -> None:
    assert (CHART / "alerts.yaml").read_bytes() == (REPOSITORY / "deploy" / "prometheus" / "alerts.yaml").read_bytes()
    chart = YAML(typ="safe").load(CHART / "Chart.yaml")
    assert chart["version"] == chart["appVersion"] == __version__
    (rule,) = of("PrometheusRule", rendered(_ALL)).values()
    assert rule["spec"] == YAML(typ="safe").load(CHART / "alerts.yaml")
