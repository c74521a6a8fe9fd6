"""The network computes what the authors' code computes, and reads their state dicts strictly."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

from node.errors import BadConfiguration  # noqa: E402
from node.mricore.config import HEAD, MRI_CORE  # noqa: E402
from node.mricore.network import Network, load_state  # noqa: E402

GOLDEN = Path(__file__).parents[3] / "shared" / "data" / "golden"


def golden_tensor(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor that the golden vectors were made with (one generator per tensor, seeded by its name)."""
    drawn = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) == 1:
        made = 0.1 * drawn + (1 if key.endswith("weight") else 0)
    elif "pos_embed" in key:
        made = 0.1 * drawn
    elif "gaussian_matrix" in key or (len(shape) == 2 and ("token" in key or "embed" in key)):
        made = drawn
    else:
        fan = shape[0] if len(shape) == 4 and "output_upscaling" in key else np.prod(shape[1:])
        made = drawn / np.sqrt(fan)
    return np.asarray(made, np.float32)


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def golden_network(size: int, classes: int) -> Network:
    network = Network(replace(MRI_CORE, image_size=size, classes=classes)).eval()
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    load_state(network, {key: torch.from_numpy(golden_tensor(key, shapes[key])) for key in shapes}, "golden")
    return network


@pytest.mark.parametrize(
    ("size", "classes", "file"),
    [
        (256, 2, "golden_256_nc2_ad1.npz"),
        pytest.param(1024, 1, "golden_1024_nc1_ad1.npz", marks=pytest.mark.slow),
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
    listed = [line.split("\t")[:2] for line in (GOLDEN / "keys_full.txt").read_text().splitlines() if line[0] != "#"]
    state = {key: torch.zeros([int(n) for n in shape.strip("(,)").split(",") if n.strip()]) for key, shape in listed}
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
