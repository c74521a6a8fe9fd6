"""Heads of one frozen encoder: the encoder is one model, and looks at every slice of a series once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")
pytest.importorskip("onnxscript", reason="needs the extra `models`")

from node.adapters.triton import EmbeddedTriton, TritonClient, read_repository  # noqa: E402
from node.adapters.triton.calibration import write_calibration  # noqa: E402
from node.adapters.triton.repository import ensembles  # noqa: E402
from node.core import ood, phantom  # noqa: E402
from node.core.ood import Oddity  # noqa: E402
from node.errors import BadConfiguration  # noqa: E402
from node.mricore import served  # noqa: E402
from node.mricore.checkpoint import write  # noqa: E402
from node.mricore.config import NetworkConfig  # noqa: E402
from node.mricore.draft import read_draft  # noqa: E402
from node.mricore.model_folder import Publishing, sources_of  # noqa: E402
from node.mricore.network import Network  # noqa: E402
from node.mricore.sharing import encoder_name, publish_shared  # noqa: E402
from node.mricore.vectors import Embedder  # noqa: E402
from node.pipeline.features import KeptFeatures  # noqa: E402
from node.pipeline.models import Models  # noqa: E402
from tests.models.checkpoints import SMALL, full_state  # noqa: E402
from tests.models.test_model_folder import card_of_the_howto  # noqa: E402

FROZEN = replace(SMALL, adapter_blocks=())
SLICES = 7


def head(folder: Path, name: str, shift: float, config: NetworkConfig = FROZEN) -> Publishing:
    """A checkpoint of the same encoder and another decoder, and its card."""
    network = Network(config).eval()
    state = full_state(config)
    network.load_state_dict({key: state[key] for key in network.state_dict()})
    with torch.no_grad():
        network.mask_decoder.mask_tokens.weight.add_(shift)
    write(network, folder / f"{name}.pt")
    (folder / f"{name}.yaml").write_text(card_of_the_howto(64).replace("name: knee_bones", f"name: {name}"))
    return Publishing(sources_of(folder / f"{name}.pt", None, print), print)


def test_adapters_in_the_encoder_keep_a_head_whole(tmp_path: Path) -> None:
    publishing = head(tmp_path, "adapted", 0.0, SMALL)
    with pytest.raises(BadConfiguration, match=r"adapters in the encoder's blocks 0.*without --share"):
        publish_shared(publishing, read_draft(tmp_path / "adapted.yaml", "adapted"), tmp_path / "adapted")
    assert not list(tmp_path.glob("encoder_*"))


def test_an_encoder_is_named_by_its_weights_and_its_preparation(tmp_path: Path) -> None:
    head(tmp_path, "one", 0.0)
    network = Network(FROZEN)
    draft = read_draft(tmp_path / "one.yaml", "one")
    name = encoder_name(network, draft)
    assert encoder_name(network, draft) == name
    text = (tmp_path / "one.yaml").read_text().replace("normalize: imagenet", "normalize: unit")
    (tmp_path / "one.yaml").write_text(text)
    assert encoder_name(network, read_draft(tmp_path / "one.yaml", "one")) != name
    with torch.no_grad():
        network.image_encoder.pos_embed.add_(1)
    assert encoder_name(network, draft) != name


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two heads and the encoder that they share."""
    drafts, made = tmp_path_factory.mktemp("drafts"), tmp_path_factory.mktemp("repository")
    for name, shift in (("bones", 0.0), ("muscles", 0.5)):
        publishing = head(drafts, name, shift)
        publish_shared(publishing, read_draft(drafts / f"{name}.yaml", name), made / name)
    return made


@pytest.mark.slow
def test_two_heads_name_one_encoder_and_their_canaries_pass(repository: Path) -> None:
    models = {model.card.name: model for model in read_repository(repository)}
    (encoder,) = (name for name in models if name.startswith("encoder_"))
    assert {models[name].card.shared.encoder for name in ("bones", "muscles")} == {encoder}  # type: ignore[union-attr]
    assert ensembles(repository) == ("bones_whole", "muscles_whole")
    for model in models.values():
        served.check_canary(model)
    assert not np.array_equal(models["bones"].canary, models["muscles"].canary)


@pytest.mark.slow
def test_a_head_of_another_encoder_is_refused(repository: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(repository, tmp_path / "copy"))
    for gone in copy.glob("encoder_*"):
        shutil.rmtree(gone)
    with pytest.raises(BadConfiguration, match=r"names the encoder encoder_.*, which is not there"):
        read_repository(copy)


@pytest.mark.slow
def test_the_encoder_looks_at_each_slice_once_for_all_heads(
    repository: Path, start_triton: Callable[..., EmbeddedTriton], tmp_path: Path
) -> None:
    found = read_repository(repository)
    names = tuple(model.card.name for model in found)
    slices = phantom.voxels(phantom.Grid(slices=SLICES, rows=80, columns=96, slice_spacing=20.0), seed=1).array
    slices[0] = 1000  # says nothing, and is not sent
    server = start_triton(repository, (*names, *ensembles(repository)))
    with TritonClient(server.url, token=server.token) as client:
        models = Models(found, client, 60, KeptFeatures(tmp_path / "features"))
        assert models.ask_canaries() == {}
        before = looked_at(client)
        labels = {
            name: models.infer(models.cards[name], slices, "test", lambda: None, "series 1")
            for name in ("bones", "muscles")
        }
        assert looked_at(client) - before == SLICES - 1
        restarted = Models(found, client, 60, KeptFeatures(tmp_path / "features"))
        assert restarted.ask_canaries() == {}
        before = looked_at(client)
        again = restarted.infer(restarted.cards["bones"], slices, "test", lambda: None, "series 1")
        assert looked_at(client) == before
        other = models.infer(models.cards["bones"], slices[1:], "test", lambda: None, "series 2")
        assert looked_at(client) == before + SLICES - 1
        assert np.array_equal(again, labels["bones"])
        assert np.array_equal(other, labels["bones"][1:])
        for name, mine in labels.items():
            assert not mine[0].any()
            assert mine[1:].any()
            whole = client.ask(f"{name}_whole", "", {"slices": slices}, ("labels",))["labels"]
            assert np.array_equal(whole, mine), name
        assert not np.array_equal(labels["bones"], labels["muscles"])


@pytest.mark.slow
def test_a_head_is_judged_by_its_encoders_vectors_and_the_encoder_is_not_asked_again(
    repository: Path, start_triton: Callable[..., EmbeddedTriton], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(repository, tmp_path / "copy"))
    found = {model.card.name: model for model in read_repository(copy)}
    heads = [phantom.voxels(phantom.Grid(slices=8, rows=64, columns=64), seed=seed).array for seed in range(4)]
    write_calibration(found["bones"], ood.fit([Embedder(found["bones"]).vectors(each) for each in heads]))
    server = start_triton(copy, tuple(found))
    with TritonClient(server.url, token=server.token) as client:
        models = Models(tuple(found.values()), client, 60, KeptFeatures(tmp_path / "features"))
        assert models.ask_canaries() == {}
        before = looked_at(client)
        judged: list[Oddity] = []
        for name in ("muscles", "bones", "bones"):
            models.infer(models.cards[name], heads[0], "test", lambda: None, "series 1", judged.append)
        assert looked_at(client) - before == len(heads[0])
    assert judged[0] == judged[1]
    assert judged[0].score < 0.05


def looked_at(client: TritonClient) -> int:
    """Slices that the encoder was shown, by the server's statistics."""
    return sum(one.slices for one in client.statistics() if one.model.startswith("encoder_"))
