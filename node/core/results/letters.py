"""Text on a page in any script: each run of letters in a font that has them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

_PLAIN, _BOLD = "Roboto", "Roboto-Bold"
_FILES = {_PLAIN: "Roboto-Regular.ttf", _BOLD: "Roboto-Bold.ttf"}  # of the package font-roboto, Apache-2.0
_CHARSETS = {"HeiseiKakuGo-W5": "cp932", "HYGothic-Medium": "euc_kr", "STSong-Light": "gb2312"}  # PDF readers have them


def register() -> None:
    """Make the fonts known to reportlab, once."""
    known = set(pdfmetrics.getRegisteredFontNames())
    if _PLAIN in known:
        return
    spec = find_spec("font_roboto")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the package font-roboto is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "files"
    for name in _CHARSETS:
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    for name, file in _FILES.items():
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))


def draw(canvas: Canvas, x: float, y: float, text: str, size: float, width: float, *, bold: bool = False) -> None:
    """Draw one line, cut off with … where it is wider than `width`; lengths in points."""
    line = canvas.beginText(x, y)
    left = width
    for font, run in _runs(text, bold=bold):
        fitting = _fitting(run, font, size, left)
        line.setFont(font, size)
        line.textOut(fitting)
        left -= pdfmetrics.stringWidth(fitting, font, size)
        if fitting != run:
            line.setFont(_PLAIN, size)
            line.textOut("…")
            break
    canvas.drawText(line)


def _fitting(run: str, font: str, size: float, width: float) -> str:
    if pdfmetrics.stringWidth(run, font, size) <= width:
        return run
    room = width - pdfmetrics.stringWidth("…", _PLAIN, size)
    return next(
        (run[:end] for end in range(len(run), 0, -1) if pdfmetrics.stringWidth(run[:end], font, size) <= room), ""
    )


def _runs(text: str, *, bold: bool) -> Iterator[tuple[str, str]]:
    latin = _BOLD if bold else _PLAIN
    shown = "".join(letter if _font(letter, latin) else "?" for letter in text)
    for font, run in groupby(shown, key=lambda letter: _font(letter, latin)):
        yield font, "".join(run)


def _font(letter: str, latin: str) -> str:
    """The first font that has the letter; "" where none has."""
    if ord(letter) in pdfmetrics.getFont(latin).face.charToGlyph:
        return latin
    return next((font for font, charset in _CHARSETS.items() if _has(charset, letter)), "")


def _has(charset: str, letter: str) -> bool:
    try:
        letter.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
