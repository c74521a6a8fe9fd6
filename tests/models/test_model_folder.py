"""From a checkpoint to a served model: exported, compared, sealed, verified; what does not fit is refused early."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="needs the extra `models`")
pytest.importorskip("onnxscript", reason="needs the extra `models`")

from node.adapters.triton import EmbeddedTriton, TritonClient, canary, read_model  # noqa: E402
from node.cli.models import models  # noqa: E402
from node.core.card import Contrast, Encoding, Normalize  # noqa: E402
from node.errors import BadConfiguration, ModelFailed  # noqa: E402
from node.mricore import export, invented, served  # noqa: E402
from node.mricore.checkpoint import read, write  # noqa: E402
from node.mricore.config import MRI_CORE  # noqa: E402
from node.mricore.draft import read_draft  # noqa: E402
from node.mricore.flavours import MODEL_PY  # noqa: E402
from node.mricore.making import Sources, at_once, segmenter_of  # noqa: E402
from node.mricore.model_folder import TOLERANCE, Publishing, publish, sources_of  # noqa: E402
from node.mricore.network import Network  # noqa: E402
from node.mricore.segmenter import Segmenter, normalise, preparation  # noqa: E402
from tests.command_line import mricore_node  # noqa: E402
from tests.models.checkpoints import SMALL, full_state  # noqa: E402
from tests.triton_fixture import MODEL, REPOSITORY  # noqa: E402

HOWTO = Path(__file__).parents[2] / "docs" / "howto-fine-tuned-head.md"
NAME = "knee_bones"


def card_of_the_howto(size: int) -> str:
    """The card that the how-to shows, at another image size."""
    text = HOWTO.read_text()
    card = text[text.index("name: knee_bones") :]
    return card[: card.index("```")].replace("image_size: 256", f"image_size: {size}")


def small_network() -> Network:
    network = Network(SMALL).eval()
    state = full_state(SMALL)
    network.load_state_dict({key: state[key] for key in network.state_dict()})
    return network


def publish_quietly(checkpoint: Path, card: Path, folder: Path, tolerance: float = TOLERANCE) -> None:
    draft = read_draft(card, NAME)
    publish(Publishing(sources_of(checkpoint, None, print), print, tolerance), draft, folder)


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint and the draft of its card."""
    folder = tmp_path_factory.mktemp("draft")
    write(small_network(), folder / "own.pt")
    (folder / "card.yaml").write_text(card_of_the_howto(SMALL.image_size))
    return folder / "own.pt", folder / "card.yaml"


@pytest.fixture
def demonstration(tmp_path: Path) -> Path:
    """A copy of the demonstration model: what it is checked with needs no export."""
    return Path(shutil.copytree(REPOSITORY / MODEL, tmp_path / "copy" / MODEL))


