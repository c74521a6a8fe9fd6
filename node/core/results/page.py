"""A page for people, as an Encapsulated PDF (PS3.3 A.45.1): a picture of what was found, the volumes, a warning.

Whose images they are stands on it as far as their header says, so that a page that was printed is not taken for
somebody else's. Latin, Greek and Cyrillic letters are in the file (Roboto); for Chinese, Japanese and Korean ones it
names the fonts that PDF readers bring along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage
from reportlab.lib.colors import Color
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from node.core.card import Code
from node.core.results.equipment import coded, complete, made_by, series_description, series_number, short
from node.core.results.evaluation import Evaluation
from node.core.results.hygiene import legal_text
from node.core.results.labels import Labels
from node.core.results.letters import draw, register
from node.core.results.measurements import SegmentMeasurement
from node.core.results.origin import Origin
from node.core.results.overlay import painted_planes, rgb
from node.core.results.planes import Source, instance_references
from node.core.results.uids import result_uid
from node.core.volume import Volume

_SERIES_OFFSET = 8
_MM = 72 / 25.4  # in points
_TITLE = Code("18748-4", "LN", "Diagnostic imaging report")
_LEFT, _WIDTH, _TOP = 20 * _MM, float(A4[0]) - 40 * _MM, float(A4[1]) - 22 * _MM
_PICTURE = 105 * _MM  # its longer side
_GREY, _RED = Color(0.35, 0.35, 0.35), Color(0.72, 0.07, 0.07)
_COLUMNS = (0.0, 78 * _MM, 108 * _MM, 140 * _MM)
_MOST_ROWS = 14  # of the table: what fits on the page
_WARNING = "Investigational. Made by a computer program and not verified by a person. Not for diagnosis."


def build_page(
    volume: Volume,
    source: Source,
    labels: Labels,
    values: NDArray[np.float32],
    measurements: Sequence[SegmentMeasurement],
    evaluations: Sequence[Evaluation],
    origin: Origin,
    moment: datetime,
) -> Dataset:
    """The page of labels that `labels.check_labels` has passed, as a plain data set."""
    out = complete(source.inherited.header, source, origin, moment)
    out.SOPClassUID = EncapsulatedPDFStorage
    out.SOPInstanceUID = result_uid("page", source.series_instance_uid, origin)
    out.SeriesInstanceUID = result_uid("page series", source.series_instance_uid, origin)
    out.SeriesNumber, out.InstanceNumber = series_number(source, origin, _SERIES_OFFSET), 1
    out.SeriesDescription, out.Modality = series_description(origin, "Page"), "DOC"
    made_by(out, origin)
    out.ConversionType, out.BurnedInAnnotation = "WSD", "YES"
    out.AcquisitionDateTime = None
    out.SourceInstanceSequence = instance_references(source)
    out.DocumentTitle = short(f"{origin.card.title}: summary", 1024)
    out.ConceptNameCodeSequence = [coded(_TITLE)]
    out.VerificationFlag = "UNVERIFIED"
    out.MIMETypeOfEncapsulatedDocument = "application/pdf"
    content = _page(out, source, _picture(volume, labels, values, origin), measurements, evaluations, origin)
    out.EncapsulatedDocumentLength = len(content)
    out.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return out


def _picture(volume: Volume, labels: Labels, values: NDArray[np.float32], origin: Origin) -> tuple[int, Image.Image]:
    """The slice on which most was found, or the middle one, in the proportions of the patient."""
    sizes = np.count_nonzero(labels, axis=(1, 2))
    index = int(sizes.argmax()) if sizes.any() else len(labels) // 2
    (painted,) = painted_planes(labels[[index]], values, [index], origin)
    height, width = volume.rows * volume.pixel_spacing[0], volume.columns * volume.pixel_spacing[1]
    pixels = 2 * max(volume.rows, volume.columns) / max(height, width)
    size = max(1, round(width * pixels)), max(1, round(height * pixels))
    return index, Image.fromarray(painted).resize(size, Image.Resampling.BICUBIC)


def _page(
    header: Dataset,
    source: Source,
    picture: tuple[int, Image.Image],
    measurements: Sequence[SegmentMeasurement],
    evaluations: Sequence[Evaluation],
    origin: Origin,
) -> bytes:
    register()
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.setTitle(str(header.DocumentTitle))
    canvas.setAuthor(short(origin.manufacturer))
    y = _heading(canvas, header, source, origin)
    y = _shown(canvas, picture, y)
    y = _table(canvas, measurements, origin, y)
    for sentence in _said(evaluations, origin):
        y = _line(canvas, y, sentence)
    _foot(canvas, origin)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _line(
    canvas: Canvas, y: float, text: str, size: float = 10, *, bold: bool = False, color: Color | None = None
) -> float:
    canvas.setFillColor(color or Color(0, 0, 0))
    draw(canvas, _LEFT, y, text, size, _WIDTH, bold=bold)
    return y - size * 1.45


def _heading(canvas: Canvas, header: Dataset, source: Source, origin: Origin) -> float:
    y = _line(canvas, _TOP, origin.card.title, 17, bold=True)
    y = _line(canvas, y, _WARNING, 10, bold=True, color=_RED) - 2 * _MM
    first = source.headers[0]
    rows = (
        ("Patient", " · ".join(one for one in (_name(header), str(header.get("PatientID") or "")) if one)),
        ("Born", _date(header, "PatientBirthDate")),
        (
            "Study",
            " · ".join(one for one in (_date(header, "StudyDate"), str(header.get("AccessionNumber") or "")) if one),
        ),
        ("Series", " · ".join(one for one in (legal_text(first, "SeriesDescription"), _number(source)) if one)),
    )
    for name, text in rows:
        canvas.setFillColor(_GREY)
        draw(canvas, _LEFT, y, name, 10, _WIDTH)
        canvas.setFillColor(Color(0, 0, 0))
        draw(canvas, _LEFT + 22 * _MM, y, text or "not known", 10, _WIDTH - 22 * _MM)
        y -= 14.5
    return y - 2 * _MM


def _name(header: Dataset) -> str:
    """The groups of a person's name (PS3.5 6.2.1): in letters, and as it is written at home."""
    groups = str(header.get("PatientName") or "").split("=")[:2]
    return " · ".join(" ".join(group.replace("^", " ").split()) for group in groups if group.strip("^ "))


