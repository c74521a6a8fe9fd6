"""Whatever a client sends, it is answered, and never with a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.archives import ServedArchive, served
from tests.synthetic import Grid, mr_series

__all__ = ["served"]

_FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
_INSTANCE = "{instance}"

_PATHS = st.sampled_from(
    [
        "studies", "series", "instances", "studies/{study}/series", "studies/{study}/instances", "studies/{study}",
        "{instance}", "{instance}/metadata", "studies/{study}/metadata", "{instance}/frames/1", "{instance}/rendered",
        "{instance}/frames/1/rendered", "{instance}/thumbnail", "{instance}/pixeldata", "{instance}/bulkdata",
        "{instance}/bulkdata/7FE00010", "{instance}/bulkdata/00081110.1.00081150", "",
    ]
)  # fmt: skip
_NAMES = st.sampled_from(
    ["PatientName", "00100020", "StudyDate", "StudyTime", "StudyInstanceUID", "SeriesNumber", "ModalitiesInStudy",
     "RequestAttributesSequence.00400009", "includefield", "limit", "offset", "fuzzymatching", "accept", "window",
     "viewport", "quality", "annotation", "overlay", "multiplevaluematching", "emptyvaluematching", "superseded"]
) | st.text(max_size=20)  # fmt: skip
_VALUES = st.sampled_from(
    ["*", "?", "%", "_", "[", "1-2", "20240101-", "1,2", "1\\2", "-1", "NaN", "inf,1", "1,inf", "true", '""', "'--",
     "all",
     "1e999,1", "0" * 300, "image/png", "multipart/related"]
) | st.text(max_size=40)  # fmt: skip
_ACCEPTS = st.sampled_from(
    [
        "*/*", "image/png", "image/jpeg", "multipart/related", 'multipart/related; type="image/jls"',
        "application/dicom",
        "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90", "multipart/related; type=application/dicom+xml",
        "application/octet-stream; transfer-syntax=*", "multipart/related; type=image/jpeg", ";;;", "a/b;q=x", '"',
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80).map(str.strip)  # fmt: skip
_HEADERS = st.dictionaries(
    st.sampled_from(["Range", "If-None-Match", "Accept-Encoding", "Accept-Charset"]),
    st.sampled_from(["bytes=0-1", "bytes=-", "bytes=9-1", "bytes=0-1,3-4", "*", "gzip", "gzip;q=0", '"x"', ", ,"])
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
)


@pytest.fixture(scope="module")
def place(served: ServedArchive) -> dict[str, str]:
    (ds,) = mr_series(Grid(slices=1), name="fuzzed")
    served.keep(ds)
    study = str(ds.StudyInstanceUID)
    return {"study": study, "instance": f"studies/{study}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"}


@pytest.fixture(scope="module", autouse=True)
def _still_there(served: ServedArchive, place: dict[str, str]) -> Iterator[None]:
    yield
    assert served.get(f"{place['instance']}/frames/1").status_code == 200


@_FUZZ
@given(_PATHS, st.lists(st.tuples(_NAMES, _VALUES), max_size=4), _ACCEPTS, _HEADERS)
def test_any_query_and_any_headers_are_answered(
    served: ServedArchive,
    place: dict[str, str],
    path: str,
    query: list[tuple[str, str]],
    accept: str,
    headers: dict[str, str],
) -> None:
    text = "&".join(f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in query)
    answer = served.get(f"{path.format(**place)}?{text}", accept, **headers)
    assert answer.status_code < 500, answer.text


@_FUZZ
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=8))
def test_any_path_is_answered(served: ServedArchive, place: dict[str, str], parts: list[str]) -> None:
    path = "/".join(quote(part, safe="") for part in parts)
    for below in ("", "studies/", f"{place['instance']}/frames/", f"{place['instance']}/bulkdata/"):
        assert served.get(f"{served.url}/{below}{path}").status_code < 500


@_FUZZ
@given(st.text(max_size=60), st.binary(max_size=60))
def test_raw_bytes_in_a_query_are_answered(served: ServedArchive, name: str, raw: bytes) -> None:
    url = httpx.URL(f"{served.url}/studies")
    request = httpx.Request("GET", url.copy_with(query=b"PatientName=" + quote(raw).encode() + quote(name).encode()))
    assert served.http.send(request).status_code < 500


@pytest.mark.parametrize("host", ["", "a b", "évil", 'x"y', "x" * 300, "node:80:80", "[::1]:8080"])
def test_any_host_is_answered(served: ServedArchive, place: dict[str, str], host: str) -> None:
    try:
        status = served.get(f"{place['instance']}/metadata", Host=host).status_code
        stored = served.http.post("studies", content=b"", headers={"Host": host, "Content-Type": "application/dicom"})
    except (httpx.LocalProtocolError, UnicodeEncodeError):
        return  # it cannot even be sent
    assert max(status, stored.status_code) < 500


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n--x--", b"\0" * 1000, b"--x\r\nContent-Type: a\r\n\r\nb\r\n--x--"]
)
def test_any_store_body_is_answered(served: ServedArchive, body: bytes) -> None:
    for content_type in (
        'multipart/related; type="application/dicom"; boundary=x',
        "application/dicom",
        "multipart/related",
    ):
        assert served.http.post("studies", content=body, headers={"Content-Type": content_type}).status_code < 500
