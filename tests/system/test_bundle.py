"""A bundle is carried to a server without a network and installed there: whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from node.cli.bundle import packing
from tests.command_line import mricore_node
from tests.processes import PATIENCE_S, REPOSITORY
from tests.wheels import SERVER, build, needed, wheelhouse

_MINUTES = 900.0


@dataclass(frozen=True)
class Server:
    """A scratch root with the accounts that every system has."""

    root: Path

    @classmethod
    def bare(cls, root: Path) -> Server:
        (root / "etc").mkdir(parents=True)
        for name in ("passwd", "group", "shadow", "gshadow"):
            (root / "etc" / name).write_text("")
        (root / "etc" / "login.defs").write_text("SYS_UID_MIN 200\nSYS_UID_MAX 899\nSYS_GID_MIN 200\nSYS_GID_MAX 899\n")
        return cls(root)

    def install(self, bundle: Path, *options: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        command = [*before, "sh", str(bundle / "install.sh"), "--prefix", str(self.root), *options]
        outside = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON", "MRICORE"))}
        return subprocess.run(
            command, cwd=self.root, env=outside, capture_output=True, text=True, timeout=_MINUTES, check=False
        )

    def files(self) -> set[str]:
        return {str(one.relative_to(self.root)) for one in self.root.rglob("*")}

    def user(self) -> str:
        (line,) = [line for line in (self.root / "etc/passwd").read_text().splitlines() if line.startswith("mricore:")]
        return line.split(":")[2]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server.bare(tmp_path / "server")


@pytest.fixture
def light(tmp_path: Path) -> Path:
    """A bundle without a wheel: enough for what comes before they are installed."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "wheels").mkdir()
    packing.lay(folder, packing.Content(REPOSITORY / "triton_models", REPOSITORY / "dicom_rules", _python(), "0.1.0"))
    packing.seal(folder, None)
    return folder


