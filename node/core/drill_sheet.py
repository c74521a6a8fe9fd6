"""The pass sheet of a drill, as PDF, for the risk file of a site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from unicodedata import east_asian_width

from reportlab.lib.colors import Color
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from node.core.drill import About, Outcome, exercise
from node.core.results.letters import draw, register

_MM = 72 / 25.4
_LEFT, _WIDTH, _TOP, _BOTTOM = 20 * _MM, float(A4[0]) - 40 * _MM, float(A4[1]) - 20 * _MM, 24 * _MM
_GREY, _BLACK, _GREEN, _RED = Color(0.35, 0.35, 0.35), Color(0, 0, 0), Color(0.05, 0.4, 0.15), Color(0.72, 0.07, 0.07)
_LETTERS = 104  # of a line at 9 points
_LEAD = 12.0


def sheet(about: About, outcomes: Sequence[Outcome]) -> bytes:
    """A PDF of as many pages as it takes; the same for the same values."""
    register()
    file = BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle("Fault drill")
    canvas.setAuthor(f"mricore-node {about.version}")
    page = _Page(canvas, about)
    page.head(outcomes)
    for one in outcomes:
        page.outcome(one)
    page.signed()
    canvas.save()
    return file.getvalue()


class _Page:
    """Where the next line goes."""

    def __init__(self, canvas: Canvas, about: About) -> None:
        self._canvas, self._about = canvas, about
        self._y, self._number = _TOP, 1

    def head(self, outcomes: Sequence[Outcome]) -> None:
        failed = sum(not one.passed for one in outcomes)
        about = self._about
        self._line("Fault drill", 18, bold=True, lead=26)
        told = (
            f"{len(outcomes)} exercises, all passed" if not failed else f"{failed} of {len(outcomes)} exercises failed"
        )
        self._line(told, 12, bold=True, lead=20, color=_RED if failed else _GREEN)
        for name, value in (
            ("Site", about.site),
            ("Node", f"mricore-node {about.version} on {about.machine}"),
            ("Date", f"{about.begun_at:%Y-%m-%d %H:%M} UTC"),
            ("Model", about.model),
        ):
            self._line(f"{name}: {value}", 10, lead=14)
        for text in about.conditions:
            self._text(text, color=_GREY)
        self._y -= 8

    def outcome(self, one: Outcome) -> None:
        about = exercise(one.name)
        lines = 4 + sum(len(_wrapped(text)) for text in (about.done, about.expected, one.seen))
        if self._y - lines * _LEAD < _BOTTOM:
            self._turn()
        self._canvas.setStrokeColor(_GREY)
        self._canvas.line(_LEFT, self._y + 14, _LEFT + _WIDTH, self._y + 14)
        word = "PASSED" if one.passed else "FAILED"
        color = _GREEN if one.passed else _RED
        self._line(f"{about.title} ({about.name})", 11, bold=True, lead=0)
        self._canvas.setFillColor(color)
        draw(self._canvas, _LEFT + _WIDTH - 110, self._y, f"{word}, {one.seconds:.0f} s", 11, 110, bold=True)
        self._y -= 16
        for name, text in (("Done", about.done), ("Expected", about.expected), ("Seen", one.seen)):
            self._text(f"{name}: {text}")
        self._y -= 8

    def signed(self) -> None:
        if self._y < _BOTTOM + 12 * _MM:
            self._turn()
        self._y -= 24
        self._canvas.setStrokeColor(_BLACK)
        for at, name in ((0.0, "Date"), (45 * _MM, "Name"), (105 * _MM, "Signature")):
            self._canvas.line(_LEFT + at, self._y, _LEFT + at + 40 * _MM, self._y)
            self._canvas.setFillColor(_GREY)
            draw(self._canvas, _LEFT + at, self._y - 11, name, 8, 40 * _MM)
        self._foot()

    def _turn(self) -> None:
        self._foot()
        self._canvas.showPage()
        self._y, self._number = _TOP, self._number + 1

    def _foot(self) -> None:
        self._canvas.setFillColor(_GREY)
        told = f"mricore-node {self._about.version}, {self._about.site}, {self._about.begun_at:%Y-%m-%d %H:%M} UTC"
        draw(self._canvas, _LEFT, 14 * _MM, f"{told}, page {self._number}", 8, _WIDTH)
        draw(self._canvas, _LEFT, 14 * _MM - 10, "Phantom data. Nothing clinical was touched.", 8, _WIDTH)

    def _text(self, text: str, color: Color = _BLACK) -> None:
        for line in _wrapped(text):
            self._line(line, 9, lead=_LEAD, color=color)

    def _line(self, text: str, size: float, *, bold: bool = False, lead: float, color: Color = _BLACK) -> None:
        if self._y < _BOTTOM:
            self._turn()
        self._canvas.setFillColor(color)
        draw(self._canvas, _LEFT, self._y, text, size, _WIDTH, bold=bold)
        self._y -= lead


def _wrapped(text: str) -> list[str]:
    """Lines that fit; a word that does not is broken."""
    lines, line, used = list[str](), "", 0
    for word in " ".join(text.split()).split(" "):
        for piece in _pieces(word):
            wide = _wide(piece)
            if line and used + 1 + wide > _LETTERS:
                lines, line, used = [*lines, line], piece, wide
            else:
                line, used = (f"{line} {piece}", used + 1 + wide) if line else (piece, wide)
    return [*lines, line]


def _pieces(word: str) -> Iterator[str]:
    while _wide(word) > _LETTERS:
        yield word[: _LETTERS // 2]
        word = word[_LETTERS // 2 :]
    yield word


def _wide(text: str) -> int:
    """In Latin letters: an ideograph is as wide as two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
