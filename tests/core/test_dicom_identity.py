"""People's names are read in every character set, and a wrong one never stops anything."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from node.core.dicom import identity
from node.core.dicom.text import decode, encodings
from tests.real import files, read
from tests.synthetic import mr_series

NAMES = {
    "ar-ir127.dcm": "قباني^لنزار",
    "de-ir100.dcm": "Äneas^Rüdiger",
    "el-ir126.dcm": "Διονυσιος",
    "he-ir138.dcm": "שרון^דבורה",
    "ja-halfwidth.dcm": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "ja-kanji-iso2022.dcm": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "ko-iso2022.dcm": "Hong^Gildong=洪^吉洞=홍^길동",
    "ru-ir144.dcm": "Люкceмбypг",
    "th-ir166.dcm": "นามสกุล^ชื่อ",
    "zh-gb18030.dcm": "Wang^XiaoDong=王^小东",
    "zh-utf8.dcm": "Wang^XiaoDong=王^小東",
}


def test_the_names_of_the_standard_are_read_in_their_character_sets() -> None:
    found = {path.name: identity(read(path)).patient_name for path in files("charset/mr-names")}
    assert found == NAMES


def test_an_unknown_or_wrong_character_set_still_gives_text() -> None:
    for path in files("bad/crafted"):
        if path.name.startswith("charset"):
            assert identity(read(path)).patient_name


@pytest.mark.parametrize(
    ("terms", "value", "text"),
    [
        ((), b"Buc^J\xe9r\xf4me ", "Buc^Jérôme"),
        (("NONSENSE",), b"abc", "abc"),
        (("ISO_IR 192",), b"\xff\xfe", "\ufffd\ufffd"),
        (("ISO_IR 192",), b"\x1b[31mred", "\x1b[31mred"),
        (("ISO 2022 IR 87",), b"\x1b$B;3", "山"),
        (("ISO 2022 IR 87",), b"\x1b$B;", "\ufffd"),
        (("ISO_IR 13",), b"", ""),
    ],
)
def test_any_bytes_become_text(terms: tuple[str, ...], value: bytes, text: str) -> None:
    assert decode(value, encodings(terms)) == text


def test_identity_holds_what_people_search_by() -> None:
    (ds,) = mr_series()[:1]
    found = identity(ds)
    assert (found.patient_id, found.patient_name, found.accession_number) == ("SYN1", "Synthetic^Person", "A1")
    assert (found.study_date, found.study_description, found.modality) == ("20250102", "Brain", "MR")
    assert found.series_instance_uid == ds.SeriesInstanceUID


def test_an_empty_header_has_an_empty_identity() -> None:
    assert set(vars(identity(Dataset())).values()) == {""}


def test_a_date_that_is_none_is_left_out() -> None:
    (path, *_) = files("mr/uih-dti-grid")
    assert identity(read(path)).study_date == ""
