"""What lies in the wheel nvidia-pytriton, and what its server needs of this machine. Nothing of it is imported."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from node.errors import BadConfiguration

VERSION = "0.7.0"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_GLIBC = (2, 35)


@dataclass(frozen=True)
class Wheel:
    """The installed wheel."""

    site: Path  # site-packages
    libpython: Path | None  # folder of the shared libpython; None: the loader finds it itself

    @classmethod
    def installed(cls) -> Wheel:
        """Find it. Raises BadConfiguration with the command that installs what is missing."""
        try:
            found = importlib.metadata.distribution("nvidia-pytriton")
        except importlib.metadata.PackageNotFoundError as absent:
            cure = f"Run: pip install --no-deps nvidia-pytriton=={VERSION}, or name a Triton server in node.toml"
            raise BadConfiguration("embedded Triton", "nvidia-pytriton is not installed", cure) from absent
        check_glibc(os.confstr("CS_GNU_LIBC_VERSION") or "")
        wheel = cls(Path(str(found.locate_file(""))).resolve(), _libpython())
        if not wheel.stub.exists():
            raise BadConfiguration("embedded Triton", f"nvidia-pytriton has no stub for Python {_PYTHON}")
        return wheel

    @property
    def _folder(self) -> Path:
        return self.site / "pytriton" / "tritonserver"

    @property
    def server(self) -> Path:
        """The server's binary."""
        return self._folder / "bin" / "tritonserver"

    @property
    def stub(self) -> Path:
        """The program that runs a model.py in this Python."""
        return self._folder / "python_backend_stubs" / _PYTHON / "triton_python_backend_stub"

    def backends(self, folder: Path) -> Path:
        """Lay out a backend directory of links in `folder`: the python backend with the stub of this Python."""
        python = folder / "python"
        python.mkdir(parents=True, exist_ok=True)
        shipped = self._folder / "backends" / "python"
        for file in (shipped / "libtriton_python.so", shipped / "triton_python_backend_utils.py", self.stub):
            (python / file.name).symlink_to(file)
        return folder

    def environment(self, outer: Mapping[str, str]) -> dict[str, str]:
        """The server's environment, from ours.

        The stub embeds CPython: it finds site-packages through the first python3 on PATH, and libpython through
        LD_LIBRARY_PATH.
        """
        env = {key: value for key, value in outer.items() if not key.startswith("PYTHON")}
        libraries = [str(self.site / "nvidia_pytriton.libs"), *([str(self.libpython)] if self.libpython else [])]
        libraries += [outer["LD_LIBRARY_PATH"]] if outer.get("LD_LIBRARY_PATH") else []
        return env | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), outer.get("PATH", os.defpath)]),
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONUNBUFFERED": "1",
        }


def check_glibc(name: str) -> None:
    """`name` is what the C library calls itself, as in "glibc 2.36"."""
    kind, _, version = name.partition(" ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if kind != "glibc" or numbers < _GLIBC:
        what = f"the server needs glibc 2.35 or newer, here is {name or 'another C library'}"
        raise BadConfiguration("embedded Triton", what, "Use Debian 12, Ubuntu 22.04 or newer, or a Triton container")


def _libpython() -> Path | None:
    name = f"libpython{_PYTHON}.so.1.0"
    for folder in (sysconfig.get_config_var("LIBDIR"), f"{sys.base_prefix}/lib"):
        if folder and (Path(folder) / name).exists():
            return Path(folder)
    try:
        ctypes.CDLL(name)
    except OSError as absent:
        cure = f"Run: apt install libpython{_PYTHON}, or use a Python built with --enable-shared"
        raise BadConfiguration("embedded Triton", f"{name} was not found", cure) from absent
    return None
