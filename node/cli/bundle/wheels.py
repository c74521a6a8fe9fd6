"""The wheels of a bundle: by pip, from the package registry it is set up for or from a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from node import __version__
from node.adapters.triton.wheel import VERSION as SERVER
from node.config.sections import own
from node.errors import Usage

_EXTRAS = "postgresql,s3"
_LONGEST_S = 3600.0


@dataclass(frozen=True)
class Wanted:
    """What for, and where from."""

    node_wheel: Path | None
    house: Path | None  # a folder instead of the registry
    platform: str | None  # None: as here
    minor: str  # 3.11


def gather(folder: Path, wanted: Wanted, said: Callable[[str], None]) -> None:
    """Raises Usage with pip's last words when one is not to be had."""
    folder.mkdir()
    said("the node's wheel")
    node = folder / _node_wheel(folder, wanted).name
    said("what it needs")
    foreign = wanted.platform or wanted.minor != f"{sys.version_info.major}.{sys.version_info.minor}"
    source = ["--no-index", "--find-links", str(wanted.house)] if wanted.house else []
    constraints = ["--constraint", str(own("constraints.txt"))]
    requirement = f"mricore-node[{_EXTRAS}] @ {node.resolve().as_uri()}"
    if foreign:
        target = ["--only-binary=:all:", "--python-version", wanted.minor, "--implementation", "cp"]
        target += ["--platform", wanted.platform] if wanted.platform else []
        _pip("download", *source, *target, *constraints, "--dest", str(folder), requirement)
        _pip("download", *source, *target, "--no-deps", "--dest", str(folder), f"nvidia-pytriton=={SERVER}")
        return
    _pip("wheel", *source, *constraints, "--wheel-dir", str(folder), requirement)
    said("the tritonserver of small CPU sites")
    _pip("download", *source, "--no-deps", "--dest", str(folder), f"nvidia-pytriton=={SERVER}")


def _node_wheel(folder: Path, wanted: Wanted) -> Path:
    if wanted.node_wheel:
        return Path(shutil.copy(wanted.node_wheel, folder))
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / "pyproject.toml").is_file():
        raise Usage("the node was not installed from a checkout: give its wheel with --node-wheel")
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"  # building writes beside what it builds from
        kept = shutil.ignore_patterns(".*", "var", "tests", "benchmarks", "build", "dist", "*.egg-info", "__pycache__")
        shutil.copytree(checkout, source, ignore=kept)
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source))
    return next(folder.glob(f"mricore_node-{__version__}-*.whl"))


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired as slow:
        raise Usage(f"pip {arguments[0]} did not end within an hour") from slow
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["no reason given"]
        raise Usage(f"pip {arguments[0]}: {said[-1].removeprefix('ERROR: ')}")
