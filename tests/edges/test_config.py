"""Settings: what may be written, what is refused by name, and an example that holds every key and default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from node.config import Settings, load
from node.errors import BadConfiguration

EXAMPLE = Path(__file__).parents[2] / "deploy" / "node.example.toml"
_COMMENTED = re.compile(r"# ([a-z_]+ = .*)")
_TABLE = re.compile(r"(?:# )?\[+([a-z_]+)\]+")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return path


def lists() -> dict[str, type[BaseModel]]:
    """The settings that are written once for each entry, e.g. [[source]]."""
    found = {}
    for name, one in Settings.model_fields.items():
        inner = getattr(one.annotation, "__args__", ())
        if inner and isinstance(inner[0], type) and issubclass(inner[0], BaseModel):
            found[name] = inner[0]
    return found


def sections() -> dict[str, type[BaseModel]]:
    return {
        name: one.annotation
        for name, one in Settings.model_fields.items()
        if isinstance(one.annotation, type) and issubclass(one.annotation, BaseModel)
    }


def example_keys() -> Iterator[tuple[str, str, Any]]:
    """(section, key, value) of every line of the example, commented or not."""
    section = ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if table := _TABLE.match(line):
            section = table[1]
            continue
        commented = _COMMENTED.match(line)
        text = commented[1] if commented else line
        if section and " = " in text and not text.startswith("#"):
            for key, value in tomllib.loads(text).items():
                yield section, key, value


def model_of(section: str) -> type[BaseModel]:
    return {**sections(), **lists()}[section]


def default_of(model: type[BaseModel], key: str) -> Any:
    field = model.model_fields[key]
    return field.get_default(call_default_factory=True, validated_data={})


def test_without_a_file_every_key_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None, {})
    assert settings.node.ae_title == "MRICORE"
    assert settings.database_url == "sqlite:///var/node.db"
    assert settings.instances == Path("var/instances")


def test_the_example_is_read_and_says_the_defaults(tmp_path: Path) -> None:
    read, plain = load(EXAMPLE, {}), Settings()
    for section in sections():
        ours, theirs = getattr(read, section).model_dump(), getattr(plain, section).model_dump()
        shipped = {key for key, value in theirs.items() if isinstance(value, Path) and value.is_absolute()}
        assert {key: value for key, value in ours.items() if key not in shipped} == {
            key: value for key, value in theirs.items() if key not in shipped
        }, section


def test_every_key_of_the_settings_is_in_the_example() -> None:
    there = {(section, key) for section, key, _ in example_keys()}
    wanted = {(section, key) for section, model in (sections() | lists()).items() for key in model.model_fields}
    assert wanted - there == set()


def test_every_key_of_the_example_is_one_of_the_settings() -> None:
    for section, key, _ in example_keys():
        assert key in model_of(section).model_fields, f"{section}.{key}"


def test_every_figure_and_switch_that_the_example_shows_is_the_default() -> None:
    for section, key, value in example_keys():
        default = default_of(model_of(section), key)
        if isinstance(default, int | float) and not isinstance(value, str):  # "5 GB" is read by the test above
            assert value == default, f"{section}.{key}"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[node]\nae_titel = 'X'", "node.ae_titel", "unknown key"),
        ("[nodes]\nae_title = 'X'", "nodes", "unknown key"),
        ("[dicom]\nport = 'eleven'", "dicom.port", "integer"),
        ("[dicom]\nport = 70000", "dicom.port", "65535"),
        ("[dicom]\naccept = 'everybody'", "dicom.accept", "listed"),
        ("[node]\nae_title = 'SEVENTEEN LETTERS'", "node.ae_title", "16"),
        ("[node]\nae_title = ''", "node.ae_title", "1"),
        ("[storage]\nlow_watermark = 'much'", "storage.low_watermark", "integer"),
        ("[completion]\nquiet_seconds = 0", "completion.quiet_seconds", "greater"),
        ("[completion]\nquiet_seconds = inf", "completion.quiet_seconds", "finite"),
        ("[completion]\nlongest_seconds = 1e12", "completion.longest_seconds", "less"),
        ("[storage]\nkeep_days = 999999", "storage.keep_days", "36500"),
        ("[dicom]\nport = true", "dicom.port", "number"),
        ("[dicom]\nmax_pdu = 5000000000", "dicom.max_pdu", "less"),
        ("[node]\ndata_dir = '/srv/what?'", "node.data_dir", "question mark"),
        ("[node]\ndata_dir = '/srv/a%20b'", "node.data_dir", "question mark"),
        ("[node]\nae_title = '   '", "node.ae_title", "pattern"),
        ("node = 5", "node", "dictionary"),
        ("[[source]]\nname = 'a'\nae_title = 'B'\nhost = 'c'", "source.0.host", "unknown key"),
        ("[[destination]]\nname = 'a'\nkind = 'ftp'", "destination.0.kind", "dicom"),
        ("[[destination]]\nname = 'a'\nkind = 'dicom'", "destination a", "ae_title"),
        ("[[destination]]\nname = 'a'\nkind = 'folder'", "destination a", "path"),
        (
            "[[destination]]\nname = 'a'\nkind = 'folder'\npath = 'x'\n" * 2,
            "destination a",
            "two destinations",
        ),
    ],
)
def test_a_mistake_is_refused_with_the_file_the_key_and_what_is_wrong(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadConfiguration) as wrong:
        load(path, {})
    assert wrong.value.where.startswith(str(path))
    assert key in wrong.value.where
    assert words in str(wrong.value)


def test_an_unknown_key_points_at_the_example(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"node\.example\.toml lists every key"):
        load(written(tmp_path, "[node]\nx = 1"), {})


@pytest.mark.parametrize("content", [b"[node", b"\xff\xfe", b"a = \n"])
def test_what_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(content)
    with pytest.raises(BadConfiguration, match="not TOML"):
        load(path, {})


def test_a_missing_file_names_itself_and_the_cure(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"none\.toml: no such file.*node\.example\.toml"):
        load(tmp_path / "none.toml", {})


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        load(tmp_path, {})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[dicom]\nport = 104\naccept = 'any'")
    settings = load(path, {"MRICORE_DICOM__PORT": "11113", "MRICORE_NODE__AE_TITLE": "OTHER", "PATH": "/bin"})
    assert (settings.dicom.port, settings.dicom.accept, settings.node.ae_title) == (11113, "any", "OTHER")


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("", {"MRICORE_NODE__NOTHING": "1"}),
        ("", {"MRICORE_NOTHING__AT_ALL": "1"}),
        ("", {"MRICORE_DICOM__PORT": "eleven"}),
        ("[[source]]\nname = 'a'\nae_title = 'B'", {"MRICORE_SOURCE__NAME": "b"}),
        ("node = 5", {"MRICORE_NODE__AE_TITLE": "B"}),
    ],
)
def test_a_mistake_in_the_environment_is_refused_too(tmp_path: Path, text: str, environment: dict[str, str]) -> None:
    with pytest.raises(BadConfiguration):
        load(written(tmp_path, text), environment)


@pytest.mark.parametrize(
    ("variable", "key"), [("MRICORE_DICOM__PORT", "dicom.port"), ("MRICORE_NODE__NOTHING", "node.nothing")]
)
def test_a_mistake_in_the_environment_names_the_variable_and_not_the_file(
    tmp_path: Path, variable: str, key: str
) -> None:
    with pytest.raises(BadConfiguration) as wrong:
        load(written(tmp_path, "[dicom]\nport = 104"), {variable: "eleven"})
    assert wrong.value.where == f"{variable}: {key}"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors put one in front."""
    assert load(written(tmp_path, "\ufeff[node]\nae_title = 'X'"), {}).node.ae_title == "X"


