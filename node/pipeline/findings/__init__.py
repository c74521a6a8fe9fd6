"""What a job found, for people: the picture first, then figures, then the objects themselves.

picture.py    slices with the segmentation burnt in, the ones that show most of each segment first
earlier.py    the same figures of the same patient before
provenance.py what made them: model, weights, rules, inputs
objects.py    the objects as trees that people can read
"""

from node.pipeline.findings.earlier import Earlier, Trace, earlier
from node.pipeline.findings.objects import Object, Readable, objects, readable
from node.pipeline.findings.picture import KeySlice, Picture, Shown, drawn, picture
from node.pipeline.findings.provenance import Provenance, provenance

__all__ = [
    "Earlier",
    "KeySlice",
    "Object",
    "Picture",
    "Provenance",
    "Readable",
    "Shown",
    "Trace",
    "drawn",
    "earlier",
    "objects",
    "picture",
    "provenance",
    "readable",
]
