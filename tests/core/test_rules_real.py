"""The shipped rules and hostile headers, on real files."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from node.core.rules import Disposition, Subject, Truth, check_rule_set, decide, explain, parse_rule_set

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SHIPPED = {path.name: path.read_text() for path in (ROOT / "dicom_rules").glob("*.yaml")}

with_data = pytest.mark.skipif(not DATA.exists(), reason=f"no real series at {DATA}")


def header(path: Path) -> Dataset | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, EOFError, MemoryError, ValueError, NotImplementedError, AttributeError):
            return None


@cache
def series(name: str) -> Subject:
    paths = sorted(path for path in (DATA / name).rglob("*") if path.is_file())
    datasets = [ds for path in paths if (ds := header(path)) is not None]
    assert datasets
    return Subject(datasets, {"series.instances": len(datasets)})


def test_the_shipped_rules_have_no_mistake_and_no_warning() -> None:
    assert check_rule_set(SHIPPED, models=["mri_core_head"], destinations=["pacs"]) == ()


@with_data
@pytest.mark.parametrize(
    "name",
    [
        "mr/siemens-t1-sag-hfs",
        "mr/studyforrest-t1-ax-defaced",
        "mr/ge-pd-ax-brain",
        "mr/philips-pcasl-classic",
        "mr/philips-pcasl-enh",
        "mr/siemens-xa30-t1-enh",
        "mr/siemens-xa30-colfa-enh",
        "mr/canon-dti-classic",
        "mr/uih-dti-grid",
        "mr/derived-fpg-flair-ax",
        "mr/ge-3plane-localizer",
        "mr/siemens-mosaic-ts",
        "mr/ge-b0map-multi",
    ],
)
def test_a_head_series_goes_to_the_head_model(name: str) -> None:
    decision = decide(parse_rule_set(SHIPPED), series(name))
    assert decision.disposition is Disposition.INFER, "\n".join(explain(decision))
    assert [(asked.model, asked.deliver) for asked in decision.inferences] == [("mri_core_head", ("pacs",))]


@with_data
@pytest.mark.parametrize(
    "name",
    [
        "mr/ge-knee-mese-te1",
        "mr/ge-knee-mese-te5",
        "mr/derived-sct-cspine-t2s-ax",
        "mr/toshiba-mr-small-ts",
        "nonimage/siemens-phoenix-sr",
        "seg/examples-dcmqi",
        "seg/examples-dcmqi-sr",
        "seg/examples-highdicom",
    ],
)
def test_anything_else_waits_for_a_person_with_a_reason(name: str) -> None:
    decision = decide(parse_rule_set(SHIPPED), series(name))
    assert (decision.disposition, decision.taken, decision.inferences) == (Disposition.HOLD, False, ())
    assert decision.reason.startswith("no rule takes this series: head-outline ")


def test_a_phantom_of_the_head_goes_to_the_head_model() -> None:
    ds = Dataset()
    ds.Modality, ds.BodyPartExamined, ds.SOPClassUID = "MR", "HEAD", "1.2.840.10008.5.1.4.1.1.4"
    assert decide(parse_rule_set(SHIPPED), Subject([ds])).rule == "head-outline"


@pytest.mark.parametrize("described", ["MR Knie, knee left", "t1_tse_sag_spine brain protocol", "HWS cervical neuro"])
def test_a_series_without_body_part_that_names_another_part_is_not_taken(described: str) -> None:
    ds = Dataset()
    ds.Modality, ds.SOPClassUID, ds.SeriesDescription = "MR", "1.2.840.10008.5.1.4.1.1.4", described
    assert not decide(parse_rule_set(SHIPPED), Subject([ds])).taken


@pytest.mark.parametrize("described", ["t1_brain_sag", "Schädel nativ", "cMRT Kopf", "CRANIUM 3D", "Head^Routine"])
def test_a_series_without_body_part_that_names_the_head_is_taken(described: str) -> None:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.Modality, ds.SOPClassUID, ds.SeriesDescription = "MR", "1.2.840.10008.5.1.4.1.1.4", described
    assert decide(parse_rule_set(SHIPPED), Subject([ds])).taken


CURIOUS = parse_rule_set(
    {
        "10.yaml": """