@pytest.mark.parametrize(
    ("text", "size"),
    [("5 GB", 5 * 10**9), ("1.5 MB", 1_500_000), ("200", 200), ("7k", 7000), ("0", 0), ("2 TB", 2 * 10**12)],
)
def test_sizes_may_be_written_for_people(tmp_path: Path, text: str, size: int) -> None:
    path = written(tmp_path, f"[storage]\nlow_watermark = '{text}'")
    assert load(path, {}).storage.low_watermark == size


def test_settings_are_never_changed(tmp_path: Path) -> None:
    settings = load(written(tmp_path, ""), {})
    with pytest.raises(ValueError, match="frozen"):
        settings.node.ae_title = "OTHER"  # type: ignore[misc]


def test_a_secret_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss:word/1\n")
    (tmp_path / "token").write_text("opens")
    file = written(
        tmp_path, f'[[destination]]\nname = "a"\nkind = "stow"\nurl = "http://a"\ntoken_file = "{tmp_path}/token"'
    )
    environment = {
        "MRICORE_DATABASE__URL": "postgresql+psycopg://mricore@db/mricore",
        "MRICORE_DATABASE__PASSWORD_FILE": str(tmp_path / "password"),
        "MRICORE_TRITON__TOKEN_FILE": str(tmp_path / "token"),
    }
    settings = load(file, environment)
    assert settings.database_url == "postgresql+psycopg://mricore:p%40ss%3Aword%2F1@db/mricore"
    assert settings.triton.token.get_secret_value() == "opens"
    assert settings.destination[0].token.get_secret_value() == "opens"
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "p@ss" not in shown
        assert "opens" not in shown


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"MRICORE_TRITON__TOKEN_FILE": "/nowhere/token"}, "triton: .*/nowhere/token cannot be read"),
        ({"MRICORE_TRITON__TOKEN_FILE": "/dev/zero"}, "triton: .*/dev/zero is too long for a secret"),
        ({"MRICORE_TRITON__TOKEN_FILE": "/dev/null", "MRICORE_TRITON__TOKEN": "a"}, "triton: .*both set"),
        ({"MRICORE_TRITON__URL_FILE": "/dev/null"}, "triton.url_file: unknown key"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused_by_name(more: dict[str, str], what: str) -> None:
    with pytest.raises(BadConfiguration, match=what):
        load(None, more)
