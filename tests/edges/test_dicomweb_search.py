"""Search (QIDO-RS, PS3.18 10.6) over HTTP, as clients and viewers ask."""

from __future__ import annotations

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from tests.archives import ServedArchive, served
from tests.synthetic import Grid, mr_series, uid

__all__ = ["served"]


def _study(served: ServedArchive, name: str, series: int = 1, slices: int = 2, **change: object) -> str:
    for number in range(series):
        made = mr_series(Grid(slices=slices), name=f"{name}{number}", change=change)
        for ds in made:
            ds.StudyInstanceUID, ds.SeriesNumber = uid(name, "study"), number + 1
        served.keep(*made)
    return uid(name, "study")


def _values(found: list[dict[str, dict[str, list[object]]]], tag: str) -> list[object]:
    return [one[tag]["Value"][0] for one in found]


@pytest.fixture(scope="module")
def study(served: ServedArchive) -> str:
    step = Dataset()
    step.ScheduledProcedureStepID, step.RequestedProcedureID = "S7", "R7"
    return _study(
        served,
        "searched",
        series=2,
        slices=3,
        PatientName="Müller^Eva",
        PatientID="Q1",
        RequestAttributesSequence=[step],
    )


def test_dicomweb_client_finds_studies_series_and_instances(served: ServedArchive, study: str) -> None:
    client = DICOMwebClient(served.url)
    (found,) = client.search_for_studies(search_filters={"PatientID": "Q1"})
    assert found["0020000D"]["Value"] == [study]
    assert (found["00201206"]["Value"], found["00201208"]["Value"]) == ([2], [6])
    assert found["00080061"]["Value"] == ["MR"]
    assert found["00100010"]["Value"] == [{"Alphabetic": "Müller^Eva"}]
    series = client.search_for_series(study)
    assert _values(series, "00200011") == [1, 2]
    assert _values(series, "00201209") == [3, 3]
    instances = client.search_for_instances(study, str(series[0]["0020000E"]["Value"][0]))
    assert _values(instances, "00200013") == [1, 2, 3]
    assert _values(instances, "00280010") == [32, 32, 32]
    assert len(client.search_for_instances(study)) == 6
    assert client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": "eva mueller"})
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []


@pytest.mark.parametrize("resource", ["series", "instances"])
def test_searches_across_studies_match_attributes_of_all_levels(
    served: ServedArchive, study: str, resource: str
) -> None:
    found = served.get(f"{resource}?PatientID=Q1&SeriesNumber=2&StudyDate=20250101-20250103").json()
    assert {one["0020000D"]["Value"][0] for one in found} == {study}
    assert set(_values(found, "00200011")) == {2} or resource == "instances"
    assert all(one["00100020"]["Value"] == ["Q1"] for one in found)


def test_keys_in_a_sequence_must_match_in_one_item(served: ServedArchive, study: str) -> None:
    both = "RequestAttributesSequence.ScheduledProcedureStepID=S7&00400275.00401001=R7"
    assert len(served.get(f"series?{both}").json()) == 2
    assert served.get("series?RequestAttributesSequence.ScheduledProcedureStepID=S8").status_code == 204


def test_a_list_of_studies_may_have_backslashes_as_ohif_writes_it(served: ServedArchive, study: str) -> None:
    other = _study(served, "other")
    for separator in ("%5C", "\\", ",", "%2C"):
        found = served.get(f"studies?StudyInstanceUID={study}{separator}{other}").json()
        assert set(_values(found, "0020000D")) == {study, other}


def test_ohif_s_study_list_is_answered(served: ServedArchive, study: str) -> None:
    asked = (
        "studies?limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
        "&PatientName=*m%C3%BCller*&00100020=*Q1*&StudyDescription=*rai*&ModalitiesInStudy=MR&StudyDate=20250101-20250131"
    )
    answer = served.get(asked, "application/dicom+json")
    assert _values(answer.json(), "0020000D") == [study]
    assert answer.json()[0]["00081030"]["Value"] == ["Brain"]


def test_nothing_found_is_204(served: ServedArchive, study: str) -> None:
    answer = served.get("studies?PatientID=none")
    assert (answer.status_code, answer.content) == (204, b"")


def test_more_results_are_announced_and_are_on_the_next_pages(served: ServedArchive, study: str) -> None:
    seen: list[object] = []
    for offset, left in ((0, 4), (2, 2), (4, 0)):
        answer = served.get(f"studies/{study}/instances?limit=2&offset={offset}")
        warned = answer.headers.get("Warning", "")
        assert (f"There are {left} additional results" in warned) is bool(left)
        seen += _values(answer.json(), "00080018")
    assert len(set(seen)) == 6
    assert served.get(f"studies/{study}/instances?limit=2&offset=6").status_code == 204


def test_what_was_passed_over_is_told(served: ServedArchive, study: str) -> None:
    assert "EchoTime" in served.get("studies?EchoTime=10").headers["Warning"]


def test_fields_are_returned_as_asked(served: ServedArchive, study: str) -> None:
    plain = served.get(f"studies/{study}/series").json()[0]
    assert "00080070" not in plain
    asked = served.get(f"studies/{study}/series?includefield=Manufacturer&includefield=00100020").json()[0]
    assert asked["00080070"]["Value"] == ["Synthetic"]
    assert asked["00100020"]["Value"] == ["Q1"]
    assert "00080070" in served.get(f"studies/{study}/series?includefield=all").json()[0]


def test_results_name_where_they_can_be_retrieved(served: ServedArchive, study: str) -> None:
    (found,) = served.get(f"studies/{study}/instances?limit=1").json()
    answer = served.http.get(found["00081190"]["Value"][0])
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom"')


def test_results_come_as_xml_to_who_asks(served: ServedArchive, study: str) -> None:
    answer = served.get(f"studies/{study}/series", 'multipart/related; type="application/dicom+xml"')
    assert answer.content.count(b"<NativeDicomModel") == 2
    assert b'keyword="SeriesInstanceUID"' in answer.content


@pytest.mark.parametrize(
    "asked",
    [
        "studies?StudyDate=yesterday",
        "studies?limit=-1",
        "studies?limit=ten",
        "studies?NoSuchAttribute=1",
        "studies?PatientID=1&PatientID=2",
        "studies?StudyInstanceUID=..%2F..%2Fetc",
        "studies/1.2%00/series",
        "series?SeriesNumber=one",
        "studies?" + "&".join(f"PatientID={n}" for n in range(200)),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(served: ServedArchive, asked: str) -> None:
    answer = served.get(asked)
    assert answer.status_code == 400
    assert answer.json()["reason"]


def test_a_form_that_is_not_offered_is_refused(served: ServedArchive) -> None:
    assert served.get("studies", "text/html").status_code == 406
