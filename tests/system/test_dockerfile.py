"""The image without an engine: every command of its Dockerfile is carried out, stage by stage, and what it starts runs.

A stage is a folder for each of the places that it writes to, laid over this machine's in a mount namespace of its own;
this machine's Python stands for the base image's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.processes import PATIENCE_S, REPOSITORY, end

pytestmark = pytest.mark.slow

_PLACES = ("/opt", "/src", "/viewer", "/srv", "/etc", "/var/lib/mricore", "/usr/local/bin")
_LONGEST_S = 560.0
_PYTHON = ("/usr/bin/python3.11", "/usr/local/bin/python3.11")


@dataclass
class Stage:
    """What a FROM begins."""

    name: str
    root: Path  # its places lie below
    work: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = "0:0"

    def lay(self) -> None:
        for place in _PLACES:
            (self.root / place[1:]).mkdir(parents=True, exist_ok=True)
        shutil.copytree("/etc", self.root / "etc", symlinks=True, dirs_exist_ok=True)
        programs = self.root / "usr/local/bin"
        python = next(one for one in _PYTHON if Path(one).exists())
        for name in ("python3", "python"):
            (programs / name).symlink_to(python)

    def here(self, path: str) -> Path:
        """A path of the image, on this machine."""
        whole = Path(self.work) / path
        assert any(str(whole).startswith(place) for place in _PLACES), f"{whole} is none of {_PLACES}"
        return self.root / str(whole)[1:]

    def within(self, *command: str) -> list[str]:
        """A command in this stage, as its user."""
        mounts = [f"mount --bind {shlex.quote(str(self.root / place[1:]))} {place}" for place in _PLACES]
        made = [f"mkdir -p {place}" for place in _PLACES]
        user, _, group = self.user.partition(":")
        as_user = (
            f"exec setpriv --reuid {user} --regid {group or user} --clear-groups --no-new-privs"
            if user != "0"
            else "exec"
        )
        script = "\n".join(["set -e", *made, *mounts, f"cd {self.work}", f'{as_user} "$@"'])
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *command]

    def told(self) -> dict[str, str]:
        """The environment of its processes: the image's, and how pip reaches its registry here."""
        outer = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "npm_", "NPM_"))}
        outer |= {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": os.environ.get("HOME", "/root")}
        return outer | self.environment

    def run(self, *command: str) -> str:
        done = subprocess.run(
            self.within(*command), env=self.told(), capture_output=True, text=True, timeout=_LONGEST_S, check=False
        )
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        return done.stdout


def instructions(file: Path) -> Iterator[tuple[str, str]]:
    """(word, the rest) of each, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def build(file: Path, folder: Path) -> dict[str, Stage]:
    """Carry out a Dockerfile. The viewer's stage has an image of its own; its command runs here too."""
    stages: dict[str, Stage] = {}
    stage = Stage("", folder)
    for word, rest in instructions(file):
        if word == "FROM":
            name = rest.split()[-1]
            stage = stages[name] = Stage(name, folder / name)
            stage.lay()
        elif word == "COPY":
            _copy(stages, stage, rest)
        else:
            _carry_out(stage, word, rest)
    return stages


def _carry_out(stage: Stage, word: str, rest: str) -> None:
    if word == "RUN":
        stage.run("sh", "-c", rest)
    elif word == "WORKDIR":
        stage.work = rest
        stage.here(".").mkdir(parents=True, exist_ok=True)
    elif word == "ENV":
        stage.environment |= {key: value for key, _, value in (pair.partition("=") for pair in shlex.split(rest))}
    elif word == "USER":
        stage.user = rest
    elif word == "HEALTHCHECK":
        stage.health = json.loads(rest[rest.index("[") :])
    elif word == "ENTRYPOINT":
        stage.entry = json.loads(rest)
    elif word == "CMD":
        stage.command = json.loads(rest)
    else:
        assert word in ("ARG", "EXPOSE"), word


def _copy(stages: dict[str, Stage], stage: Stage, rest: str) -> None:
    words = rest.split()
    options = [word for word in words if word.startswith("--")]
    *sources, target = [word for word in words if not word.startswith("--")]
    source_of = next((option.partition("=")[2] for option in options if option.startswith("--from")), "")
    mode = next((option.partition("=")[2] for option in options if option.startswith("--chmod")), "")
    into = stage.here(target)
    for source in sources:
        file = stages[source_of].root / source[1:] if source_of else REPOSITORY / source
        if file.is_dir():
            shutil.copytree(
                file,
                into,
                symlinks=True,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__", "shipped") if not source_of else None,
            )
        else:
            whole = into / file.name if target.endswith("/") else into
            whole.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, whole)
            if mode:
                whole.chmod(int(mode, 8))


def test_the_image_is_built_and_its_entry_point_is_a_node_that_is_well(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mount namespaces are for root")
    if not any(Path(one).exists() for one in _PYTHON):
        pytest.skip("needs the Debian package python3.11-venv")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    image = build(REPOSITORY / "deploy" / "Dockerfile", tmp_path)["node"]
    assert image.run(*image.entry, "--version").startswith("mricore-node, version")
    assert list((image.root / "opt/mricore/viewer").glob("index.html*"))
    shutil.copy(REPOSITORY / "deploy/docker/models.sh", image.root / "usr/local/bin/models.sh")
    assert "mri_core_head" in image.run("sh", "-c", "MRICORE_TRITON__MODELS=/srv/mricore/models models.sh")
    environment = {
        "MRICORE_TRITON__URL": "grpc://127.0.0.1:1",
        "MRICORE_TRITON__MODELS": "/srv/mricore/models",
        "MRICORE_DICOM__PORT": "0",
        "MRICORE_STORAGE__LOW_WATERMARK": "0",
    }
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]  # port 8080 is free there
    script = f"""
        {shlex.join([*image.entry, *image.command])} & node=$!
        for i in $(seq 200); do if {shlex.join(image.health)}; then echo well; break; fi; sleep 1; done
        kill $node; wait $node || true
    """
    process = subprocess.Popen(
        [*alone, *image.within("sh", "-c", script)],
        env={**image.told(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said = _output(process)
    finally:
        end(process)
    assert "MRICORE (all) listens" in said, said[-2000:]
    assert "well" in said.splitlines(), said[-2000:]


def _output(process: subprocess.Popen[bytes]) -> str:
    give_up = monotonic() + PATIENCE_S
    while process.poll() is None and monotonic() < give_up:
        sleep(0.2)
    assert process.stdout is not None
    if process.poll() is None:
        process.kill()
    return process.stdout.read().decode(errors="replace")