def _python() -> str:
    """Of the tests: what is repacked for a bundle is for it."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = [one for one in (f"/usr/bin/python{minor}", f"/usr/local/bin/python{minor}") if Path(one).exists()]
    if not found:
        pytest.skip(f"needs the Debian package python{minor}-venv")
    return minor


def test_a_dry_run_tells_everything_and_does_nothing(server: Server, light: Path) -> None:
    before = server.files()
    done = server.install(light, "--dry-run")
    assert done.returncode == 0, done.stderr
    for step in ("creates the user mricore", "installs into", "settings and rules", "models in", "units in"):
        assert step in done.stdout
    assert server.files() == before


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_a_bundle_that_is_not_what_was_packed_is_not_installed(server: Server, light: Path, damage: str) -> None:
    before = server.files()
    rule = light / "rules" / "10-head-outline.yaml"
    if damage == "changed":
        rule.write_text(rule.read_text() + "#")
    elif damage == "missing":
        rule.unlink()
    else:
        (light / "wheels" / "evil-1.0-py3-none-any.whl").touch()
    done = server.install(light)
    assert done.returncode == 1
    assert "carry it here again" in done.stderr
    assert server.files() == before


def test_a_bundle_of_somebody_else_is_not_installed(server: Server, light: Path, tmp_path: Path) -> None:
    ours, theirs = (_key(tmp_path / name) for name in ("ours", "theirs"))
    assert "is not signed" in server.install(light, "--key", str(ours.public), "--dry-run").stderr
    packing.seal(light, theirs.private)
    done = server.install(light, "--key", str(ours.public), "--dry-run")
    assert (done.returncode, "was not signed with" in done.stderr) == (1, True)
    (light / packing.SIGNATURE).unlink()
    packing.seal(light, ours.private)
    done = server.install(light, "--key", str(ours.public), "--dry-run")
    assert (done.returncode, "signed with" in done.stdout) == (0, True)


@dataclass(frozen=True)
class Key:
    private: Path
    public: Path


def _key(folder: Path) -> Key:
    folder.mkdir()
    key = Key(folder / "key.pem", folder / "public.pem")
    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", str(key.private)],
        ["pkey", "-in", str(key.private), "-pubout", "-out", str(key.public)],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True, timeout=PATIENCE_S)
    return key


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--roles", "cook"], "cook is none of"),
        (["--nonsense"], "is no option"),
        (["--python", "/bin/false"], "needs Python"),
    ],
)
def test_a_wrong_word_is_named(server: Server, light: Path, options: list[str], why: str) -> None:
    done = server.install(light, *options)
    assert done.returncode in (1, 2)
    assert why in done.stderr


@pytest.mark.slow
def test_a_server_without_a_network_gets_from_a_bundle_to_a_delivered_result(server: Server, tmp_path: Path) -> None:
    if SERVER not in {one.metadata["Name"] for one in metadata.distributions()}:
        pytest.skip(f"{SERVER} is not installed")
    cut_off = _without_a_network()
    file = tmp_path / "mricore.tar"
    house = wheelhouse(tmp_path / "house", *sorted(needed("postgresql", "s3")), SERVER)
    key = _key(tmp_path / "key")
    made = mricore_node(
        *("bundle", "make", file, "--node-wheel", build(tmp_path / "wheel")),
        *("--wheels", house, "--without-viewer", "--sign", key.private),
    )
    assert made.status == 0, made.err
    shutil.rmtree(house)
    with tarfile.open(file) as packed:
        packed.extractall(tmp_path, filter="data")
    (bundle,) = tmp_path.glob("mricore-node-*/")
    first = server.install(bundle, "--key", str(key.public), before=cut_off)
    assert first.returncode == 0, first.stderr
    _demand_installed(server)
    _demand_main_job(server, cut_off)
    settings = server.root / "etc/mricore/node.toml"
    settings.write_text(settings.read_text() + "# ours\n")
    again = server.install(bundle, before=cut_off)
    assert again.returncode == 0, again.stderr
    assert "installs into" not in again.stdout
    assert "creates the user" not in again.stdout
    assert settings.read_text().endswith("# ours\n")
    gone = server.install(bundle, "--uninstall")
    assert gone.returncode == 0, gone.stderr
    assert settings.exists()
    assert not (server.root / "opt/mricore").exists()
    assert not list((server.root / "etc/systemd/system").iterdir())
    server.install(bundle, "--uninstall", "--purge")
    assert not settings.exists()


def _without_a_network() -> list[str]:
    """What to put before a command so that it has loopback and no way out."""
    cut_off = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    try:
        subprocess.run([*cut_off, "true"], check=True, capture_output=True, timeout=PATIENCE_S)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("network namespaces are for root")
    return cut_off


def _demand_installed(server: Server) -> None:
    root = server.root
    assert (root / "opt/mricore/current").readlink() == Path("releases/0.1.0")
    assert (root / "usr/local/bin/mricore-node").is_symlink()
    data = root / "var/lib/mricore"
    assert (str(data.stat().st_uid), data.stat().st_mode & 0o777) == (server.user(), 0o750)
    assert (root / "var/backups/mricore").stat().st_mode & 0o777 == 0o700
    assert (root / "etc/mricore/node.toml").stat().st_mode & 0o777 == 0o640
    assert (data / "models/mri_core_head/card.yaml").exists()
    assert (root / "etc/mricore/rules/10-head-outline.yaml").exists()
    units = {one.name for one in (root / "etc/systemd/system").iterdir()}
    assert units == {"mricore.service", "mricore@.service", "mricore-backup.service", "mricore-backup.timer"}


def _demand_main_job(server: Server, cut_off: list[str]) -> None:
    """As the unit's user, who may not become anybody else."""
    data, out = server.root / "var/lib/mricore", server.root / "var/lib/mricore/out.json"
    for folder in (server.root, *server.root.parents):
        if folder.stat().st_mode & 0o001 == 0:  # pytest's own folders are its user's alone
            folder.chmod(folder.stat().st_mode | 0o011)
    run_as = ["setpriv", "--reuid", server.user(), "--regid", server.user(), "--clear-groups", "--no-new-privs"]
    command = [str(server.root / "opt/mricore/current/bin/mricore-node"), "demo", "--once", "--json", str(out)]
    outside = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(data), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [*cut_off, *run_as, *command],
        cwd=data,
        env=outside,
        capture_output=True,
        text=True,
        timeout=_MINUTES,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [one["state"] for one in json.loads(out.read_text())["series"]] == ["delivered"]
