"""A folder that becomes a file: its content, its checksums, its signature."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from node import __version__
from node.adapters import viewer
from node.config.sections import own
from node.errors import Usage

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
_DOCS = ("howto-install.md", "howto-backup.md", "howto-upgrade.md")
_BUILT_HERE = shutil.ignore_patterns("__pycache__", "*.plan", "plan.json", "timing.cache")


@dataclass(frozen=True)
class Content:
    """What travels besides wheels and viewer."""

    models: Path
    rules: Path
    python: str
    version: str


@contextmanager
def folder(file: Path) -> Iterator[Path]:
    """An empty one beside the file, which goes afterwards."""
    try:
        with tempfile.TemporaryDirectory(dir=file.resolve().parent, prefix=f".{file.name}-") as name:
            made = Path(name) / f"mricore-node-{__version__}"
            made.mkdir()
            yield made
    except OSError as refused:
        raise Usage(f"{file}: cannot be written ({refused.strerror})") from refused


def add_viewer(folder: Path, package: Path | None, said: Callable[[str], None]) -> None:
    """OHIF as its authors published it; Usage for any other file."""
    said("OHIF")
    viewer.check(Path(shutil.copy(package, folder)) if package else viewer.fetch(folder))


def lay(folder: Path, content: Content) -> None:
    shutil.copytree(content.models, folder / "models", ignore=_BUILT_HERE)
    (folder / "rules").mkdir()
    for file in sorted(content.rules.glob("*.yaml")):
        shutil.copy(file, folder / "rules")
    shutil.copytree(own("deploy/systemd"), folder / "systemd")
    shutil.copy(own("deploy/node.example.toml"), folder)
    shutil.copy(own("deploy/install.sh"), folder)
    (folder / "install.sh").chmod(0o755)
    (folder / "docs").mkdir()
    for name in _DOCS:
        shutil.copy(own(f"docs/{name}"), folder / "docs")
    (folder / "VERSION").write_text(f"{content.version}\n")
    (folder / "PYTHON").write_text(f"{content.python}\n")


def seal(folder: Path, key: Path | None) -> None:
    """Checksums of every file in the form of sha256sum, and a signature of them."""
    lines = []
    for file in sorted(one for one in folder.rglob("*") if one.is_file() and one.name not in (SUMS, SIGNATURE)):
        with file.open("rb") as opened:
            lines.append(f"{hashlib.file_digest(opened, 'sha256').hexdigest()}  {file.relative_to(folder)}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    if key is None:
        return
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", folder / SUMS, "-out", folder / SIGNATURE]
    try:
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError as absent:
        raise Usage("--sign needs openssl, which is not installed") from absent
    if done.returncode:
        raise Usage(f"{key}: does not sign: openssl genpkey -algorithm ed25519 makes a key that does")


def pack(folder: Path, file: Path) -> None:
    """Uncompressed: wheels and models are compressed already. Whole or not at all."""
    unnamed = folder.parent / "packed"
    with tarfile.open(unnamed, "w") as packed:
        packed.add(folder, arcname=folder.name, filter=_nobody_s)
    unnamed.replace(file)


def _nobody_s(one: tarfile.TarInfo) -> tarfile.TarInfo:
    one.uid = one.gid = 0
    one.uname = one.gname = "root"
    return one
