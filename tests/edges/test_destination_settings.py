"""Destinations and groups in node.toml: what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.app.destinations import build_destination
from node.config import Settings, load
from node.errors import BadConfiguration

_STOW = 'kind = "stow"\nurl = "http://10.0.0.1/dicom-web"\n'
_DICOM = 'kind = "dicom"\nae_title = "PACS"\nhost = "10.0.0.1"\n'


def read(folder: Path, text: str) -> Settings:
    file = folder / "node.toml"
    file.write_text(text)
    return load(file, {})


def one(keys: str) -> str:
    return f'[[destination]]\nname = "pacs"\n{keys}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (one('kind = "stow"'), "needs url"),
        (one('kind = "orthanc"'), "needs url"),
        (one('kind = "stow"\nurl = "ftp://10.0.0.1"'), "is not a URL"),
        (one('kind = "stow"\nurl = "http://user:hush@10.0.0.1"'), "names a user"),
        (one(_STOW + 'labels = ["ai"]'), "a destination of kind stow has no such key"),
        (one(_STOW + 'user = "a"\ntoken = "b"'), "user and token are two ways in"),
        (one(_STOW + 'proof = "commitment"'), "a destination of kind stow knows answer, query"),
        (one('kind = "folder"\npath = "x"\nproof = "query"'), "a destination of kind folder knows answer"),
        (one(_DICOM + 'windows = ["22-4"]'), "windows"),
        (one(_DICOM + 'windows = ["24:00-04:00"]'), "windows"),
        (one(_DICOM + 'proof = "commitment"'), "its reports would be rejected"),
        (one(_DICOM) * 2, "two destinations have this name"),
        (one(_DICOM) + '[[destination_group]]\nname = "pacs"\nmembers = ["pacs"]', "two destinations have this name"),
        (one(_DICOM) + '[[destination_group]]\nname = "g"\nmembers = ["other"]', "there is no destination other"),
        (one(_DICOM) + '[[destination_group]]\nname = "g"\nmembers = ["pacs"]\n' * 2, "two groups have one name"),
        (one('kind = "orthanc"\nurl = "http://10.0.0.1"\nlabels = ["no blanks"]'), "labels"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadConfiguration, match=words) as wrong:
        read(tmp_path, text)
    assert "hush" not in str(wrong.value)


def test_every_kind_is_built_from_its_keys(tmp_path: Path) -> None:
    text = (
        one(_DICOM + 'windows = ["22:00-04:00"]\nmax_parallel = 2\nproof = "query"\n')
        + '[[destination]]\nname = "s"\n' + _STOW + 'token = "t"\nproof = "query"\n'
        + '[[destination]]\nname = "o"\nkind = "orthanc"\nurl = "http://10.0.0.1:8042"\nlabels = ["ai"]\n'
        + '[[destination]]\nname = "f"\nkind = "folder"\npath = "out"\n'
        + '[[destination_group]]\nname = "any"\nmembers = ["pacs", "s"]\n'
    )  # fmt: skip
    settings = read(tmp_path, text)
    built = [build_destination(found, "MRICORE") for found in settings.destination]
    assert [type(found).__name__ for found in built] == ["DicomPeer", "StowServer", "OrthancDestination", "Folder"]
    assert settings.destination_names == ["pacs", "s", "o", "f", "any"]


def test_tls_files_that_are_no_good_are_found_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    settings = read(tmp_path, one(_DICOM + f'tls = true\ntls_ca = "{tmp_path / "ca.pem"}"\n'))
    with pytest.raises(BadConfiguration, match="destination pacs: tls_ca"):
        build_destination(settings.destination[0], "MRICORE")
