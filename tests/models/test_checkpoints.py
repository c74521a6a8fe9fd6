"""A checkpoint is recognised and accounted for tensor by tensor; what is damaged, foreign or hostile is refused."""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

from node.core.card import NeckSource, PosEmbedSource  # noqa: E402
from node.errors import BadConfiguration  # noqa: E402
from node.mricore.assembly import config_of, encoder_of, features_of, network_of  # noqa: E402
from node.mricore.checkpoint import Checkpoint, Kind, read, write  # noqa: E402
from node.mricore.config import MRI_CORE  # noqa: E402
from node.mricore.inspection import inspect  # noqa: E402
from node.mricore.network import Network  # noqa: E402
from tests.models.checkpoints import (  # noqa: E402
    GOLDEN,
    NATIVE_SMALL,
    SMALL,
    full_state,
    listed,
    teacher_state,
)

OF_THE_FILE = (PosEmbedSource.CHECKPOINT, NeckSource.STATE_DICT)


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def network_in(path: Path) -> Network:
    return network_of(read(path), SMALL.image_size, *OF_THE_FILE, SMALL)


@pytest.fixture
def fine_tuned(tmp_path: Path) -> Path:
    return saved(tmp_path / "fine_tuned.pth", full_state(SMALL))


@pytest.fixture
def teacher(tmp_path: Path) -> Checkpoint:
    return read(saved(tmp_path / "teacher.pth", {"teacher": teacher_state(SMALL)}))


@pytest.fixture
def sam(tmp_path: Path) -> Checkpoint:
    state = full_state(replace(SMALL, image_size=128, classes=3, adapter_blocks=(), decoder_adapters=False))
    state["image_encoder.blocks.0.attn.rel_pos_h"] = torch.zeros(27, 16)
    return read(saved(tmp_path / "sam_vit_b.pth", state))


def test_a_fine_tuned_state_dict_tells_its_size_classes_and_adapters(fine_tuned: Path) -> None:
    checkpoint = read(fine_tuned)
    assert checkpoint.kind is Kind.FINE_TUNED
    assert len(checkpoint.sha256) == 64
    assert config_of(checkpoint, SMALL) == SMALL
    network = network_in(fine_tuned)
    assert torch.equal(network.image_encoder.pos_embed, checkpoint.state["image_encoder.pos_embed"])


@pytest.mark.parametrize("wrapper", ["model", "state_dict", "network"])
def test_a_wrapped_state_dict_is_found(wrapper: str, tmp_path: Path) -> None:
    parallel = {f"module.{key}": tensor for key, tensor in full_state(SMALL).items()}
    network_in(saved(tmp_path / "wrapped.pth", {wrapper: parallel, "epoch": 7}))


def test_what_is_written_here_is_read_with_its_sizes(tmp_path: Path) -> None:
    network = Network(SMALL)
    write(network, tmp_path / "own.pt")
    checkpoint = read(tmp_path / "own.pt")
    again = network_of(checkpoint, SMALL.image_size, *OF_THE_FILE)
    assert (checkpoint.kind, again.config) == (Kind.OWN, SMALL)
    assert all(torch.equal(again.state_dict()[key], tensor) for key, tensor in network.state_dict().items())


def test_relative_positions_make_it_sam_and_are_dropped(sam: Checkpoint) -> None:
    assert sam.kind is Kind.SAM
    network = network_of(sam, 128, *OF_THE_FILE, SMALL)
    assert not any("rel_pos" in key for key in network.state_dict())


def test_the_teacher_keeps_its_own_position_embedding(teacher: Checkpoint) -> None:
    assert teacher.kind is Kind.TEACHER
    encoder = encoder_of(teacher, 224, PosEmbedSource.CHECKPOINT, NeckSource.NONE, None, SMALL_PLAIN)
    wanted = teacher.state["pos_embed"][:, 1:].reshape(1, 14, 14, 48)
    assert torch.equal(encoder.pos_embed, wanted)
    assert torch.equal(encoder.state_dict()["blocks.2.mlp.lin1.weight"], teacher.state["blocks.2.mlp.lin1.weight"])


SMALL_PLAIN = replace(SMALL, adapter_blocks=(), decoder_adapters=False)


