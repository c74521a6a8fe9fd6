"""`mricore-node send`: everything that can be sent is sent, and the rest is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.scp import Admission
from tests.certificates import Authority
from tests.command_line import mricore_node
from tests.listening import listening
from tests.synthetic import Grid, mr_series, write

SERIES = mr_series(Grid(slices=4))


def test_a_folder_is_sent(tmp_path: Path) -> None:
    write(SERIES, tmp_path / "series")
    with listening(tmp_path / "node") as node:
        ran = mricore_node("send", tmp_path / "series", "--to", f"MRICORE@127.0.0.1:{node.port}")
        assert (ran.status, ran.out) == (0, "4 instances stored\n")
        assert len(node.receipts()) == 4
        assert {line.calling_ae for line in node.receipts()} == {"MRICORE_SEND"}


def test_what_is_not_dicom_is_named_and_the_rest_is_still_sent(tmp_path: Path) -> None:
    write(SERIES, tmp_path / "series")
    (tmp_path / "series" / "notes.txt").write_text("not an image")
    (tmp_path / "series" / "DICOMDIR").write_bytes(b"left out")
    with listening(tmp_path / "node") as node:
        ran = mricore_node("send", tmp_path / "series", "--to", f"MRICORE@127.0.0.1:{node.port}")
        assert (ran.status, ran.out) == (1, "4 instances stored\n")
        assert "notes.txt: not a DICOM file" in ran.err
        assert "DICOMDIR" not in ran.err
        assert len(node.receipts()) == 4


def test_what_the_peer_refuses_is_named_with_its_status_and_reason(tmp_path: Path) -> None:
    bad = mr_series(Grid(slices=1), name="bad", absent=["SeriesInstanceUID"])
    write([*SERIES, *bad], tmp_path / "series")
    with listening(tmp_path / "node") as node:
        ran = mricore_node("send", tmp_path / "series", "--to", f"MRICORE@127.0.0.1:{node.port}")
    assert (ran.status, ran.out) == (1, "4 instances stored\n")
    assert "0005.dcm: A900 the data set has no Series Instance UID" in ran.err


def test_a_peer_that_rejects_or_is_not_there_is_named(tmp_path: Path) -> None:
    write(SERIES[:1], tmp_path / "series")
    with listening(tmp_path / "node", admission=Admission("MRICORE", False, [])) as node:
        to = f"MRICORE@127.0.0.1:{node.port}"
        rejected = mricore_node("send", tmp_path / "series", "--to", to)
    gone = mricore_node("send", tmp_path / "series", "--to", to)
    assert (rejected.status, gone.status) == (1, 1)
    reason = "calling AE title not recognized: admit MRICORE_SEND with the address of this machine there"
    assert f"{to} rejects the association, {reason}" in rejected.err
    assert f"{to} cannot be reached" in gone.err


def test_a_series_is_sent_over_tls_with_a_certificate_of_the_sender(tmp_path: Path) -> None:
    write(SERIES, tmp_path / "series")
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("scanner")
    ours = ("--tls-certificate", certificate, "--tls-key", key)
    with listening(tmp_path / "node", certificates=authority.server()) as node:
        to = ("send", tmp_path / "series", "--to", f"MRICORE@localhost:{node.tls_port}")
        ran = mricore_node(*to, "--tls", "--tls-ca", authority.file, *ours)
        assert (ran.status, ran.out) == (0, "4 instances stored\n")
        assert [caller.certificate_name for caller, _ in node.noted] == ["scanner"]
        stranger = mricore_node(*to, "--tls", *ours)
    assert stranger.status == 1
    assert "certificate" in stranger.err
    assert len(stranger.err.splitlines()) == 1, stranger.err


def test_nothing_to_send_is_wrong_usage(tmp_path: Path) -> None:
    """A folder that was named by mistake is not told as done."""
    ran = mricore_node("send", tmp_path, "--to", "MRICORE@127.0.0.1:104")
    assert ran.status == 2, ran
    assert f"{tmp_path}: holds no file to send" in ran.err


@pytest.mark.parametrize("calling", ["", "  ", "SEVENTEEN LETTERS", "ÄE", "A\\B"])
def test_a_calling_ae_title_that_is_none_is_refused(tmp_path: Path, calling: str) -> None:
    ran = mricore_node("send", tmp_path, "--to", "MRICORE@127.0.0.1:104", "--from", calling)
    assert ran.status == 2, ran
    assert "--from" in ran.err


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, seconds: str) -> None:
    ran = mricore_node("send", tmp_path, "--to", "MRICORE@127.0.0.1:104", "--timeout", seconds)
    assert ran.status == 2, ran
    assert "--timeout" in ran.err


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = mricore_node("send", tmp_path, "--to", "MRICORE@127.0.0.1:104", "--tls-ca", tmp_path / "none.pem")
    assert ran.status == 2, ran
    assert "--tls-ca" in ran.err


@pytest.mark.parametrize(
    ("path", "to", "words"),
    [
        (".", "127.0.0.1:104", "AE@HOST:PORT"),
        (".", "MRICORE@127.0.0.1:70000", "AE@HOST:PORT"),
        ("none", "MRICORE@127.0.0.1:104", "no such file"),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, path: str, to: str, words: str) -> None:
    ran = mricore_node("send", tmp_path / path, "--to", to)
    assert ran.status == 2, ran
    assert words in ran.err
