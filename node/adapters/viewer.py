"""The OHIF viewer on disk: a pinned release of the npm registry, checked, made to live below a path, compressed once.

It is not part of the node's own packages: `mricore-node viewer install` fetches it through the npm client, or takes a
file that somebody carried to a machine without a network.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from node.errors import Usage

PACKAGE, VERSION = "@ohif/app", "3.13.2"
SHA512 = (
    "5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3dee"
    "a3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10"
)

_WITHIN = PurePosixPath("package/dist")
# Inference in the browser, whole-slide images, and a worker that would keep an old viewer after an update.
_LEFT_OUT = ("ort/", "dicom-microscopy-viewer/", "sw.js", "init-service-worker.js", "app-config.js", "google.js")
_COMPRESSED = frozenset({".js", ".css", ".html", ".json", ".svg", ".wasm", ".ico"})
# Along a row one steps by the distance of columns (PS3.3 10.7.1.3). Its steps between pixels and the patient have it
# the other way round: an outline of an SR lies beside what it outlines wherever pixels are not square.
_MENDED = {
    "rowCosines, rowPixelSpacing * (imageCoords[0]": "rowCosines, columnPixelSpacing * (imageCoords[0]",
    "columnCosines, columnPixelSpacing * (imageCoords[1]": "columnCosines, rowPixelSpacing * (imageCoords[1]",
    "columnCosines, -columnPixelSpacing / 2": "columnCosines, -rowPixelSpacing / 2",
    "rowCosines, -rowPixelSpacing / 2": "rowCosines, -columnPixelSpacing / 2",
    "rowDistance / rowPixelSpacing": "rowDistance / columnPixelSpacing",
    "columnDistance / columnPixelSpacing": "columnDistance / rowPixelSpacing",
}
_MOST_FILES, _MOST_BYTES = 5000, 1 << 30
_FETCH_S = 900.0
_CURE = "On a machine with a network: npm pack {}@{}. Bring the file here and give it with --from"


@dataclass(frozen=True)
class Progress:
    """How far the installation is."""

    done: int  # bytes of the package
    whole: int


def fetch(folder: Path) -> Path:
    """Have the npm client bring the package into a folder. Raises Usage with the cure when it cannot."""
    npm = shutil.which("npm")
    cure = _CURE.format(PACKAGE, VERSION)
    if npm is None:
        raise Usage(f"the npm client is not installed (apt-get install npm). {cure}")
    wanted = f"{PACKAGE}@{VERSION}"
    try:
        done = subprocess.run(
            [npm, "pack", wanted, "--pack-destination", str(folder), "--silent"],
            capture_output=True, text=True, timeout=_FETCH_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as slow:
        raise Usage(f"npm did not bring {wanted} within {_FETCH_S / 60:.0f} minutes. {cure}") from slow
    packed = sorted(folder.glob("*.tgz"))
    if done.returncode or not packed:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Usage(f"npm did not bring {wanted}: {said}. {cure}")
    return packed[0]


def install(
    package: Path, target: Path, below: str, progress: Callable[[Progress], None] = lambda _: None, sha512: str = SHA512
) -> int:
    """Unpack the viewer into `target`, to be served below the path `below` ("/ohif/"); the number of its files.

    It appears whole or not at all, and replaces one that is there. Raises Usage for another file than the pinned one.
    """
    check(package, sha512)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
        made = Path(name) / "viewer"
        try:
            files = _unpack(package, made, below, progress)
        except (tarfile.TarError, EOFError, OSError) as broken:
            raise Usage(f"{package} cannot be unpacked: {broken}") from broken
        if not (made / "index.html").is_file():
            raise Usage(f"{package} holds no {_WITHIN}/index.html: it is no build of the viewer")
        old = Path(name) / "old"
        if target.exists():
            target.rename(old)
        made.rename(target)
    return files


def check(package: Path, sha512: str = SHA512) -> None:
    """Raises Usage for another file than the pinned one."""
    try:
        with package.open("rb") as file:
            found = hashlib.file_digest(file, "sha512").hexdigest()
    except OSError as unreadable:
        raise Usage(f"{package} cannot be read ({unreadable.strerror})") from unreadable
    if found != sha512:
        raise Usage(f"{package} is not {PACKAGE} {VERSION}: its SHA-512 is {found[:16]}…, not {sha512[:16]}…")


def _unpack(package: Path, made: Path, below: str, progress: Callable[[Progress], None]) -> int:
    whole, files, written = package.stat().st_size, 0, 0
    with package.open("rb") as packed, tarfile.open(fileobj=packed, mode="r:gz") as archive:
        for member in archive:
            path = _path(member)
            if path is None:
                continue
            files, written = files + 1, written + member.size
            if files > _MOST_FILES or written > _MOST_BYTES:
                raise Usage(f"{package} unpacks to more than a viewer could be")
            content = archive.extractfile(member)
            if content is not None:
                _write(made / path, _moved(path, content.read(), below))
            progress(Progress(packed.tell(), whole))
    return files


def _path(member: tarfile.TarInfo) -> PurePosixPath | None:
    """Where a member goes below the viewer's folder; None for what is left out."""
    path = PurePosixPath(member.name)
    if not member.isfile() or ".." in path.parts or not path.is_relative_to(_WITHIN):
        return None
    inside = path.relative_to(_WITHIN)
    if inside.suffix == ".map" or str(inside).startswith(_LEFT_OUT) or inside.name.startswith("_"):
        return None
    return inside


def _moved(path: PurePosixPath, content: bytes, below: str) -> bytes:
    """The file with the addresses that begin at the root moved below a path."""
    if path.suffix not in (".js", ".css", ".html", ".json"):
        return content
    text = content.decode("utf-8")
    if path.suffix == ".js":
        for wrong, right in _MENDED.items():
            text = text.replace(wrong, right)
        return text.replace('__webpack_require__.p = "/"', f'__webpack_require__.p = "{below}"').encode()
    if path.suffix == ".css":
        return re.sub(r"url\(/(?!/)", f"url({below}", text).encode()
    if path.suffix == ".html":
        text = re.sub(r"<script[^>]*init-service-worker[^>]*></script>", "", text)
        text = text.replace('window.PUBLIC_URL="/"', f'window.PUBLIC_URL="{below}"')
        return re.sub(r'\b(href|src|content)="/(?!/)', rf'\1="{below}', text).encode()
    return text.replace('"/assets/', f'"{below}assets/').encode()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if path.suffix in _COMPRESSED and len(content) > 1024:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