@pytest.fixture(scope="module")
def exported(drafted: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, made by the command."""
    checkpoint, card = drafted
    folder = tmp_path_factory.mktemp("repository") / NAME
    ran = CliRunner().invoke(models, ["export", str(checkpoint), "--card", str(card), "--to", str(folder)])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    for words in ("read own.pt", "write ONNX", "relative error of the logits", "of the labels equal"):
        assert words in ran.output
    return folder


@pytest.mark.slow
def test_the_folder_is_whole_and_its_parts_agree(exported: Path) -> None:
    model = read_model(exported)
    assert model.card.network is not None
    assert len(model.card.network.checkpoint_sha256) == 64
    assert model.card.weights.parameters == sum(each.numel() for each in small_network().parameters())
    assert model.canary.shape == canary.slices().shape
    assert "# as it was trained" in (exported / "card.yaml").read_text()
    assert sorted(each.name for each in exported.parent.iterdir()) == [NAME]


@pytest.mark.slow
def test_verify_asks_the_weights_for_the_canary(exported: Path) -> None:
    ran = mricore_node("models", "verify", exported)
    assert (ran.status, f"{NAME} 1: card, both configurations, weights and canary agree" in ran.out) == (0, True), ran


@pytest.mark.slow
def test_the_exported_model_is_served(exported: Path, start_triton: Callable[..., EmbeddedTriton]) -> None:
    server = start_triton(exported.parent, (NAME,))
    with TritonClient(server.url, token=server.token) as client:
        client.canary(read_model(exported))


@pytest.mark.slow
def test_a_folder_that_is_there_is_left_alone(exported: Path, drafted: tuple[Path, Path]) -> None:
    before = (exported / "card.yaml").read_bytes()
    ran = mricore_node("models", "export", drafted[0], "--card", drafted[1], "--to", exported)
    assert (ran.status, "--replace" in ran.err) == (2, True), ran
    assert (exported / "card.yaml").read_bytes() == before


@pytest.mark.slow
def test_a_difference_is_refused_with_the_figure_and_leaves_nothing(drafted: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match=r"relative error of the logits \d.*nothing was written"):
        publish_quietly(*drafted, tmp_path / NAME, tolerance=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("image_size: 64", "image_size: 256", "was trained at 64 px"),
        ("image_size: 64", "image_size: 50", "no multiple of 16"),
        ("normalize: imagenet", "normalize: guess", "network.normalize: 'guess' is not one of imagenet, unit, minmax"),
        ("  normalize: imagenet", "  # forgotten", "network.normalize: is missing"),
        ("  contrast: minmax", "  # forgotten", "network.contrast: is missing"),
        ("pos_embed_source: checkpoint", "pos_embed_source: zeros", "it was trained with"),
        ("neck_source: state_dict", "neck_source: none", "it was trained with"),
        ("network:", "netwerk:", "network: is missing"),
        ("name: knee_bones", "name: other", "is 'other', the folder is 'knee_bones'"),
        ("- number: 2", "- number: 3", "numbers must run from 1"),
        ("licence:", "license:", "weights.licence: is missing"),
        ("title:", "title: [", "not readable as YAML"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_before_anything_is_written(
    drafted: tuple[Path, Path], old: str, new: str, words: str, tmp_path: Path
) -> None:
    text = drafted[1].read_text()
    assert old in text
    (tmp_path / "card.yaml").write_text(text.replace(old, new))
    with pytest.raises(BadConfiguration) as refusal:
        publish_quietly(drafted[0], tmp_path / "card.yaml", tmp_path / NAME)
    assert words in str(refusal.value)
    assert not (tmp_path / NAME).exists()


def test_one_segment_must_be_named_for_each_class(drafted: tuple[Path, Path], tmp_path: Path) -> None:
    write(Network(replace(SMALL, classes=3)), tmp_path / "three.pt")
    with pytest.raises(BadConfiguration, match=r"names 2, three.pt has 3 classes"):
        segmenter_of(Sources(read(tmp_path / "three.pt")), read_draft(drafted[1], NAME))


def test_verify_finds_weights_that_give_other_labels(demonstration: Path, tmp_path: Path) -> None:
    model = read_model(demonstration)
    with pytest.raises(ModelFailed, match="Dice"):
        served.check_canary(replace(model, canary=np.zeros_like(model.canary)))


def test_inspect_says_what_a_checkpoint_is(drafted: tuple[Path, Path], tmp_path: Path) -> None:
    ran = mricore_node("models", "inspect", drafted[0], "--json")
    assert (ran.json["kind"], ran.json["image_size"], ran.json["classes"]) == ("own", 64, 2)
    assert ran.json["segments"] == "yes"
    (tmp_path / "teacher.pth").write_bytes(b"no weights")
    ran = mricore_node("models", "inspect", tmp_path / "teacher.pth")
    assert (ran.status, "no checkpoint" in ran.err) == (2, True)


def test_the_image_is_what_the_card_states() -> None:
    slices = torch.from_numpy(canary.slices().astype(np.int32))[:1]
    network = small_network()
    unit = Segmenter(network, preparation(Contrast.MINMAX, Normalize.UNIT))
    imagenet = Segmenter(network, preparation(Contrast.MINMAX, Normalize.IMAGENET))
    image, _ = normalise(slices.float(), 64, Contrast.MINMAX)
    assert (image.min().item(), image.max().item()) == (0, 1)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        assert torch.equal(unit.logits(image), network(image.expand(-1, 3, -1, -1)))
        wanted = network((image.expand(-1, 3, -1, -1) - mean[:, None, None]) / deviation[:, None, None])
        assert torch.allclose(imagenet.logits(image), wanted, atol=1e-5)


def test_a_label_map_gives_each_pixel_to_its_greatest_logit() -> None:
    slices = torch.from_numpy(canary.slices().astype(np.int32))
    with torch.inference_mode():
        labels, logits = Segmenter(small_network(), encoding=Encoding.LABELMAP).answer(slices)
    greatest, channel = logits.max(1)
    assert torch.equal(labels.long(), torch.where(greatest > 0, channel + 1, 0))


def test_the_demonstration_model_runs_the_program_that_export_writes() -> None:
    assert (REPOSITORY / MODEL / "1" / "model.py").read_text() == MODEL_PY


def test_large_images_are_computed_one_at_a_time_on_the_cpu() -> None:
    assert [at_once(replace(MRI_CORE, image_size=size)) for size in (1024, 512, 256)] == [1, 16, 16]


@pytest.mark.slow
def test_a_full_size_network_goes_through(tmp_path: Path) -> None:
    """ViT-B at 256 px with adapters and invented weights: state dict → ONNX → ONNX Runtime."""
    torch.save(invented.state(256, 2), tmp_path / "fine_tuned.pth")
    (tmp_path / "card.yaml").write_text(card_of_the_howto(256))
    publish_quietly(tmp_path / "fine_tuned.pth", tmp_path / "card.yaml", tmp_path / NAME)
    assert read_model(tmp_path / NAME).card.weights.parameters > 86_000_000


def test_one_chaotic_slice_is_let_pass_a_wrong_graph_is_not() -> None:
    nothing: dict[str, np.ndarray] = {}
    assert export.Parity((2e-5, 3e-3, 1e-5), 1.0, nothing).within(1e-3)
    assert not export.Parity((2e-5, 2e-2, 1e-5), 1.0, nothing).within(1e-3)
    assert not export.Parity((2e-3, 3e-3, 1e-5), 1.0, nothing).within(1e-3)
    assert not export.Parity((float("nan"),), 1.0, nothing).within(1e-3)
    assert not export.Parity((1e-7,), 1.0, nothing).within(0)
