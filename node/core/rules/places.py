"""Where in one data set an attribute stands: at the top, in sequence items, or in functional groups.

Enhanced multi-frame objects keep per-image attributes in functional groups (PS3.3 C.7.6.16.1.1): a keyword that is
not at the top is looked up there under the very same keyword, in the shared groups first, then frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag, Tag

from node.core.encoded import UNREADABLE
from node.core.rules.attributes import Attribute, Step
from node.core.rules.codes import concept
from node.core.rules.folding import shown
from node.core.rules.kinds import Kind
from node.core.rules.reading import MISSING, VALUES_AT_MOST, Known, Reading, Unknown, read_element

Element = DataElement | RawDataElement
Memo = dict[tuple[object, ...], tuple[Reading, ...]]  # what equal bytes were read as: instances repeat themselves
Terms = tuple[str, ...]

_ESCAPE = b"\x1b"
_CHARACTER_SET = Tag(0x00080005)
_SHARED, _PER_FRAME = Tag(0x52009229), Tag(0x52009230)
_SCHEME = (Tag(0x00080102), "SH")
_CODE_VALUES = ((Tag(0x00080100), "SH"), (Tag(0x00080119), "UC"), (Tag(0x00080120), "UR"))  # short, long, URN
_ABSENT = (MISSING,)
_UNREADABLE = (*UNREADABLE, LookupError, Warning)  # of unknown character sets too; warnings where they are errors


def readings(ds: Dataset, attribute: Attribute, memo: Memo) -> tuple[Reading, ...]:
    """The attribute wherever the instance holds it: once, or once for each frame or sequence item."""
    first, *rest = attribute.path
    if not rest and not first.creator and first.tag.group != 2:
        element = element_of(ds, first.tag)
        if element is not None:  # nearly always: it stands at the top
            return _known(ds, element, attribute, memo)
        if element_of(ds, _SHARED) is None and element_of(ds, _PER_FRAME) is None:
            return _ABSENT
    top = _file_meta(ds) if first.tag.group == 2 else ds
    terms = _terms(top, ())
    holders = _holders(top, first)
    if not rest:
        return tuple(_read(holder, first, attribute, terms) for holder in holders)
    return tuple(reading for holder in holders for reading in _descend(holder, attribute.path, attribute, terms))


def of_all(datasets: Sequence[Dataset], attribute: Attribute) -> list[tuple[Reading, ...]]:
    """`readings` of each instance. What stands at the top of plain files is read without a detour: a series of hundreds
    of instances says the same thing again and again."""
    memo: Memo = {}
    step = attribute.path[0]
    if len(attribute.path) > 1 or step.creator or step.tag.group == 2 or attribute.kind is Kind.CODE:
        return [readings(ds, attribute, memo) for ds in datasets]
    tag, found = step.tag, list[tuple[Reading, ...]]()
    before: RawDataElement | None = None  # of the instance before, where its bytes are alike in every character set
    for ds in datasets:
        element: Element | None = ds.get_item(tag, keep_deferred=True)
        if before is not None and isinstance(element, RawDataElement) and _alike(element, before):
            found.append(found[-1])
            continue
        found.append(readings(ds, attribute, memo))
        before = None
        if isinstance(element, RawDataElement) and element.value is not None and _is_plain(element.value):
            before = element
    return found


def _alike(one: RawDataElement, other: RawDataElement) -> bool:
    return (one.value, one.VR, one.length, one.is_little_endian) == (
        other.value, other.VR, other.length, other.is_little_endian,
    )  # fmt: skip


def _is_plain(value: bytes) -> bool:
    """Whether bytes are alike in every character set."""
    return value.isascii() and _ESCAPE not in value


def _known(ds: Dataset, element: Element, attribute: Attribute, memo: Memo) -> tuple[Reading, ...]:
    if attribute.kind is Kind.CODE:
        return (_codes(ds, element.tag, _terms(ds, ())),)
    if not isinstance(element, RawDataElement):
        return (read_element(element, attribute.vr, attribute.kind, _terms(ds, ()), attribute.group),)
    value = element.value
    plain = value is None or _is_plain(value)
    terms = () if plain else _terms(ds, ())
    key = (value, element.VR, element.is_little_endian, element.length, terms)
    found = memo.get(key)
    if found is None:
        found = memo[key] = (read_element(element, attribute.vr, attribute.kind, terms, attribute.group),)
    return found


def _descend(ds: Dataset, path: tuple[Step, ...], attribute: Attribute, terms: Terms) -> Iterator[Reading]:
    """The element at the end of the path in every item on the way."""
    step, rest = path[0], path[1:]
    if not rest:
        yield _read(ds, step, attribute, terms)
        return
    items = _items(ds, step.tag)
    if isinstance(items, Unknown):
        yield items
        return
    for item in items:
        yield from _descend(item, rest, attribute, _terms(item, terms))


def _read(ds: Dataset, step: Step, attribute: Attribute, terms: Terms) -> Reading:
    tag = _reserved(ds, step) if step.creator else step.tag
    element = None if tag is None else element_of(ds, tag)
    if attribute.kind is Kind.CODE:
        return MISSING if tag is None else _codes(ds, tag, terms)
    return read_element(element, attribute.vr, attribute.kind, terms, attribute.group)


def _codes(ds: Dataset, tag: BaseTag, terms: Terms) -> Reading:
    """The coded concepts of a sequence (PS3.3 section 8): scheme and value of each item."""
    items = _items(ds, tag)
    if isinstance(items, Unknown):
        return items
    found = [_code(item, _terms(item, terms)) for item in items[:VALUES_AT_MOST]]
    seen = shown("\\".join(f"{scheme}:{value}" for scheme, value in found if value))
    if not all(scheme and value for scheme, value in found):
        return Unknown("has an item that is no code", shown=seen)
    return Known(tuple(dict.fromkeys(concept(scheme, value) for scheme, value in found)), seen)


def _code(item: Dataset, terms: Terms) -> tuple[str, str]:
    value = next((text for tag, vr in _CODE_VALUES if (text := _text(item, tag, vr, terms))), "")
    return _text(item, *_SCHEME, terms), value


def _text(item: Dataset, tag: BaseTag, vr: str, terms: Terms) -> str:
    read = read_element(element_of(item, tag), vr, Kind.TEXT, terms)
    return read.shown if isinstance(read, Known) else ""


def element_of(ds: Dataset, tag: BaseTag) -> Element | None:
    """The element as it was received, without pydicom's conversion."""
    element: Element | None = ds.get_item(tag, keep_deferred=True)
    return element


