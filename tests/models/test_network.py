"""The network computes what the authors' code computes, and reads their state dicts strictly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

from torch import Tensor  # noqa: E402

from node.errors import BadConfiguration  # noqa: E402
from node.mricore.config import HEAD, MRI_CORE  # noqa: E402
from node.mricore.encoder import Block  # noqa: E402
from node.mricore.network import Network, load_state  # noqa: E402
from tests.models.checkpoints import GOLDEN, SMALL, golden_array, listed  # noqa: E402


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def golden_network(size: int, classes: int) -> Network:
    network = Network(replace(MRI_CORE, image_size=size, classes=classes)).eval()
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    load_state(network, {key: torch.from_numpy(golden_array(key, shapes[key])) for key in shapes}, "golden")
    return network


@pytest.mark.parametrize(
    ("size", "classes", "file"),
    [
        (256, 2, "golden_256_nc2_ad1.npz"),
        (1024, 1, "golden_1024_nc1_ad1.npz"),
    ],
)
def test_it_agrees_with_the_official_code(size: int, classes: int, file: str) -> None:
    if not GOLDEN.is_dir():
        pytest.skip("the golden vectors are not beside the repository (shared/data/golden)")
    golden, step = np.load(GOLDEN / file), max(1, size // 256)
    image = torch.from_numpy(np.random.default_rng(7).random((1, 3, size, size)).astype(np.float32))
    network = golden_network(size, classes)
    with torch.inference_mode():
        tokens = network.image_encoder.tokens(image)
        embedding = network.image_encoder.neck(tokens.permute(0, 3, 1, 2))
        logits = network.mask_decoder(embedding, *network.prompt_encoder())
    assert relative(tokens[:, ::step, ::step, ::8].numpy(), golden["tokens"]) < 1e-5
    assert relative(embedding[:, ::4, ::step, ::step].numpy(), golden["embedding"]) < 1e-5
    assert relative(logits[:, :, ::8, ::8].numpy(), golden["logits"]) < 1e-4


def test_the_state_dict_of_the_authors_is_accounted_for_tensor_by_tensor() -> None:
    if not GOLDEN.is_dir():
        pytest.skip("the golden vectors are not beside the repository (shared/data/golden)")
    state = {key: torch.zeros(shape) for key, shape in listed("keys_full.txt").items()}
    load_state(Network(MRI_CORE), state, "keys_full.txt")


@pytest.mark.parametrize("fault", ["missing", "unknown", "shape", "value"])
def test_a_state_dict_that_does_not_fit_is_refused(fault: str) -> None:
    network = Network(replace(HEAD, depth=1, width=48, heads=3))
    state = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    if fault == "missing":
        del state["image_encoder.neck.0.weight"]
    elif fault == "unknown":
        state["image_encoder.neck.9.weight"] = torch.zeros(1)
    elif fault == "shape":
        state["image_encoder.pos_embed"] = torch.zeros(1, 14, 14, 48)
    else:
        state["image_encoder.pos_embed"][0, 0, 0, 0] = torch.nan
    with pytest.raises(BadConfiguration, match=r"the state dict|not finite"):
        load_state(network, state, "weights.pth")


def test_the_demonstration_network_is_small() -> None:
    assert sum(each.numel() for each in Network(HEAD).parameters()) < 5_000_000


@pytest.mark.parametrize("side", [2, 6, 7, 8])
def test_merged_padding_gives_what_padded_windows_give(side: int) -> None:
    """Window 3: sides with no padding, one row of it, two rows, and a grid smaller than a window."""
    block = Block(replace(SMALL, width=48), 0).eval()
    with torch.inference_mode():
        for key, weights in block.named_parameters():
            weights.copy_(torch.from_numpy(golden_array(key, tuple(weights.shape))))
        tokens = torch.from_numpy(golden_array("tokens", (2, side, side, 48)))
        assert relative(block(tokens).numpy(), padded_block(block, tokens).numpy()) < 2e-6


def padded_block(block: Block, tokens: Tensor) -> Tensor:
    """The block as the authors compute it: every padded position has a key and a value of its own."""
    batch, side, _, width = tokens.shape
    pad = -side % block.window
    padded = torch.nn.functional.pad(tokens, (0, 0, 0, pad, 0, pad))
    seen = torch.zeros_like(padded)
    for top in range(0, side + pad, block.window):
        for left in range(0, side + pad, block.window):
            part = (slice(None), slice(top, top + block.window), slice(left, left + block.window))
            normal = block.norm1(padded[part].reshape(batch, -1, width))
            query, key, value = (
                each.reshape(batch, -1, block.attn.heads, width // block.attn.heads).transpose(1, 2)
                for each in block.attn.qkv(normal).chunk(3, -1)
            )
            shares = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
            out = block.attn.proj((shares @ value).transpose(1, 2).reshape(batch, -1, width))
            assert block.Space_Adapter is not None
            seen[part] = block.Space_Adapter(out).reshape(batch, block.window, block.window, width)
    tokens = tokens + seen[:, :side, :side]
    normal = block.norm2(tokens)
    assert block.MLP_Adapter is not None
    made: Tensor = tokens + block.mlp(normal) + 0.5 * block.MLP_Adapter(normal)
    return made
