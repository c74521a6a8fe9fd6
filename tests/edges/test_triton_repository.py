"""A model folder whose parts do not agree is refused, with the file and the cure."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from node.adapters.triton import read_model, read_repository
from node.errors import BadConfiguration
from tests.triton_fixture import MODEL, REPOSITORY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REPOSITORY / MODEL, tmp_path / MODEL))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_models_of_the_project_agree_with_their_cards() -> None:
    names = [model.card.name for model in read_repository(REPOSITORY)]
    assert MODEL in names


def test_a_changed_card_no_longer_belongs_to_its_configurations(folder: Path) -> None:
    change(folder / "card.yaml", "to DICOM SEG", "to a DICOM SEG")
    with pytest.raises(BadConfiguration, match="does not belong to card") as refusal:
        read_model(folder)
    assert refusal.value.where.endswith("config.pbtxt: card_sha256")
    assert "put" in refusal.value.cure


@pytest.mark.parametrize(
    ("old", "new"),
    [("max_batch_size: 16", "max_batch_size: 8"), ("TYPE_INT32", "TYPE_FP32"), ("[ -1, -1 ]", "[ 256, 256 ]")],
)
def test_flavours_that_drift_apart_are_refused(folder: Path, old: str, new: str) -> None:
    change(folder / "configs" / "cpu.pbtxt", old, new)
    with pytest.raises(BadConfiguration, match=r"cpu\.pbtxt"):
        read_model(folder)


def test_tensors_that_the_node_does_not_speak_are_refused(folder: Path) -> None:
    for file in (folder / "config.pbtxt", folder / "configs" / "cpu.pbtxt"):
        change(file, '"labels"', '"mask"')
    with pytest.raises(BadConfiguration, match="By its card: it takes slices INT32"):
        read_model(folder)


def test_a_typing_error_in_a_configuration_names_its_line(folder: Path) -> None:
    change(folder / "config.pbtxt", "max_batch_size", "max_batch")
    with pytest.raises(BadConfiguration, match=r"4:1.*max_batch"):
        read_model(folder)


def test_other_weights_are_refused(folder: Path) -> None:
    (folder / "1" / "model.onnx").write_bytes(b"another network")
    with pytest.raises(BadConfiguration, match=r"weights\.sha256"):
        read_model(folder)


def test_another_canary_is_refused(folder: Path) -> None:
    (folder / "canary.npz").write_bytes(b"another bird")
    with pytest.raises(BadConfiguration, match=r"canary\.sha256"):
        read_model(folder)


@pytest.mark.parametrize("name", ["card.yaml", "config.pbtxt", "configs/cpu.pbtxt", "1/model.onnx", "canary.npz"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadConfiguration, match=Path(name).name):
        read_model(folder)


def test_a_renamed_folder_is_refused(folder: Path) -> None:
    with pytest.raises(BadConfiguration, match="Use one name"):
        read_model(folder.rename(folder.with_name("head")))


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="holds no model"):
        read_repository(tmp_path)
    with pytest.raises(BadConfiguration, match="is not a folder"):
        read_repository(tmp_path / "nowhere")
