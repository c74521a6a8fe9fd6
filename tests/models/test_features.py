"""The native 224 px path computes what a plain vision transformer computes, written down a second time."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

import numpy as np  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from node.mricore.assembly import features_of  # noqa: E402
from node.mricore.checkpoint import Checkpoint, Kind, read  # noqa: E402
from node.mricore.config import NetworkConfig  # noqa: E402
from node.mricore.features import NATIVE  # noqa: E402
from tests.models.checkpoints import NATIVE_SMALL, teacher_state  # noqa: E402


def plain_vit(state: dict[str, Tensor], config: NetworkConfig, image: Tensor) -> Tensor:
    """DINOv2's transformer from the tensors of the file under their own names: (B, 197, width) after the norm."""
    width, heads = config.width, config.heads
    patches = image.unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 1, 4, 5).reshape(len(image), 196, -1)
    flat = patches @ state["backbone.patch_embed.proj.weight"].reshape(width, -1).T
    flat = flat + state["backbone.patch_embed.proj.bias"]
    tokens = torch.cat([state["backbone.cls_token"].repeat(len(image), 1, 1), flat], 1) + state["backbone.pos_embed"]
    for number in range(config.depth):
        (prefix,) = {key[: key.index("norm1")] for key in state if f".{number}.norm1." in key}

        def layer(name: str, x: Tensor, prefix: str = prefix) -> Tensor:
            return x @ state[f"{prefix}{name}.weight"].T + state[f"{prefix}{name}.bias"]

        def norm(name: str, x: Tensor) -> Tensor:
            return functional.layer_norm(x, (width,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

        qkv = layer("attn.qkv", norm(f"{prefix}norm1", tokens)).reshape(len(image), 197, 3, heads, width // heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        shares = (query @ key.transpose(-1, -2) / (width // heads) ** 0.5).softmax(-1)
        tokens = tokens + layer("attn.proj", (shares @ value).transpose(1, 2).reshape(len(image), 197, width))
        hidden = layer("mlp.fc1", norm(f"{prefix}norm2", tokens))
        tokens = tokens + layer("mlp.fc2", hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5)))
    return functional.layer_norm(tokens, (width,), state["backbone.norm.weight"], state["backbone.norm.bias"], 1e-6)


@pytest.mark.parametrize("config", [NATIVE_SMALL, pytest.param(NATIVE, marks=pytest.mark.slow)], ids=["small", "ViT-B"])
def test_class_token_and_mean_patch_are_those_of_the_pre_training(
    config: NetworkConfig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    state = teacher_state(config)
    file = tmp_path_factory.mktemp("teacher") / "teacher.pth"
    torch.save({"teacher": state}, file)
    checkpoint = read(file)
    file.unlink()
    image = torch.from_numpy(np.random.default_rng(5).random((2, 3, 224, 224)).astype(np.float32))
    with torch.inference_mode():
        found = features_of(checkpoint, config)(image)
        tokens = plain_vit(state, config, image)
    for feature, wanted in zip(found, (tokens[:, 0], tokens[:, 1:].mean(1)), strict=True):
        assert feature.shape == (2, config.width)
        assert (feature - wanted).norm() / wanted.norm() < 1e-5


def test_only_a_teacher_has_them() -> None:
    from node.errors import BadConfiguration

    with pytest.raises(BadConfiguration, match="not the pre-trained teacher"):
        features_of(Checkpoint("sam.pth", "", Kind.SAM, {}, None))