def test_every_source_of_position_embedding_and_neck_is_what_it_says(teacher: Checkpoint, sam: Checkpoint) -> None:
    larger = encoder_of(teacher, 256, PosEmbedSource.CHECKPOINT, NeckSource.NONE, None, SMALL_PLAIN)
    assert larger.pos_embed.shape == (1, 16, 16, 48)
    official = encoder_of(teacher, 128, PosEmbedSource.SAM, NeckSource.SAM, sam, SMALL_PLAIN)
    assert torch.equal(official.pos_embed, sam.state["image_encoder.pos_embed"])
    assert torch.equal(official.state_dict()["neck.0.weight"], sam.state["image_encoder.neck.0.weight"])
    assert torch.equal(official.state_dict()["blocks.0.norm1.weight"], teacher.state["blocks.0.norm1.weight"])
    assert not encoder_of(teacher, 128, PosEmbedSource.ZEROS, NeckSource.NONE, None, SMALL_PLAIN).pos_embed.any()


@pytest.mark.parametrize(
    ("position", "neck", "words"),
    [
        (PosEmbedSource.SAM, NeckSource.NONE, "needs Meta's SAM ViT-B"),
        (PosEmbedSource.CHECKPOINT, NeckSource.SAM, "needs Meta's SAM ViT-B"),
        (PosEmbedSource.CHECKPOINT, NeckSource.STATE_DICT, "has no neck"),
    ],
)
def test_a_source_that_is_not_there_is_not_made_up(
    teacher: Checkpoint, position: PosEmbedSource, neck: NeckSource, words: str
) -> None:
    with pytest.raises(BadConfiguration, match=words):
        encoder_of(teacher, 128, position, neck, None, SMALL_PLAIN)


def test_a_teacher_alone_segments_nothing(teacher: Checkpoint) -> None:
    with pytest.raises(BadConfiguration, match="no neck and no decoder"):
        network_of(teacher, 224, *OF_THE_FILE, SMALL)


@pytest.mark.parametrize(
    "stated", [(PosEmbedSource.ZEROS, NeckSource.STATE_DICT), (PosEmbedSource.SAM, NeckSource.SAM)]
)
def test_a_fine_tuned_head_keeps_what_it_was_trained_with(
    fine_tuned: Path, stated: tuple[PosEmbedSource, NeckSource]
) -> None:
    with pytest.raises(BadConfiguration, match="it was trained with"):
        network_of(read(fine_tuned), 64, *stated, SMALL)


def test_another_image_size_than_the_trained_one_is_refused(fine_tuned: Path) -> None:
    with pytest.raises(BadConfiguration, match="was trained at 64 px, the card states image_size 256"):
        network_of(read(fine_tuned), 256, *OF_THE_FILE, SMALL)


Damage = Callable[[dict[str, Any]], object]


def without(key: str) -> Damage:
    return lambda state: {name: tensor for name, tensor in state.items() if name != key}


def with_tensor(key: str, tensor: object) -> Damage:
    return lambda state: {**state, key: tensor}


