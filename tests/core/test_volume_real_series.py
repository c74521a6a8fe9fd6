"""Every real series is judged rightly: which volumes it holds, or the reason why it holds none."""

from __future__ import annotations

import pytest

from node.core.volume import orientation, volume_for, volumes
from node.errors import NotProcessable
from tests.real import series

ONE_VOLUME = [  # series, slices, spacing in mm, orientation
    ("studyforrest-t1-ax-defaced", 184, 0.667, "axial"),
    ("siemens-t1-sag-hfs", 35, 4.8, "sagittal"),
    ("siemens-xa30-t1-enh", 96, 2.0, "sagittal"),
    ("philips-pcasl-classic", 40, 4.0, "axial"),
    ("philips-pcasl-enh", 40, 4.0, "axial"),
    ("ge-pd-ax-brain", 20, 7.0, "axial"),  # positions rounded: 6.95 to 7.07 mm apart; acquisition numbers all differ
    ("ge-knee-mese-te1", 24, 4.0, "sagittal"),
    ("ge-knee-mese-te5", 24, 4.0, "sagittal"),
    ("derived-fpg-flair-ax", 26, 5.5, "axial"),
    ("derived-sct-cspine-t2s-ax", 11, 7.5, "axial"),
    ("toshiba-mr-small-ts", 1, 0.0, "axial"),  # one instance in seven encodings
]

REFUSED = [
    ("ge-3plane-localizer", "3 orientations in one series (a localizer): no single volume"),
    ("siemens-mosaic-ts", "36 tiles in one image (mosaic): needs de-mosaicking, which this node does not do"),
    ("uih-dti-grid", "20 tiles in one image (mosaic): needs de-mosaicking, which this node does not do"),
    ("siemens-xa30-colfa-enh", "PhotometricInterpretation is RGB: not an image of MR signal intensities"),
    (
        "emri-small-ts",
        "a multi-frame image of 10 frames has no readable PerFrameFunctionalGroupsSequence: "
        "nothing says where its frames lie",
    ),
    (
        "canon-dti-classic",
        "each of 40 positions occurs 2 times (DiffusionBValue 0, 1500): say which with volume:",
    ),
    (
        "ge-b0map-multi",
        "each of 16 positions occurs 2 times (VasCollapseFlag 0, 2): say which with volume:",
    ),
]


@pytest.mark.parametrize(("name", "slices", "spacing", "plane"), ONE_VOLUME)
def test_a_plain_series_is_one_volume(name: str, slices: int, spacing: float, plane: str) -> None:
    volume = volume_for(series(name), None, at_least=1, at_most=1000)
    assert (volume.key, len(volume.slices), orientation(volume)) == ("", slices, plane)
    assert volume.slice_spacing == pytest.approx(spacing, abs=0.01)
    assert volumes(series(name)) == (volume,)


@pytest.mark.parametrize(("name", "reason"), REFUSED)
def test_a_series_that_is_no_single_volume_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(NotProcessable) as refusal:
        volume_for(series(name), None, at_least=1, at_most=1000)
    assert str(refusal.value) == reason


@pytest.mark.parametrize(
    ("names", "wanted", "key"),
    [
        (("ge-knee-mese-te1", "ge-knee-mese-te5"), "EchoTime=6.3", "EchoTime=6.312"),
        (("ge-knee-mese-te1", "ge-knee-mese-te5"), "te=32", "EchoTime=31.56"),
        (("canon-dti-classic",), "b=0", "DiffusionBValue=0"),
        (("canon-dti-classic",), "first", "DiffusionBValue=0"),
        (("canon-dti-classic",), "b=1500", "DiffusionBValue=1500"),
        (("ge-b0map-multi",), "VasCollapseFlag=2", "VasCollapseFlag=2"),
        (("ge-3plane-localizer",), "Orientation=coronal", "Orientation=coronal"),
    ],
)
def test_a_selector_finds_its_volume(names: tuple[str, ...], wanted: str, key: str) -> None:
    assert volume_for(series(*names), wanted, at_least=1, at_most=1000).key == key


@pytest.mark.parametrize("name", ["canon-dti-classic", "ge-b0map-multi", "ge-3plane-localizer", "ge-pd-ax-brain"])
def test_the_key_of_a_real_volume_finds_it_again(name: str) -> None:
    for volume in volumes(series(name)):
        assert volume_for(series(name), volume.key or None, at_least=1, at_most=1000) == volume


def test_two_echoes_in_one_series_are_two_volumes() -> None:
    found = volumes(series("ge-knee-mese-te1", "ge-knee-mese-te5"))
    assert [(volume.key, len(volume.slices)) for volume in found] == [("EchoTime=6.312", 24), ("EchoTime=31.56", 24)]


def test_the_same_acquisition_is_the_same_volume_in_classic_and_in_enhanced_images() -> None:
    (classic,), (enhanced,) = volumes(series("philips-pcasl-classic")), volumes(series("philips-pcasl-enh"))
    assert [one.position for one in classic.slices] == [pytest.approx(one.position) for one in enhanced.slices]
    assert {one.frame for one in classic.slices} == {None}
    assert sorted(one.frame or 0 for one in enhanced.slices) == list(range(1, 41))
