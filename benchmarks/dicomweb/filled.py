"""An index as it is after years: studies, series and instances entered without their files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

from node.adapters.database.index import Index
from node.adapters.database.index.tables import attributes, file, instance, series, study
from node.core.dicomweb.attributes import Level
from node.core.dicomweb.entry import entry
from node.core.dicomweb.model import Json

_AT_ONCE = 2000  # studies in one transaction
MODALITIES = ("MR", "CT", "US")


def fill(index: Index, studies: int, series_each: int) -> None:
    """So many studies of so many series of one instance each."""
    for begin in range(0, studies, _AT_ONCE):
        numbers = range(begin, min(begin + _AT_ONCE, studies))
        rows = list(_rows(numbers, series_each))
        with index.transaction() as connection:
            for table in (study, series, instance, attributes, file):
                mine = [row for into, row in rows if into is table]
                connection.execute(table.insert(), mine)


def study_header(number: int) -> Json:
    """The header of a study's first instance, as the index reads it."""
    return {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080020": {"vr": "DA", "Value": [f"20{number % 25:02d}{number % 12 + 1:02d}{number % 28 + 1:02d}"]},
        "00080030": {"vr": "TM", "Value": [f"{number % 24:02d}{number % 60:02d}00"]},
        "00080050": {"vr": "SH", "Value": [f"A{number}"]},
        "00081030": {"vr": "LO", "Value": [("Head", "Knee", "Spine")[number % 3]]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"Family{number % 5000}^Given{number % 37}"}]},
        "00100020": {"vr": "LO", "Value": [f"P{number}"]},
        "00100030": {"vr": "DA", "Value": ["19600101"]},
        "00100040": {"vr": "CS", "Value": ["O"]},
        "0020000D": {"vr": "UI", "Value": [study_uid(number)]},
        "00200010": {"vr": "SH", "Value": [str(number)]},
    }


def study_uid(number: int) -> str:
    return f"1.2.826.0.1.3680043.10.1.{number}"


def _rows(numbers: range, series_each: int) -> Iterator[tuple[Any, dict[str, Any]]]:
    packed = zlib.compress(b"{}")
    for number in numbers:
        key, uid = number + 1, study_uid(number)
        found = entry(study_header(number))
        names = sorted({MODALITIES[(number + each) % 3] for each in range(series_each)})
        modalities = "\\".join(["", *names, ""])
        counted = {"modalities": modalities, "series_count": series_each, "instance_count": series_each}
        yield study, {"id": key, "study_instance_uid": uid, **found.keys[Level.STUDY], **counted}
        yield attributes, {"level": "study", "key": key, "attributes": found.attributes[Level.STUDY]}
        for each in range(series_each):
            mine, modality = number * series_each + each + 1, MODALITIES[(number + each) % 3]
            header: Json = {
                "00080060": {"vr": "CS", "Value": [modality]},
                "0008103E": {"vr": "LO", "Value": [f"t1 mprage {each}"]},
                "0020000E": {"vr": "UI", "Value": [f"{uid}.{each}"]},
                "00200011": {"vr": "IS", "Value": [each + 1]},
                "00200013": {"vr": "IS", "Value": [1]},
            }
            told = entry(header)
            place = {"id": mine, "study_key": key, "series_instance_uid": f"{uid}.{each}", "position": each + 1}
            shown = {"instance_count": 1, "newest": mine, "superseded": False}
            yield series, {**place, **told.keys[Level.SERIES], **shown}
            yield attributes, {"level": "series", "key": mine, "attributes": told.attributes[Level.SERIES]}
            yield instance, {
                "id": mine, "series_key": mine, "sop_instance_uid": f"{uid}.{each}.1", "position": 1,
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.4", "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                **told.keys[Level.INSTANCE],
            }  # fmt: skip
            yield attributes, {"level": "instance", "key": mine, "attributes": told.attributes[Level.INSTANCE]}
            yield file, {
                "instance_key": mine, "store": "instances", "path": json.dumps(mine), "sha256": "0" * 64, "size": 1,
                "place": None, "document": packed,
            }  # fmt: skip
