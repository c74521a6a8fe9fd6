"""DCMTK's echoscu and storescu against the node's TLS port."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.listening import listening
from tests.processes import PATIENCE_S
from tests.synthetic import Grid, mr_series, write

PROFILES = ("--profile-bcp195", "--profile-bcp195-nd", "--profile-bcp195-ex")
OLD_PROFILES = ("--profile-aes", "--profile-null")


def dcmtk(program: str, *words: str) -> int:
    """Its exit status. Skips the test where the program is absent."""
    if not shutil.which(program):
        pytest.skip("needs the Debian package dcmtk")
    done = subprocess.run(
        [program, "-to", "60", "-ta", "60", "-td", "60", *words], capture_output=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def tls(authority: Authority) -> list[str]:
    """Options of a sender with a certificate."""
    certificate, key = authority.issue("dcmtk")
    return ["+tls", str(key), str(certificate), "+cf", str(authority.file)]


@pytest.mark.parametrize("profile", PROFILES)
def test_echoscu_gets_through_with_each_bcp_195_profile(profile: str, tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server()) as node:
        assert dcmtk("echoscu", *tls(authority), profile, "-aec", "MRICORE", "127.0.0.1", str(node.tls_port)) == 0


@pytest.mark.parametrize("profile", OLD_PROFILES)
def test_echoscu_with_a_retired_profile_is_refused(profile: str, tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server()) as node:
        assert dcmtk("echoscu", *tls(authority), profile, "-aec", "MRICORE", "127.0.0.1", str(node.tls_port)) != 0


def test_echoscu_without_tls_or_without_a_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, certificates=authority.server()) as node:
        to = ("-aec", "MRICORE", "127.0.0.1", str(node.tls_port))
        assert dcmtk("echoscu", *to) != 0
        assert dcmtk("echoscu", "+tla", "+cf", str(authority.file), "--profile-bcp195", *to) != 0


def test_storescu_stores_a_series_over_tls(tmp_path: Path, authority: Authority) -> None:
    series = mr_series(Grid(slices=4, rows=256, columns=256))
    paths = write(series, tmp_path / "series")
    with listening(tmp_path, certificates=authority.server()) as node:
        to = ("-aec", "MRICORE", "127.0.0.1", str(node.tls_port))
        words = [*tls(authority), "--profile-bcp195", *to, *map(str, paths.values())]
        assert dcmtk("storescu", *words) == 0
        lines = node.receipts()
    assert sorted(line.sop_instance_uid for line in lines) == sorted(paths)
    assert {(line.status, line.association.partition(" ")[2]) for line in lines} == {(0, "CN=dcmtk")}