def _date(header: Dataset, keyword: str) -> str:
    date = str(header.get(keyword) or "")
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else ""


def _number(source: Source) -> str:
    return "" if source.series_number is None else f"number {source.series_number}"


def _shown(canvas: Canvas, picture: tuple[int, Image.Image], y: float) -> float:
    index, image = picture
    scale = _PICTURE / max(image.size)
    width, height = float(image.width * scale), float(image.height * scale)
    canvas.drawImage(ImageReader(image), _LEFT, y - height, width, height)
    canvas.setFillColor(_GREY)
    draw(canvas, _LEFT, y - height - 12, f"Slice {index + 1}, on which most was found", 9, _WIDTH)
    return y - height - 30


def _table(canvas: Canvas, measurements: Sequence[SegmentMeasurement], origin: Origin, y: float) -> float:
    heads = ("Finding", "Volume, ml", "Mean signal", "Diameter, mm")
    for column, head in zip(_COLUMNS, heads, strict=True):
        canvas.setFillColor(_GREY)
        draw(canvas, _LEFT + column, y, head, 9, _WIDTH)
    y -= 5
    canvas.setStrokeColor(_GREY)
    canvas.line(_LEFT, y, _LEFT + _WIDTH, y)
    for segment, measured in list(zip(origin.card.segments, measurements, strict=True))[:_MOST_ROWS]:
        y -= 13.5
        canvas.setFillColor(Color(*(float(share) / 255 for share in rgb(segment.color))))
        canvas.rect(_LEFT, y - 1, 8, 8, stroke=0, fill=1)
        canvas.setFillColor(Color(0, 0, 0))
        draw(canvas, _LEFT + 13, y, segment.label, 10, 62 * _MM)
        numbers = (measured.volume_ml, measured.mean, measured.diameter_mm)
        for column, number in zip(_COLUMNS[1:], numbers, strict=True):
            draw(canvas, _LEFT + column, y, _figure(number, found=measured.voxels > 0), 10, 30 * _MM)
    if len(measurements) > _MOST_ROWS:
        y -= 13.5
        draw(canvas, _LEFT + 13, y, f"{len(measurements) - _MOST_ROWS} more are in the report", 10, _WIDTH)
    return y - 22


def _figure(number: float | None, *, found: bool) -> str:
    if not found:
        return "not found"
    return "–" if number is None else f"{number:.1f}"


def _said(evaluations: Sequence[Evaluation], origin: Origin) -> Iterator[str]:
    labels = {segment.number: segment.label for segment in origin.card.segments}
    for one in evaluations[:6]:
        of = f" ({labels[one.segment]})" if one.segment in labels else ""
        yield f"{one.concept.meaning}{of}: {one.value.meaning}"


def _foot(canvas: Canvas, origin: Origin) -> None:
    card = origin.card
    canvas.setFillColor(_GREY)
    lines = (
        f"Model {card.name} {card.version}, weights {card.weights.sha256[:16]}; rule {origin.rule}; "
        f"{origin.manufacturer} {origin.node_version}, result {origin.result_version}",
        f"Intended use: {card.intended_use}",
        f"Limits: {card.limits}",
    )
    for row, text in enumerate(lines):
        draw(canvas, _LEFT, 16 * _MM - row * 10, " ".join(text.split()), 7.5, _WIDTH)