NECK, QKV = "image_encoder.neck.0.weight", "image_encoder.blocks.1.attn.qkv.bias"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without(NECK), f"lacks {NECK}"),
        (without("image_encoder.pos_embed"), "not that of a whole network"),
        (without("mask_decoder.mask_tokens.weight"), "not that of a whole network"),
        (without("image_encoder.blocks.0.MLP_Adapter.D_fc1.weight"), "lacks image_encoder.blocks.0.MLP_Adapter"),
        (with_tensor("image_encoder.blocks.1.ls1.gamma", torch.ones(48)), "has unknown image_encoder.blocks.1.ls1"),
        (with_tensor("image_encoder.blocks.7.norm1.bias", torch.ones(48)), "has unknown image_encoder.blocks.7"),
        (with_tensor("optimizer", {"lr": 1.0}), "no tensor with a name"),
        (
            with_tensor(NECK, torch.zeros(64, 32, 1, 1)),
            "another shape for image_encoder.neck.0.weight: 64 × 32 × 1 × 1",
        ),
        (with_tensor("image_encoder.pos_embed", torch.zeros(3)), "another shape for image_encoder.pos_embed"),
        (with_tensor(QKV, torch.full((144,), torch.nan)), "not finite"),
        (with_tensor(QKV, torch.full((144,), -torch.inf)), "not finite"),
        (with_tensor(QKV, torch.zeros(144, dtype=torch.float16)), "is float16, not float32"),
        (with_tensor(QKV, torch.zeros(144, dtype=torch.bfloat16)), "is bfloat16, not float32"),
        (with_tensor(QKV, torch.zeros(144, dtype=torch.float64)), "is float64, not float32"),
        (with_tensor(QKV, torch.zeros(144, dtype=torch.bool)), "is bool, not float32"),
        (with_tensor(QKV, torch.zeros(144, dtype=torch.int64)), "is int64, not float32"),
        (with_tensor(QKV, torch.zeros(192)), "another shape for image_encoder.blocks.1.attn.qkv.bias: 192"),
        (with_tensor(QKV, torch.tensor(0.0)), "another shape for image_encoder.blocks.1.attn.qkv.bias: a number"),
        (with_tensor(f"module.{QKV}", torch.zeros(144)), "has unknown module.image_encoder"),
        (lambda state: {f"module.module.{key}": each for key, each in state.items()}, "neither MRI-CORE nor SAM"),
        (lambda state: {"optimizer": {"state": state}, "epoch": 7}, "no tensor with a name"),
        (lambda state: {"model": {"state_dict": state}}, "no tensor with a name"),
        (lambda state: {"model": None, "state_dict": []}, "no tensor with a name"),
        (lambda state: {"model": {}}, "is empty"),
        (with_tensor(QKV, torch.zeros(144, dtype=torch.complex64)), "is complex64, not float32"),
        (with_tensor(QKV, torch.zeros(1).expand(144)), "claims more values than the file holds"),
        (with_tensor(QKV, torch.zeros(2, 2).to_sparse()), "claims more values|than tensors and plain values"),
        (lambda state: {}, "is empty"),
        (lambda state: list(state.values()), "holds no state dict"),
        (lambda state: torch.zeros(3), "holds no state dict"),
        (lambda state: {"conv1.weight": torch.zeros(3)}, "neither MRI-CORE nor SAM: it begins with 'conv1.weight'"),
        (lambda state: {3: torch.zeros(3)}, "no tensor with a name"),
        (lambda state: {"mricore_node": {"width": 3}, "network": state}, "does not say its sizes"),
    ],
)
def test_a_state_dict_that_is_not_whole_and_sound_is_refused(damage: Damage, words: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "weights.pth", damage(full_state(SMALL)))
    with pytest.raises(BadConfiguration, match=words) as refusal:
        network_in(path)
    assert refusal.value.where == "weights.pth"
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("sizes", [{"depth": 10**9}, {"width": "wide"}, {"embedding": 7}, {"global_blocks": ("a",)}])
def test_sizes_that_no_network_has_are_refused(sizes: dict[str, Any], tmp_path: Path) -> None:
    from node.mricore.checkpoint import contents

    kept: Any = contents(Network(SMALL))
    kept["mricore_node"].update(sizes)
    with pytest.raises(BadConfiguration, match="sizes that no network has"):
        read(saved(tmp_path / "own.pt", kept))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("backbone.blocks.1.2.norm1.bias", "has two tensors for blocks.1.norm1.bias|lacks blocks.2.norm1.bias"),
        ("backbone.norm.weight", "lacks norm.weight"),
        ("backbone.cls_token", "lacks cls_token"),
    ],
)
def test_a_teacher_that_lacks_a_tensor_is_refused(key: str, name: str, tmp_path: Path) -> None:
    state = teacher_state(NATIVE_SMALL)
    del state[key]
    with pytest.raises(BadConfiguration, match=name):
        features_of(read(saved(tmp_path / "teacher.pth", {"teacher": state})), NATIVE_SMALL)


def test_blocks_that_are_numbered_within_their_chunk_are_refused(tmp_path: Path) -> None:
    state = {key.replace("blocks.1.2.", "blocks.1.0."): tensor for key, tensor in teacher_state(SMALL).items()}
    with pytest.raises(BadConfiguration, match="not numbered through"):
        read(saved(tmp_path / "teacher.pth", {"teacher": state}))