name: curious
when:
  any:
    - all: [{PatientName: {contains: a}}, {PatientID: {exists: true}}, {StudyDescription: {matches: "x+y"}}]
    - EchoTime: {any: {at_least: 1}}
    - PatientBirthDate: {between: [1900-01-01, 2000-01-01]}
    - ImagePositionPatient: {all: {at_least: 0}}
    - SpecificCharacterSet: {any: {starts: ISO}}
    - RequestAttributesSequence.RequestedProcedureDescription: {any: {contains: brain}}
    - ReferencedImageSequence.ReferencedSOPInstanceUID: {first: {starts: 1.2}}
    - PixelMeasuresSequence.SliceThickness: {at_least: 1}
    - "(0029,xx10) SIEMENS CSA HEADER": {exists: true}
    - "(0019,xx0C) SIEMENS MR HEADER": {at_least: 1}
    - "(2001,xx03) Philips Imaging DD 001": {equals: 1}
    - Rows: {at_least: 1}
    - SmallestImagePixelValue: {any: {at_most: 5}}
    - TransferSyntaxUID: ImplicitVRLittleEndian
    - StudyTime: {at_least: 08:00}
    - AcquisitionDateTime: {at_least: 2000-01-01}
    - PatientAge: {at_most: 90Y}
then: [hold]
"""
    }
)


@with_data
@pytest.mark.parametrize("folder", ["bad/crafted", "bad/pydicom", "charset/mr-names", "charset/pydicom-charsets"])
def test_no_file_can_make_a_rule_raise(folder: str) -> None:
    for path in sorted((DATA / folder).iterdir()):
        ds = header(path)
        if ds is not None:
            assert explain(decide(CURIOUS, Subject([ds])))


@with_data
def test_every_real_series_can_be_asked_everything() -> None:
    for path in sorted((DATA / "mr").iterdir()):
        assert explain(decide(CURIOUS, series(f"mr/{path.name}")))


def truth(subject: Subject, when: str) -> Truth:
    rule_set = parse_rule_set({"10.yaml": f"name: one\nwhen: {{{when}}}\nthen: [hold]"})
    verdict = decide(rule_set, subject).outcomes[0].verdict
    assert verdict is not None
    return verdict.truth


@with_data
@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("ja-kanji-iso2022", "PatientName: 山田^太郎"),
        ("ja-kanji-iso2022", "PatientName: {starts: yamada}"),
        ("ja-halfwidth", "PatientName: {contains: ヤマダ}"),
        ("de-ir100", "PatientName: {exists: true}"),
        ("ko-iso2022", "PatientName: {starts: 洪}"),
        ("ko-iso2022", "PatientName: {starts: 홍}"),
        ("zh-utf8", "PatientName: {starts: wang}"),
        ("ru-ir144", "PatientName: {matches: '[а-я]'}"),
        ("el-ir126", "PatientName: {matches: '[α-ω]'}"),
    ],
)
def test_names_are_found_in_their_own_alphabet(name: str, when: str) -> None:
    ds = header(DATA / "charset" / "mr-names" / f"{name}.dcm")
    assert ds is not None
    assert truth(Subject([ds]), when) is Truth.TRUE


@with_data
@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("siemens-xa30-t1-enh", "EffectiveEchoTime: {at_most: 10}"),
        ("siemens-xa30-t1-enh", "SliceThickness: 2"),
        ("siemens-xa30-t1-enh", "AcquisitionNumber: {any: {at_least: 1}}"),
        ("philips-pcasl-enh", "PixelSpacing: {all: 2.5}"),
    ],
)
def test_keywords_in_functional_groups_are_found(name: str, when: str) -> None:
    assert truth(series(f"mr/{name}"), when) is Truth.TRUE


@with_data
def test_a_keyword_that_differs_between_frames_is_unknown() -> None:
    subject = series("mr/siemens-xa30-t1-enh")
    assert truth(subject, "ImagePositionPatient: {at_least: -10000}") is Truth.UNKNOWN
    assert truth(subject, "ImagePositionPatient: {all: {at_least: -10000}}") is Truth.TRUE


@with_data
def test_a_private_attribute_is_found_in_the_block_its_creator_reserved() -> None:
    assert truth(series("mr/siemens-t1-sag-hfs"), "'(0019,xx08) SIEMENS MR HEADER': {contains: image}") is Truth.TRUE
    assert truth(series("mr/ge-pd-ax-brain"), "'(0019,xx08) SIEMENS MR HEADER': {contains: image}") is Truth.UNKNOWN
