"""The page for people, and the outlines as a presentation state."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.results import Form, encode, to_bytes
from node.core.results.letters import _runs as runs
from node.core.results.letters import register
from tests.results import card, letter_l, origin, values_of, volume_of
from tests.synthetic import Grid, enhanced, mr_series

GRID = Grid(slices=5, rows=40, columns=30)


def made(form: Form, name: str = "Doe^Jane", sources: list[Dataset] | None = None) -> Dataset:
    sources = mr_series(GRID) if sources is None else sources
    for source in sources:
        source.SpecificCharacterSet, source.PatientName = "ISO_IR 192", name
    volume = volume_of(sources)
    labels = letter_l(volume).astype(np.uint8)
    result = encode(volume, sources, labels, values_of(volume, sources), origin(card(2), sources), forms=[form])
    return dcmread(BytesIO(to_bytes(result.objects[form])))


def test_a_page_is_a_pdf_of_the_study_that_nobody_has_verified() -> None:
    page = made(Form.PDF)
    assert page.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert page.EncapsulatedDocument[: page.EncapsulatedDocumentLength].rstrip().endswith(b"%%EOF")
    assert (page.MIMETypeOfEncapsulatedDocument, page.VerificationFlag) == ("application/pdf", "UNVERIFIED")


@pytest.mark.parametrize("form", [Form.PDF, Form.GSPS])
def test_the_same_inputs_give_the_same_bytes(form: Form) -> None:
    assert to_bytes(made(form)) == to_bytes(made(form))


@pytest.mark.parametrize(
    "name",
    ["Buc^Jérôme", "Διονυσιος", "Люкceмбypг", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Hong^Gildong=洪^吉洞=홍^길동"],
)
def test_a_name_in_any_script_has_a_page(name: str) -> None:
    assert made(Form.PDF, name).EncapsulatedDocument.startswith(b"%PDF-")


def test_every_letter_is_drawn_in_a_font_that_has_it() -> None:
    register()
    assert [*runs("Ωλ Жé 山田 홍길동 们", bold=False)] == [
        ("Roboto", "Ωλ Жé "),
        ("HeiseiKakuGo-W5", "山田"),
        ("Roboto", " "),
        ("HYGothic-Medium", "홍길동"),
        ("Roboto", " "),
        ("STSong-Light", "们"),
    ]
    assert [*runs("a\u0628b", bold=True)] == [("Roboto-Bold", "a?b")]


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_outlines_lie_on_the_images_that_they_are_of(kind: str) -> None:
    sources = [enhanced(GRID)] if kind == "enhanced" else mr_series(GRID, order="shuffled")
    state = made(Form.GSPS, sources=sources)
    volume = volume_of(sources)
    found = [bool(plane.any()) for plane in letter_l(volume)]
    drawn = [item.ReferencedImageSequence[0] for item in state.GraphicAnnotationSequence]
    assert [(image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")) for image in drawn] == [
        (plane.sop_instance_uid, plane.frame) for plane, here in zip(volume.slices, found, strict=True) if here
    ]
    assert [layer.GraphicLayer for layer in state.GraphicLayerSequence] == ["SEGMENT1"]
