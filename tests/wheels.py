"""The node as it is installed elsewhere: its wheel, and environments that hold nothing but what it asks for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import PATIENCE_S, REPOSITORY

_OF_A_WHEEL = ("node", "triton_models", "dicom_rules", "deploy", "docs")
_OF_A_WHEEL_TOO = (
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "constraints.txt",
)
NODE = "mricore-node"
SERVER = "nvidia-pytriton"


def build(folder: Path, kind: str = "wheel") -> Path:
    """The wheel, or the "sdist", of this checkout; made in a copy, with the setuptools that are installed."""
    source = folder / "source"
    for name in _OF_A_WHEEL:
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    for name in _OF_A_WHEEL_TOO:
        shutil.copyfile(REPOSITORY / name, source / name)
    built = _run(source, sys.executable, "-c", _BUILD, kind, str(folder))
    return folder / built.splitlines()[-1]


_BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"


def needed(*extras: str) -> set[str]:
    """Distributions that an environment of the node and these extras has, by what the metadata of all of them say."""
    found: set[str] = set()
    waiting = [(NODE, frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        for line in metadata.requires(name) or ():
            one = Requirement(line)
            if not _applies(one, wanted) or (key := canonicalize_name(one.name)) in found:
                continue
            found.add(key)
            waiting.append((key, frozenset(one.extras)))
    return found


def _applies(one: Requirement, extras: frozenset[str]) -> bool:
    return one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras | {""})


def environment(folder: Path, wheel: Path, *, server: bool = True) -> Path:
    """A virtual environment with the wheel, what it asks for, and the server's; the folder of its programs.

    pip installs the wheel. What it asks for is taken as links from where the tests run, so that no registry is asked.
    """
    venv.create(folder, with_pip=True, symlinks=True)
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _run(folder, *pip, "--no-index", "--no-deps", str(wheel))
    for name in sorted({*needed(), *([SERVER] if server else [])}):
        for top in _tops(metadata.distribution(name)):
            if not (site / top.name).exists():
                (site / top.name).symlink_to(top)
    return folder / "bin"


def wheelhouse(folder: Path, *names: str) -> Path:
    """Wheels of installed distributions, packed again from their records: quick, and without a registry."""
    folder.mkdir(exist_ok=True)
    for name in names:
        found = metadata.distribution(name)
        stem = f"{name.replace('-', '_')}-{found.version}"
        tags = [line[5:] for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")]
        tag = tags[-1] if tags else "py3-none-any"
        with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as packed:
            for file in found.files or ():
                if ".." not in file.parts and "__pycache__" not in file.parts and file.name not in _PIP_WROTE:
                    packed.write(Path(str(file.locate())), str(file))
    return folder


_PIP_WROTE = frozenset({"INSTALLER", "REQUESTED", "direct_url.json"})


def _tops(found: metadata.Distribution) -> Iterator[Path]:
    """What a distribution lays into site-packages."""
    site = Path(str(found.locate_file(""))).resolve()
    for name in {file.parts[0] for file in found.files or () if ".." not in file.parts}:
        if name not in ("__pycache__", "bin"):
            yield site / name


def _run(folder: Path, *command: str) -> str:
    quiet = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    done = subprocess.run(
        command, cwd=folder, env=quiet, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
