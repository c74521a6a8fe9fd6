"""The moment that stands in a result: when its sources were made.

A result says when its content was made (PS3.3 C.7.6.1, C.17.2). The clock of the node would give other bytes at
every attempt, so the latest date and time that the sources themselves carry is written instead; never earlier than
the acquisition, and the same wherever the job runs. When the job really ran is kept by the node's database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from pydicom.dataset import Dataset

from node.core.results.hygiene import on_calendar, text_of

# Anonymised sources may have no date at all, and Content Date is Type 1: a date that is plainly not a real one.
UNKNOWN = datetime(1900, 1, 1)  # noqa: DTZ001 # DICOM DA and TM carry no time zone

_PAIRS = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("StudyDate", "StudyTime"),
)
_STAMP = re.compile(r"([0-9]{8})(?:([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")


def moment_of(headers: Iterable[Dataset]) -> datetime:
    """The latest legal acquisition, content, series or study date-time of the headers; UNKNOWN where none is."""
    return max((moment for header in headers for moment in _moments(header)), default=UNKNOWN)


def _moments(header: Dataset) -> Iterator[datetime]:
    stamps = [text_of(header, "AcquisitionDateTime")]
    for date, time in _PAIRS:
        day = text_of(header, date)
        stamps += [day + text_of(header, time), day]  # a date whose time is not legal still counts
    for stamp in stamps:
        moment = _parse(stamp)
        if moment is not None:
            yield moment


def _parse(stamp: str) -> datetime | None:
    """A DICOM date-time without its offset from UTC (PS3.5 6.2), None where it is not a legal one."""
    found = _STAMP.fullmatch(re.sub(r"[+-]\d{4}$", "", stamp))
    if found is None:
        return None
    date, hour, minute, second, fraction = found.groups()
    if not on_calendar(date):
        return None
    try:
        return datetime.strptime(  # noqa: DTZ007
            f"{date}{hour or '00'}{minute or '00'}{second or '00'}{(fraction or '').ljust(6, '0')}", "%Y%m%d%H%M%S%f"
        )
    except ValueError:
        return None
