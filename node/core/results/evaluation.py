"""What a model says of images or segments in words: their class, their quality, whether it knows such images."""

from __future__ import annotations

from dataclasses import dataclass

from node.core.card import Code


@dataclass(frozen=True)
class Evaluation:
    """A qualitative evaluation, coded on both sides (TID 1500 row 11, TID 1410 and 1411: name and value of a CODE).

    `concept` is what was judged, `value` the judgement:

        Evaluation(Code("QUALITY", "99MRICORE", "Image quality"), Code("20572008", "SCT", "Good"))

    A scheme of one's own begins with 99 (PS3.16 8.2). Value and scheme have 16 characters at most (SH), a meaning 64.
    A number is no evaluation: say on which side of which limit it lies.
    """

    concept: Code
    value: Code
    segment: int | None = None  # SegmentNumber; None: the images as a whole
