"""The embedded server listens to this machine alone, and says what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from node.adapters.triton import EmbeddedTriton, TritonClient
from node.adapters.triton.wheel import check_glibc
from node.errors import BadConfiguration
from tests.triton_fixture import MODEL

ROOT = Path(__file__).parents[2]


def test_it_listens_on_the_loopback_interface_and_on_one_port(triton: EmbeddedTriton) -> None:
    family = [psutil.Process(triton.pid), *psutil.Process(triton.pid).children(recursive=True)]
    listening = {each.laddr for one in family for each in one.net_connections() if each.status == psutil.CONN_LISTEN}
    assert {port for _, port in listening} == {triton.port}
    assert {ip.removeprefix("::ffff:") for ip, _ in listening} == {"127.0.0.1"}


def test_models_are_not_unloaded_without_the_token(triton: EmbeddedTriton) -> None:
    stranger = InferenceServerClient(triton.url)
    with pytest.raises(InferenceServerException, match="restricted"):
        stranger.unload_model(MODEL)
    stranger.close()
    with TritonClient(triton.url) as client:
        assert client.ready(MODEL)


def test_without_the_wheel_it_says_what_to_run() -> None:
    program = (
        "import importlib.util, sys\nsys.path.insert(0, '.')\n"
        "spec = importlib.util.spec_from_file_location('wheel', 'node/adapters/triton/wheel.py')\n"
        "wheel = sys.modules['wheel'] = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(wheel)\n"
        "wheel.Wheel.installed()\n"
    )
    bare = subprocess.run([sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "pip install --no-deps nvidia-pytriton==0.7.0" in bare.stderr


@pytest.mark.parametrize("name", ["glibc 2.31", "musl 1.2.5", ""])
def test_an_old_or_other_c_library_is_named(name: str) -> None:
    with pytest.raises(BadConfiguration, match=r"glibc 2\.35"):
        check_glibc(name)


@pytest.mark.parametrize("name", ["glibc 2.35", "glibc 2.36", "glibc 3.0"])
def test_a_newer_c_library_will_do(name: str) -> None:
    check_glibc(name)
