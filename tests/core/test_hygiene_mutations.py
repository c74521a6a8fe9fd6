"""Whatever a header holds, there is a legal result or a NotProcessable with a sentence; never another exception.

Each mutation is one thing that real headers do. After it every inherited attribute of the SEG and the SR is judged by
pydicom's own rules, and by dciodvfy where the validators are installed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import validate_value

from node.core.results import Results, encode, to_bytes, verify
from node.core.volume import Volume
from node.errors import NotProcessable
from tests.results import card, letter_l, origin, volume_of
from tests.synthetic import Grid, enhanced, mr_series

DCIODVFY = Path.home() / ".cache" / "dicom-validators" / "bin" / "dciodvfy"
# pydicom warns of the illegal values that these tests put in on purpose, wherever they are read
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
Mutation = Callable[[Dataset], None]
KEPT_AS_THEY_ARE = {"PatientID", "AccessionNumber", "StudyInstanceUID"}


def without(keyword: str) -> Mutation:
    def mutate(ds: Dataset) -> None:
        if keyword in ds:
            del ds[keyword]

    return mutate


def having(keyword: str, value: bytes | str | None, vr: str = "") -> Mutation:
    """The value as bytes in the file, padded to an even length, whatever its VR allows."""

    def mutate(ds: Dataset) -> None:
        tag = Tag(keyword)
        known = vr or (ds[tag].VR if tag in ds else DataElement(tag, _vr(keyword), None).VR)
        raw = b"" if value is None else value.encode("utf-8") if isinstance(value, str) else value
        raw += b" " * (len(raw) % 2)
        ds[tag] = RawDataElement(tag, known, len(raw), raw, 0, False, True)

    return mutate


def _vr(keyword: str) -> str:
    return dictionary_VR(keyword)


def undated(ds: Dataset) -> None:
    for keyword in ("StudyDate", "StudyTime"):
        delattr(ds, keyword)


def code(keyword: str, **parts: str) -> Mutation:
    def mutate(ds: Dataset) -> None:
        item = Dataset()
        for part, value in parts.items():
            item.add(DataElement(part, _vr(part), value, validation_mode=config.IGNORE))
        setattr(ds, keyword, [item])

    return mutate


REQUIRED = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
            "StudyTime", "ReferringPhysicianName")  # fmt: skip
OTHERS = ("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SliceThickness", "Manufacturer", "Modality",
          "PositionReferenceIndicator", "SpecificCharacterSet", "SOPClassUID", "InstanceNumber")  # fmt: skip

MUTATIONS: dict[str, Mutation] = {
    **{f"{keyword} absent": without(keyword) for keyword in REQUIRED + OTHERS},
    **{f"{keyword} empty": having(keyword, None) for keyword in REQUIRED + OTHERS},
    "sex 0000": having("PatientSex", "0000"),
    "sex m": having("PatientSex", "m"),
    "sex with NUL": having("PatientSex", b"M\0"),
    "sex twice": having("PatientSex", "M\\F"),
    "study date 20181399": having("StudyDate", "20181399"),
    "study date 20230229": having("StudyDate", "20230229"),
    "study date 2018.01.02": having("StudyDate", "2018.01.02"),
    "study date ***": having("StudyDate", "***"),
    "birth date 1949": having("PatientBirthDate", "1949"),
    "birth date a range": having("PatientBirthDate", "19490101-19500101"),
    "birth date Arabic digits": having("PatientBirthDate", "١٩٤٩٠١٠١"),
    "study time 10:11:12": having("StudyTime", "10:11:12"),
    "study time 256199": having("StudyTime", "256199"),
    "study time with seven decimals": having("StudyTime", "101112.1234567"),
    "study time in bytes": having("StudyTime", b"\xff\xfe\xfd\xfc"),
    "character set with empty first value": having("SpecificCharacterSet", "\\ISO 2022 IR 87"),
    "character set Korean": having("SpecificCharacterSet", "\\ISO 2022 IR 149"),
    "character set unknown": having("SpecificCharacterSet", "ISO_IR 999"),
    "character set nonsense": having("SpecificCharacterSet", b"\xff\xff"),
    "name not ASCII without character set": having("PatientName", "Müller^Jürgen".encode("latin-1")),
    "name Shift-JIS": having("PatientName", "山田^太郎".encode("shift_jis")),
    "name with control characters": having("PatientName", b"A\r\nB\x1b\0^C"),
    "name of 60000 characters": having("PatientName", "X" * 60000),
    "name with four groups": having("PatientName", "A=B=C=D"),
    "name with six components": having("PatientName", "A^B^C^D^E^F^G"),
    "name with markup": having("PatientName", "<b>'; DROP TABLE--^${7*7}"),
    "two names": having("PatientName", "A^B\\C^D"),
    "patient ID of 100 characters": having("PatientID", "1" * 100),
    "patient ID with backslash": having("PatientID", "1\\2"),
    "accession number of 40 characters": having("AccessionNumber", "7" * 40),
    "accession number padded with NUL": having("AccessionNumber", b"123\0"),
    "study UID with a leading zero": having("StudyInstanceUID", "1.2.03.4"),
    "study UID of 122 characters": having("StudyInstanceUID", "1." + "2" * 120),
    "study UID a path": having("StudyInstanceUID", "../../etc/passwd"),
    "series UID a path": having("SeriesInstanceUID", "../../etc/passwd"),
    "study ID of 40 characters": having("StudyID", "9" * 40),
    "age 45": having("PatientAge", "45"),
    "age 045Y": having("PatientAge", "045Y"),
    "weight 0": having("PatientWeight", "0"),
    "weight heavy": having("PatientWeight", "heavy"),
    "weight not a number": having("PatientWeight", "NaN"),
    "size negative": having("PatientSize", "-1"),
    "size of 30 digits": having("PatientSize", "1." + "3" * 30),
    "slice thickness empty": having("SliceThickness", None),
    "slice thickness zero": having("SliceThickness", "0"),
    "slice thickness words": having("SliceThickness", "thin"),
    "series number too large": having("SeriesNumber", "99999999999"),
    "series number words": having("SeriesNumber", "three"),
    "SOP class private": having("SOPClassUID", "1.2.840.113619.4.2"),
    "description of 200 characters": having("StudyDescription", "d" * 200),
    "identity removed YES, no method": having("PatientIdentityRemoved", "YES"),
    "identity removed yes": having("PatientIdentityRemoved", "yes"),
    "procedure code without value": code("ProcedureCodeSequence", CodeMeaning="Brain"),
    "procedure code empty": code("ProcedureCodeSequence"),
    "procedure code whole": code(
        "ProcedureCodeSequence", CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Brain"
    ),
    "procedure code too long": code(
        "ProcedureCodeSequence", CodeValue="1" * 40, CodingSchemeDesignator="99X", CodeMeaning="Brain"
    ),
    "time zone GMT": having("TimezoneOffsetFromUTC", "GMT"),
    "time zone +0100": having("TimezoneOffsetFromUTC", "+0100"),
    "lossy without ratio": having("LossyImageCompression", "01"),
    "lossy yes": having("LossyImageCompression", "YES"),
    "manufacturer of 90 characters": having("Manufacturer", "m" * 90),
    "sequence where text belongs": having("PatientComments", b"\xfe\xff\x00\xe0\0\0\0\0", "SQ"),
    "no date at all": undated,
    "study date of the year 1": having("StudyDate", "00010101"),
    "patient ID with control characters": having("PatientID", b"\x01\x02"),
    "patient ID that its character set does not have": having("PatientID", b"12\xff\xff"),
}  # fmt: skip


def outcome(sources: Sequence[Dataset], volume: Volume) -> Results | str:
    """The result, checked, or the reason why there is none."""
    labels = letter_l(volume).astype(np.uint8)
    try:
        result = encode(volume, sources, labels, labels.astype(np.float32), origin(card(1), sources))
    except NotProcessable as refused:
        return str(refused) or pytest.fail("refused without a reason")
    assert verify(to_bytes(result.seg), sources, volume, labels, card(1)) == ()
    return result


def illegal(ds: Dataset) -> list[str]:
    """Keywords whose values break their VR, at any depth."""
    found = []
    for element in ds:
        if element.VR == "SQ":
            found += [keyword for item in element.value for keyword in illegal(item)]
        elif element.VR not in ("OB", "OW", "US", "FD", "FL", "UL") and element.keyword not in KEPT_AS_THEY_ARE:
            values = element.value if element.VM > 1 else [element.value]
            for value in values:
                try:
                    validate_value(element.VR, str(value), config.RAISE)
                except ValueError:
                    found.append(element.keyword)
    return found


def check(result: Results, tmp_path: Path) -> None:
    for made in (result.seg, result.sr):
        content = to_bytes(made)
        read = dcmread(BytesIO(content))
        assert illegal(read) == []
        assert read.SpecificCharacterSet == "ISO_IR 192"
        if DCIODVFY.exists() and not any("kept" in note for note in result.notes):
            path = tmp_path / "made.dcm"
            path.write_bytes(content)
            said = subprocess.run([DCIODVFY, "-new", path], capture_output=True).stderr.decode("utf-8", "replace")
            errors = [line for line in said.splitlines() if line.startswith("Error")]
            # It cannot know whether images of a private class have frames
            assert [line for line in errors if not line.endswith("Referenced SOP Class that is not multi-frame")] == []


@pytest.fixture(scope="module")
def volume() -> Volume:
    return volume_of(mr_series(Grid(slices=4, rows=16, columns=16)))


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_header_with(name: str, volume: Volume, tmp_path: Path) -> None:
    sources = mr_series(Grid(slices=4, rows=16, columns=16))
    for source in sources:
        MUTATIONS[name](source)
    made = outcome(sources, volume)
    if isinstance(made, Results):
        check(made, tmp_path)
    else:
        assert name in REFUSED
    assert (name in REFUSED) == isinstance(made, str)


REFUSED = {
    "StudyInstanceUID absent", "StudyInstanceUID empty", "study UID of 122 characters", "study UID a path",
    "SeriesInstanceUID absent", "SeriesInstanceUID empty", "series UID a path", "SOPClassUID absent",
    "SOPClassUID empty", "patient ID that its character set does not have",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in MUTATIONS
        if any(word in name for word in ("SOPClass", "UID", "thick", "Thick", "lossy", "class"))
    ],
)
def test_an_enhanced_header_with(name: str, tmp_path: Path) -> None:
    source = enhanced(Grid(slices=4, rows=16, columns=16))
    place = volume_of([source])
    MUTATIONS[name](source)
    made = outcome([source], place)
    if isinstance(made, Results):
        check(made, tmp_path)
    else:
        assert name in REFUSED


@settings(max_examples=60, deadline=None)
@given(
    keyword=st.sampled_from((*REQUIRED, "PatientAge", "PatientWeight", "StudyDescription", "SeriesNumber",
                             "SliceThickness", "Manufacturer", "SpecificCharacterSet", "TimezoneOffsetFromUTC",
                             "ContentDate", "ContentTime", "AcquisitionDateTime", "EthnicGroup")),
    value=st.binary(max_size=80),
)  # fmt: skip
def test_any_bytes_in_any_attribute(keyword: str, value: bytes) -> None:
    sources = mr_series(Grid(slices=2, rows=8, columns=8))
    place = volume_of(sources)
    for source in sources:
        having(keyword, value)(source)
    made = outcome(sources, place)
    if isinstance(made, Results):
        assert illegal(dcmread(BytesIO(to_bytes(made.seg)))) == []


def test_identity_is_never_changed() -> None:
    sources = mr_series(Grid(slices=2, rows=8, columns=8))
    for source in sources:
        having("PatientID", "P" * 100)(source)
        having("AccessionNumber", "A" * 40)(source)
        having("StudyInstanceUID", "1.2.03.4")(source)
    made = outcome(sources, volume_of(mr_series(Grid(slices=2, rows=8, columns=8))))
    assert isinstance(made, Results)
    for result in (made.seg, made.sr):
        assert (result.PatientID, result.AccessionNumber) == ("P" * 100, "A" * 40)
        assert result.StudyInstanceUID == "1.2.03.4"


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_images_of_two_patients_studies_or_series_are_refused(keyword: str) -> None:
    sources = mr_series(Grid(slices=3, rows=8, columns=8))
    place = volume_of(sources)
    setattr(sources[1], keyword, "1.2.3")
    reason = outcome(sources, place)
    assert isinstance(reason, str)
    assert keyword in reason


def test_notes_and_reasons_hold_no_patient_data() -> None:
    sources = mr_series(Grid(slices=2, rows=8, columns=8))
    for source in sources:
        having("PatientName", "Secretive^Person" * 20)(source)
        having("PatientBirthDate", "19990199")(source)
    made = outcome(sources, volume_of(mr_series(Grid(slices=2, rows=8, columns=8))))
    assert isinstance(made, Results)
    assert len(made.notes) == 2
    assert not any("Secretive" in note or "1999" in note for note in made.notes)
