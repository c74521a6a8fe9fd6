"""The DICOM attributes a rule may name, resolved against the dictionary (PS3.6) once, when the rule is read.

Three forms: a keyword (`EchoTime`), a path through sequences (`RequestAttributesSequence.RequestedProcedureID`), which
may end in a component group of a name (`PatientName.Ideographic`), and a private attribute with its creator
(`(0019,xx0C) SIEMENS MR HEADER`). The block a creator reserves differs from file to file (PS3.5 section 7.8.1), so xx
stands for it; digits written there are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from pydicom.datadict import (
    dictionary_VM,
    dictionary_VR,
    keyword_dict,
    keyword_for_tag,
    private_dictionary_VM,
    private_dictionary_VR,
)
from pydicom.tag import BaseTag, Tag

from node.core.rules.facts import Fact, is_fact_name, named_fact
from node.core.rules.kinds import OF_VR, Kind
from node.core.rules.mistakes import Wrong, did_you_mean
from node.core.rules.units import UNITS

DEPTH_AT_MOST = 8  # sequences in a path

_PATH = re.compile(r"((?:\w+\.)*)(\w+|\(.*)")
_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),(xx|[0-9A-Fa-f]{2})([0-9A-Fa-f]{2})\)(?:\s+(\S.*))?")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")  # component groups of PN (PS3.5 section 6.2.1.2)
_IDENTIFYING_GROUP = 0x0010
_IDENTIFYING = frozenset({
    "AccessionNumber", "AdmissionID", "FillerOrderNumberImagingServiceRequest", "PerformedProcedureStepID",
    "PlacerOrderNumberImagingServiceRequest", "RequestedProcedureID", "ScheduledProcedureStepID", "ServiceEpisodeID",
    "SeriesInstanceUID", "SOPInstanceUID", "StudyID", "StudyInstanceUID", "FrameOfReferenceUID",
})  # fmt: skip
_VARIES = frozenset({
    "AcquisitionNumber", "AcquisitionTime", "ContentTime", "ImageComments", "ImagePositionPatient",
    "InstanceCreationTime", "InstanceNumber", "LargestImagePixelValue", "SliceLocation", "SmallestImagePixelValue",
    "SOPInstanceUID", "TemporalPositionIdentifier", "TriggerTime", "WindowCenter", "WindowWidth",
})  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One element on the way: a public tag, or a private one whose block the creator reserves."""

    tag: BaseTag
    creator: str = ""


@dataclass(frozen=True)
class Attribute:
    """A DICOM attribute as a rule names it."""

    text: str  # as written in the rule
    path: tuple[Step, ...]  # through sequences to the element
    vr: str  # of the dictionary; empty for a private attribute that no dictionary lists
    kind: Kind
    several: bool | None  # may it hold several values? None: the dictionary does not know it
    identifying: bool = False  # may the value name a patient or a visit?
    varies: bool = False  # does it differ between the instances of a series by nature?
    group: int | None = None  # of a person's name: 0 alphabetic, 1 ideographic, 2 phonetic; None: any of them

    @property
    def unit(self) -> str:
        """Of a number, where PS3.3 states one; a private attribute has none."""
        return UNITS.get(self.text.rpartition(".")[2], "") if self.vr else ""

    def __hash__(self) -> int:
        """By name alone: a series is asked for its attributes thousands of times."""
        return hash(self.text)


Operand = Attribute | Fact


@lru_cache(maxsize=4096)
def named(text: str) -> Operand | Wrong:
    """The attribute or fact of that name, or why there is none."""
    if is_fact_name(text):
        return named_fact(text)
    found = _PATH.fullmatch(text)
    if not found:
        return Wrong(f"{text!r} is no DICOM keyword", "Write a keyword, (gggg,xxee) CREATOR, or a path with dots")
    before, last, group = found[1].split(".")[:-1], found[2], None
    if last in _GROUPS and before:
        group, last = _GROUPS.index(last), before.pop()
    steps = [_sequence(keyword) for keyword in before]
    leaf = _private(last, text) if last.startswith("(") else _public(last, text)
    if group is not None and isinstance(leaf, Attribute):
        leaf = _of_group(leaf, group)
    wrong = next((part for part in (*steps, leaf) if isinstance(part, Wrong)), None)
    if wrong or len(steps) > DEPTH_AT_MOST:
        return wrong or Wrong(f"{text} is nested deeper than {DEPTH_AT_MOST} sequences")
    return _nested(tuple(step for step in steps if isinstance(step, Step)), leaf)


def _nested(steps: tuple[Step, ...], leaf: Attribute | Wrong) -> Attribute | Wrong:
    if isinstance(leaf, Wrong):
        return leaf
    identifying = leaf.identifying or any(step.tag.group == _IDENTIFYING_GROUP for step in steps)
    return replace(leaf, path=steps + leaf.path, identifying=identifying)


def _of_group(name: Attribute, group: int) -> Attribute | Wrong:
    if name.kind is not Kind.NAME:
        return Wrong(f"{name.text.rpartition('.')[0]} is no person's name", f"Only names have {', '.join(_GROUPS)}")
    return replace(name, group=group)


def _sequence(keyword: str) -> Step | Wrong:
    tag = keyword_dict.get(keyword)
    if tag is None:
        return _no_keyword(keyword)
    if dictionary_VR(tag) != "SQ":
        return Wrong(f"{keyword} is no sequence", "Only sequences may stand before a dot")
    return Step(Tag(tag))


def _public(keyword: str, text: str) -> Attribute | Wrong:
    tag = Tag(keyword_dict[keyword]) if keyword in keyword_dict else None
    if tag is None:
        return _no_keyword(keyword)
    if tag.group == 0x7FE0:
        return Wrong(f"{keyword} is pixel data", "Rules see headers only")
    vr = dictionary_VR(tag)
    identifying = tag.group == _IDENTIFYING_GROUP or vr == "PN" or keyword in _IDENTIFYING
    several = dictionary_VM(tag) != "1"
    return Attribute(text, (Step(tag),), vr, OF_VR.get(vr, Kind.OPAQUE), several, identifying, keyword in _VARIES)


def _private(written: str, text: str) -> Attribute | Wrong:
    found = _TAG.fullmatch(written)
    if not found:
        return Wrong(f"{written!r} is no tag", "Write a private attribute as (0019,xx0C) SIEMENS MR HEADER")
    group, block, element, creator = int(found[1], 16), found[2], found[3], (found[4] or "").strip()
    if group % 2 == 0:
        keyword = "" if block == "xx" else keyword_for_tag(Tag(group, int(block + element, 16)))
        return Wrong(f"{written} is not private", f"Write {keyword or 'its keyword'}")
    if not creator:
        return Wrong(f"{written} lacks its creator", f"Write ({found[1]},xx{element}) CREATOR")
    tag = Tag(group, 0x1000 | int(element, 16))
    vr, several = _listed(tag, creator)
    kind = OF_VR.get(vr, Kind.OPAQUE) if vr else Kind.ANY
    return Attribute(text, (Step(tag, creator),), vr, kind, several)


def _listed(tag: BaseTag, creator: str) -> tuple[str, bool | None]:
    """VR and multiplicity of a private attribute, when pydicom's dictionary lists its creator."""
    try:
        vr = private_dictionary_VR(tag, creator)
        return ("" if vr == "UN" else vr), private_dictionary_VM(tag, creator) != "1"
    except KeyError:
        return "", None


def _no_keyword(keyword: str) -> Wrong:
    cure = did_you_mean(keyword, (known for known in keyword_dict if known))
    return Wrong(f"{keyword or 'an empty key'} is no DICOM keyword", cure)
