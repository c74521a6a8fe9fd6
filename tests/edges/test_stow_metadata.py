"""Instances come in as metadata with bulk data (PS3.18 10.5.2), JSON or XML, and end in the same ledger."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGLSLossless

from node.core.dicomweb.model import Json
from node.core.dicomweb.xml import native
from tests.bench import until
from tests.synthetic import Grid, mr_series
from tests.ways_in import Desk, desk, dicomweb

JSON, XML = "application/dicom+json", "application/dicom+xml"
STORED, FAILED, OTHER = "00081199", "00081198", "0008119A"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, httpx.Client]]:
    with ExitStack() as closing:
        opened = closing.enter_context(desk(tmp_path_factory.mktemp("desk"), 0))
        port = closing.enter_context(dicomweb(opened, 64 << 20))
        url = f"http://127.0.0.1:{port}/dicom-web"
        yield opened, closing.enter_context(httpx.Client(base_url=url, timeout=60))


def described(ds: Dataset, uri: str) -> Json:
    made = json.loads(ds.to_json(bulk_data_threshold=1 << 30, bulk_data_element_handler=lambda _: uri))
    made["7FE00010"] = {"vr": "OW", "BulkDataURI": uri}
    return dict(made)


def body(*parts: tuple[str, str, bytes]) -> bytes:
    """Content-Type, Content-Location and content of each part."""
    made = b"".join(
        f"--x\r\nContent-Type: {kind}\r\n".encode()
        + (f"Content-Location: {location}\r\n".encode() if location else b"")
        + b"\r\n"
        + content
        + b"\r\n"
        for kind, location, content in parts
    )
    return made + b"--x--\r\n"


def send(http: httpx.Client, content: bytes, kind: str = JSON, study: str = "") -> httpx.Response:
    return http.post(
        f"/studies/{study}" if study else "/studies",
        content=content,
        headers={"Content-Type": f'multipart/related; type="{kind}"; boundary=x'},
    )


def octets(uri: str, content: bytes) -> tuple[str, str, bytes]:
    return "application/octet-stream", uri, content


def reasons(answer: httpx.Response, tag: str) -> list[int]:
    return [item["00081197"]["Value"][0] for item in answer.json()[tag]["Value"]]


@pytest.mark.parametrize("kind", [JSON, XML])
def test_described_instances_are_stored_with_their_bulk_data(service: tuple[Desk, httpx.Client], kind: str) -> None:
    opened, http = service
    made = mr_series(Grid(slices=3), name=kind[-4:])
    models = [described(ds, f"bulk/{number}") for number, ds in enumerate(made)]
    bulk = [octets(f"bulk/{number}", ds.PixelData) for number, ds in enumerate(made)]
    told = [(JSON, "", json.dumps(models).encode())] if kind == JSON else [(XML, "", native(one)) for one in models]
    answer = send(http, body(*told, *bulk), kind, made[0].StudyInstanceUID)
    assert answer.status_code == 200
    uids = [item["00081155"]["Value"][0] for item in answer.json()[STORED]["Value"]]
    assert uids == [ds.SOPInstanceUID for ds in made]
    for ds in made:
        kept = dcmread(opened.stored()[ds.SOPInstanceUID])
        assert kept.PixelData == ds.PixelData
        assert (kept.PatientName, kept.ImagePositionPatient) == (ds.PatientName, ds.ImagePositionPatient)
    assert {line[:4] for line in opened.receipts()[-3:]} == {("stow", "STOW", "stored", 0)}


def test_one_instance_whose_bulk_data_did_not_come_fails_and_the_others_are_stored(
    service: tuple[Desk, httpx.Client],
) -> None:
    opened, http = service
    whole, cut, odd = mr_series(Grid(slices=3), name="partly")
    models = [described(whole, "a"), described(cut, "nowhere"), {**described(odd, "a"), "00080060": {"vr": "??"}}]
    answer = send(http, body((JSON, "", json.dumps(models).encode()), octets("a", whole.PixelData)))
    assert answer.status_code == 202
    assert reasons(answer, FAILED) == [0xC000, 0xC000]
    assert [item["00081155"]["Value"][0] for item in answer.json()[FAILED]["Value"]] == [
        cut.SOPInstanceUID,
        odd.SOPInstanceUID,
    ]
    assert "attribute (7FE0,0010) names bulk data that did not come" in answer.headers["Warning"]
    assert opened.stored().keys() >= {whole.SOPInstanceUID}
    assert not opened.stored().keys() & {cut.SOPInstanceUID, odd.SOPInstanceUID}


def test_compressed_bulk_data_is_stored_in_its_transfer_syntax(service: tuple[Desk, httpx.Client]) -> None:
    opened, http = service
    (ds,) = mr_series(Grid(slices=1, rows=64, columns=64), name="compressed")
    pixels = ds.pixel_array
    model = described(ds, "a")
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    answer = send(http, body((JSON, "", json.dumps([model]).encode()), ("image/jls", "a", frame)))
    assert answer.status_code == 200
    kept = dcmread(opened.stored()[ds.SOPInstanceUID])
    assert kept.file_meta.TransferSyntaxUID == JPEGLSLossless
    assert (kept.pixel_array == pixels).all()


def test_an_object_without_pixels_may_come_as_json_alone(service: tuple[Desk, httpx.Client]) -> None:
    opened, http = service
    (ds,) = mr_series(Grid(slices=1), name="alone")
    del ds.PixelData
    model = json.dumps([json.loads(ds.to_json())]).encode()
    answer = http.post("/studies", content=model, headers={"Content-Type": JSON})
    assert answer.status_code == 200
    assert ds.SOPInstanceUID in opened.stored()


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"00080016": {"vr": "UI", "Value": ["1.2.3"]}}, 409, 0x0122),
        ({"00080016": {"vr": "UI"}}, 409, 0xA900),
        ({"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}, 409, 0xA900),
        ({"0020000E": {"vr": "UI"}}, 409, 0xA900),
        ({"00280010": {"vr": "US", "Value": [4000]}}, 400, 0xC000),
    ],
)
def test_what_cannot_be_stored_is_told_with_its_reason(
    service: tuple[Desk, httpx.Client], change: Json, status: int, reason: int
) -> None:
    opened, http = service
    (ds,) = mr_series(Grid(slices=1), name="refused")
    model = json.dumps([{**described(ds, "a"), **change}]).encode()
    answer = send(http, body((JSON, "", model), octets("a", ds.PixelData)), study=ds.StudyInstanceUID)
    assert answer.status_code == status
    assert reasons(answer, FAILED) == [reason]
    assert ds.SOPInstanceUID not in opened.stored()


def test_a_part_that_nobody_names_is_told(service: tuple[Desk, httpx.Client]) -> None:
    _, http = service
    (ds,) = mr_series(Grid(slices=1), name="unnamed part")
    told = (JSON, "", json.dumps([described(ds, "a")]).encode())
    answer = send(http, body(told, octets("a", ds.PixelData), octets("b", b"1234")))
    assert answer.status_code == 202
    assert reasons(answer, OTHER) == [0xC000]


_UNREADABLE = [
    b"", b"{", b"[1]", b"null", b'"a"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"[NaN]", b"9" * 100_000,
    b'[{"00080018": {"vr": "UI"}, "00080018": {"vr": "UI"}}]', b'{"00080018": 1}', b'{"0008": {"vr": "UI"}}',
]  # fmt: skip


@pytest.mark.parametrize("content", _UNREADABLE, ids=range(len(_UNREADABLE)))
@pytest.mark.parametrize("kind", [JSON, XML])
def test_metadata_that_cannot_be_read_is_refused(service: tuple[Desk, httpx.Client], kind: str, content: bytes) -> None:
    opened, http = service
    before = len(opened.receipts())
    answer = send(http, body((kind, "", content)), kind)
    assert 400 <= answer.status_code < 500
    assert len(opened.receipts()) == before


def test_too_much_metadata_is_refused_before_it_is_read(service: tuple[Desk, httpx.Client]) -> None:
    _, http = service
    answer = send(http, body((JSON, "", b"[" + b" " * (33 << 20))))
    assert answer.status_code == 413
    assert "32 MiB" in answer.headers["Warning"]


def test_bulk_data_is_never_in_memory(service: tuple[Desk, httpx.Client]) -> None:
    opened, http = service
    (ds,) = mr_series(Grid(slices=1), name="large")
    ds.Rows = ds.Columns = 4096
    model = json.dumps([described(ds, "a")]).encode()
    head, _, tail = body((JSON, "", model), octets("a", b"@")).partition(b"@")

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(32):
            yield b"\1" * (1 << 20)
        yield tail

    tracemalloc.start()
    try:
        kind = f'multipart/related; type="{JSON}"; boundary=x'
        answer = http.post("/studies", content=pieces(), headers={"Content-Type": kind})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 200
    assert peak < 24 << 20
    assert opened.stored()[ds.SOPInstanceUID].stat().st_size > 32 << 20
    until(lambda: not list(opened.files.root.rglob("*.part")), "nothing is left over")


_leaf = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
_value = st.recursive(_leaf, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner))
_attribute = st.fixed_dictionaries(
    {}, optional={"vr": st.sampled_from(["UI", "SQ", "OW", "PN", "US", "x"]), "Value": _value | st.lists(_value),
                  "BulkDataURI": st.sampled_from(["a", "b"]), "InlineBinary": _value},
)  # fmt: skip
_tag = st.sampled_from(["00080005", "00080016", "00080018", "0020000D", "7FE00010", "00280010", "00081140"])
_kind = st.sampled_from([JSON, XML, "application/octet-stream", "image/jls", "image/jp2; transfer-syntax=1.2", "", ";"])
_part = st.tuples(
    _kind,
    st.sampled_from(["", "a", "b", "../../etc/passwd"]),
    st.binary(max_size=60)
    | st.dictionaries(_tag, _attribute | _value, max_size=4).map(lambda model: json.dumps([model]).encode())
    | st.text(max_size=30).map(lambda text: f"<NativeDicomModel>{text}</NativeDicomModel>".encode()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(st.lists(_part, max_size=4), st.sampled_from([JSON, XML]), st.dictionaries(_tag, _attribute, max_size=2))
def test_whatever_is_sent_is_answered_and_never_with_a_fault_of_ours(
    service: tuple[Desk, httpx.Client], parts: list[tuple[str, str, bytes]], kind: str, change: dict[str, Any]
) -> None:
    _, http = service
    (ds,) = mr_series(Grid(slices=1), name="fuzzed")
    whole = (JSON, "", json.dumps([{**described(ds, "a"), **change}]).encode())
    for told in (parts, [whole, *parts], [whole, octets("a", ds.PixelData)]):
        answer = send(http, body(*told), kind)
        assert answer.status_code < 500, answer.text
