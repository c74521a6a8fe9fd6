"""What surrounds the network is indifferent to the scale of intensities and survives export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

from node.core.phantom import Grid, voxels  # noqa: E402
from node.mricore.config import HEAD  # noqa: E402
from node.mricore.graphs import Segmentation  # noqa: E402
from node.mricore.network import Network  # noqa: E402
from node.mricore.segmenter import Segmenter, normalise, resize  # noqa: E402
from node.mricore.training.loop import start  # noqa: E402

TINY = replace(HEAD, depth=2, width=48, heads=3, global_blocks=(1,), embedding=32, decoder_hidden=32)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    made = Segmenter(Network(TINY)).eval()
    start(made.network, 3)
    return made


@pytest.mark.parametrize("size", [(256, 256), (100, 300), (500, 64)])
def test_resizing_is_bilinear_with_antialiasing(size: tuple[int, int]) -> None:
    image = torch.rand(2, 1, 173, 211)
    wanted = torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True)
    assert torch.allclose(resize(image, *size), wanted, atol=1e-5)


def test_normalised_slices_do_not_depend_on_scale_and_offset() -> None:
    slices = torch.from_numpy(voxels(Grid(slices=2, rows=90, columns=100, pixel_spacing=(2.5, 2.5))).array.astype(int))
    plain, _ = normalise(slices.float(), 64)
    changed, _ = normalise((slices * 17 + 300).float(), 64)
    assert torch.allclose(plain, changed, atol=1e-4)
    assert plain.min() == 0
    assert plain.max() == 1


def test_a_constant_slice_is_background(segmenter: Segmenter) -> None:
    with torch.inference_mode():
        assert not segmenter(torch.full((2, 40, 50), 700, dtype=torch.int32)).any()


def test_modality_values_of_any_scale_are_labelled_as_whole_numbers_are(segmenter: Segmenter) -> None:
    slices = torch.from_numpy(voxels(Grid(slices=4, rows=90, columns=100, slice_spacing=20.0)).array.astype(np.int32))
    slices[0] = 700
    graph = Segmentation(segmenter)
    with torch.inference_mode():
        labels, probabilities, vector, _ = graph(slices)
        for scale, offset in ((1.0, 0.0), (1e-6, -0.01), (1e5, 3e6)):
            of_floats, *_ = graph(slices.to(torch.float32) * scale + offset)
            assert (of_floats == labels).float().mean() > 0.999
            assert not of_floats[0].any()
    assert labels[1:].any()
    assert ((probabilities[:, 0] > 0.5) == (labels & 1 == 1)).all()
    assert vector.shape == (4, TINY.width)


@pytest.mark.slow
def test_the_exported_graph_gives_what_torch_gives_for_every_shape(segmenter: Segmenter, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra `models`")
    from node.mricore.export import export, parity

    export(segmenter, tmp_path / "model.onnx")
    generator = np.random.default_rng(2)
    for shape in ((1, 64, 64), (3, 256, 256), (2, 301, 177), (17, 32, 20)):
        slices = generator.integers(0, 65536, shape).astype(np.int32)
        assert parity(segmenter, tmp_path / "model.onnx", slices) > 0.9999
