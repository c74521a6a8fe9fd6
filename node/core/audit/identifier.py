"""The identifier of a C-FIND: text by keyword in the trail, for people; a data set in the message (PS3.15 A.5.3.10)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from node.core.encoded import UNREADABLE

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def identifier_text(level: str, asked: Sequence[tuple[str, str]]) -> str:
    """`asked`: keys, with dots below sequences, and what each is to match."""
    return json.dumps({"QueryRetrieveLevel": level, **dict(asked)}, ensure_ascii=False)


def identifier_bytes(text: str) -> bytes | None:
    """The same in Explicit VR Little Endian; None for what is no such text, or was cut short."""
    identifier = Dataset()
    content = DicomBytesIO()
    content.is_little_endian, content.is_implicit_VR = True, False
    try:
        identifier.SpecificCharacterSet = "ISO_IR 192"
        for path, value in json.loads(text).items():
            *sequences, keyword = path.split(".")
            _put(_below(identifier, sequences), keyword, value)
        write_dataset(content, identifier)
    except UNREADABLE:  # one value that is none of its kind must not keep the line from being told
        return None
    return content.getvalue()


def _below(identifier: Dataset, sequences: Sequence[str]) -> Dataset:
    for keyword in sequences:
        if keyword not in identifier:
            setattr(identifier, keyword, [Dataset()])
        identifier = identifier[keyword].value[0]
    return identifier


def _put(identifier: Dataset, keyword: str, value: str) -> None:
    tag = tag_for_keyword(keyword)
    if tag is None:
        return
    vr = dictionary_VR(tag)
    if vr == "SQ":
        setattr(identifier, keyword, [])
    else:
        identifier.add(DataElement(tag, vr, value.split("\\") if "\\" in value else value, validation_mode=IGNORE))
