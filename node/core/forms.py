"""The forms that a result can have. A destination says which it wants; a job makes what its destinations want."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Form(StrEnum):
    """One object of a result. The value is its kind in the database and in listings: eight characters at most."""

    BINARY = "SEG"
    LABELMAP = "LABELMAP"
    FRACTIONAL = "FRACTION"
    PLANAR = "SR"  # with outlines on the source images
    SEGMENT = "SR-SEG"  # with references to the segments of the BINARY SEG
    OVERLAY = "OVERLAY"  # Secondary Capture in colour
    GSPS = "GSPS"  # Grayscale Softcopy Presentation State
    PDF = "PDF"  # a page for people


class SegChoice(StrEnum):
    """`seg` of a destination."""

    BINARY = "binary"
    LABELMAP = "labelmap"
    FRACTIONAL = "fractional"
    NONE = "none"


class SrChoice(StrEnum):
    """`sr` of a destination."""

    PLANAR = "planar"
    SEGMENT = "segment"
    BOTH = "both"
    NONE = "none"


DEFAULT = frozenset({Form.BINARY, Form.PLANAR})  # what every reader and validator takes, and OHIF shows
IN_PLACE = {Form.LABELMAP: Form.BINARY, Form.FRACTIONAL: Form.BINARY}  # what goes where a form is refused
SR_FORMS = frozenset({Form.PLANAR, Form.SEGMENT})

_SEG = {SegChoice.BINARY: Form.BINARY, SegChoice.LABELMAP: Form.LABELMAP, SegChoice.FRACTIONAL: Form.FRACTIONAL}
_SR = {
    SrChoice.PLANAR: (Form.PLANAR,),
    SrChoice.SEGMENT: (Form.SEGMENT,),
    SrChoice.BOTH: (Form.PLANAR, Form.SEGMENT),
    SrChoice.NONE: (),
}


def forms_of(
    seg: SegChoice = SegChoice.BINARY, sr: SrChoice = SrChoice.PLANAR, extras: Collection[Form] = ()
) -> frozenset[Form]:
    """The forms that a destination gets. A BINARY SEG goes with every SR that refers to its segments."""
    asked = {*_SR[sr], *extras} | ({_SEG[seg]} if seg in _SEG else set())
    return frozenset(asked | {Form.BINARY} if Form.SEGMENT in asked else asked)


def ordered(forms: Collection[Form]) -> tuple[Form, ...]:
    """In the order in which they are sent: what is referred to before what refers."""
    return tuple(form for form in Form if form in forms)