class Hostile:
    """What a pickle may do: run a command when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def test_a_hostile_file_is_refused_and_nothing_in_it_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = saved(tmp_path / "hostile.pth", {**full_state(SMALL), "extra": Hostile(mark)})
    with pytest.raises(BadConfiguration, match="nothing in it was run"):
        read(path)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(BadConfiguration):
        read(tmp_path / "plain.pth")
    assert not mark.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_file_that_is_cut_short_is_refused(share: float, fine_tuned: Path) -> None:
    content = fine_tuned.read_bytes()
    fine_tuned.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BadConfiguration, match="cut short"):
        read(fine_tuned)


def test_a_flipped_bit_is_found(fine_tuned: Path) -> None:
    content = bytearray(fine_tuned.read_bytes())
    content[len(content) // 2] ^= 4
    fine_tuned.write_bytes(content)
    with pytest.raises(BadConfiguration, match="checksum"):
        read(fine_tuned)


@pytest.mark.parametrize("content", [b"", b"weights", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(100), bytes(5000)])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.pth").write_bytes(content)
    with pytest.raises(BadConfiguration, match="no checkpoint"):
        read(tmp_path / "file.pth")


def test_an_archive_of_other_things_or_a_compressed_one_is_refused(tmp_path: Path) -> None:
    for compression, words in ((zipfile.ZIP_STORED, "not a checkpoint"), (zipfile.ZIP_DEFLATED, "compressed")):
        with zipfile.ZipFile(tmp_path / "file.pth", "w", compression) as archive:
            archive.writestr("readme.txt", "no weights")
        with pytest.raises(BadConfiguration, match=words):
            read(tmp_path / "file.pth")


def test_an_archive_whose_entries_lie_on_each_other_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A bomb without compression: every name stands for the same megabyte."""
    with zipfile.ZipFile(tmp_path / "file.pth", "w") as archive:
        archive.writestr("data", bytes(2**20))
        one = archive.infolist()[0]
        for number in range(1000):
            again = zipfile.ZipInfo(f"data/{number}")
            again.file_size = again.compress_size = one.file_size
            again.CRC, again.header_offset = one.CRC, one.header_offset
            archive.filelist.append(again)
    with pytest.raises(BadConfiguration, match=r"claims to hold more than its size|damaged"):
        read(tmp_path / "file.pth")


def test_what_is_not_a_state_dict_of_this_format_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 3), tmp_path / "model.pth")
    torch.save(full_state(SMALL), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({**full_state(SMALL), "args": argparse.Namespace(model="ours")}, tmp_path / "args.pth")
    torch.save(deep(3000), tmp_path / "deep.pth")
    for name, words in (
        ("model.pth", "nothing in it was run"),
        ("old.pth", "no checkpoint of torch"),
        ("args.pth", "nothing in it was run"),
        ("deep.pth", "not a checkpoint that torch can read|no state dict"),
    ):
        with pytest.raises(BadConfiguration, match=words):
            read(tmp_path / name)


def deep(levels: int) -> object:
    """A list in a list in a list."""
    nested: object = []
    for _ in range(min(levels, sys.getrecursionlimit() // 4)):
        nested = [nested]
    return nested


def test_two_files_in_one_are_refused(fine_tuned: Path) -> None:
    content = fine_tuned.read_bytes()
    fine_tuned.write_bytes(content[: len(content) // 2] + content)
    with pytest.raises(BadConfiguration):
        network_in(fine_tuned)


def test_a_folder_or_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.pth"):
        with pytest.raises(BadConfiguration, match="cannot be read"):
            read(path)


@pytest.mark.slow
def test_the_listed_layouts_go_through_at_full_size(tmp_path: Path) -> None:
    if not GOLDEN.is_dir():
        pytest.skip("the golden vectors are not beside the repository (shared/data/golden)")
    state = {key: torch.zeros(shape) for key, shape in listed("keys_official_ckpt_reported.txt").items()}
    teacher = read(saved(tmp_path / "MRI_CORE_vitb.pth", {"teacher": state}))
    assert inspect(tmp_path / "MRI_CORE_vitb.pth").segments.startswith("no: it has no neck and no decoder")
    assert sum(weights.numel() for weights in features_of(teacher).parameters()) == 85_798_656
    encoder_of(teacher, 1024, PosEmbedSource.CHECKPOINT, NeckSource.NONE)
    full = {key: torch.zeros(shape) for key, shape in listed("keys_full.txt").items()}
    fine_tuned = read(saved(tmp_path / "fine_tuned.pth", full))
    assert network_of(fine_tuned, 1024, *OF_THE_FILE).config == MRI_CORE