def _file_meta(ds: Dataset) -> Dataset:
    meta = getattr(ds, "file_meta", None)
    return meta if isinstance(meta, Dataset) else Dataset()


def _terms(ds: Dataset, inherited: Terms) -> Terms:
    """The character sets that hold in a data set or item (PS3.3 C.12.1.1.2)."""
    element = element_of(ds, _CHARACTER_SET)
    if element is None:
        return inherited
    value = element.value
    if isinstance(value, bytes):
        return tuple(value.decode("ascii", "replace").strip(" \0").split("\\"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_term(term) for term in value)
    return (_term(value),)


def _term(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else "?"  # not text: no character set anybody knows


def _reserved(ds: Dataset, step: Step) -> BaseTag | None:
    """The tag of a private element in the block that its creator reserved (PS3.5 section 7.8.1)."""
    group = step.tag.group
    blocks = [BaseTag(tag) for tag in ds.keys() if tag >> 16 == group and 0x10 <= tag & 0xFFFF <= 0xFF]  # noqa: SIM118
    for block in sorted(blocks):
        creator = element_of(ds, block)
        value = creator.value if creator is not None else None
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        if isinstance(text, str) and text.strip(" \0") == step.creator:
            return BaseTag(group << 16 | (block & 0xFF) << 8 | step.tag.element & 0xFF)
    return None


def _items(ds: Dataset, tag: BaseTag) -> list[Dataset] | Unknown:
    element = element_of(ds, tag)
    if element is None:
        return MISSING
    try:
        value = ds[tag].value if isinstance(element, RawDataElement) else element.value
        items = list(value) if isinstance(value, Items) else []
    except _UNREADABLE:
        return Unknown("lies in a sequence that cannot be read")
    return items or MISSING


def _holders(ds: Dataset, step: Step) -> list[Dataset]:
    """The data sets that hold the element: the instance itself, or items of its functional groups."""
    if step.creator or step.tag in ds or not (_SHARED in ds or _PER_FRAME in ds):
        return [ds]
    shared = _in_groups(ds, _SHARED, step.tag)
    if any(shared):
        return [macro for frame in shared for macro in frame]
    frames = _in_groups(ds, _PER_FRAME, step.tag)
    if not any(frames):
        return [ds]
    return [macro for frame in frames for macro in frame or [Dataset()]]


def _in_groups(ds: Dataset, groups: BaseTag, tag: BaseTag) -> list[list[Dataset]]:
    """For each item of the functional groups, the macros that hold the tag."""
    items = _items(ds, groups)
    if isinstance(items, Unknown):
        return []
    return [[macro for macro in _macros(item) if tag in macro] for item in items]


def _macros(item: Dataset) -> Iterator[Dataset]:
    for tag in list(item.keys()):
        found = _items(item, BaseTag(tag))
        if not isinstance(found, Unknown):
            yield from found
