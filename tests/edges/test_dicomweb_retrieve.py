"""Retrieve (WADO-RS, PS3.18 10.4): what comes out is what went in, in the form that was asked for."""

from __future__ import annotations

import threading
from dataclasses import replace
from email.message import Message
from email.parser import BytesParser
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from imagecodecs import htj2k_encode
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from node.web import dicomweb_routes
from tests.archives import ServedArchive, served, serving
from tests.synthetic import Grid, color, enhanced, mr_series, pixels, to_bytes

__all__ = ["served"]

_OCTETS = "multipart/related; type=application/octet-stream"
_GRID = Grid(slices=3, rows=64, columns=48)


def path_of(ds: Dataset, level: str = "instance") -> str:
    path = f"studies/{ds.StudyInstanceUID}"
    if level != "study":
        path += f"/series/{ds.SeriesInstanceUID}"
    return f"{path}/instances/{ds.SOPInstanceUID}" if level == "instance" else path


def parts(answer: httpx.Response) -> list[Message]:
    assert answer.status_code == 200, answer.text[:200]
    head = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n"
    found = BytesParser().parsebytes(head + answer.content).get_payload()
    assert isinstance(found, list)
    return [one for one in found if isinstance(one, Message)]


def content(part: Message) -> bytes:
    """A part's bytes; the parser takes line ends for its own, so small binary parts are cut by hand elsewhere."""
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found


@pytest.fixture(scope="module")
def series(served: ServedArchive) -> list[Dataset]:
    made = mr_series(_GRID, name="retrieved")
    served.keep(*made)
    return made


def kept(served: ServedArchive, name: str, syntax: UID = ExplicitVRLittleEndian, **change: object) -> Dataset:
    """An instance in a transfer syntax."""
    (ds,) = mr_series(Grid(slices=1, rows=64, columns=48), name=name, change=change)
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        ds.compress(syntax, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = syntax
    served.keep(ds)
    return ds


def test_dicomweb_client_retrieves_everything(served: ServedArchive, series: list[Dataset]) -> None:
    client, one = DICOMwebClient(served.url), series[0]
    study, mine, instance = one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPInstanceUID
    assert [str(ds.SOPInstanceUID) for ds in client.retrieve_study(study)] == [str(ds.SOPInstanceUID) for ds in series]
    assert len(client.retrieve_series(study, mine)) == 3
    assert client.retrieve_instance(study, mine, instance).PixelData == one.PixelData
    assert len(client.retrieve_study_metadata(study)) == len(client.retrieve_series_metadata(study, mine)) == 3
    found = Dataset.from_json(client.retrieve_instance_metadata(study, mine, instance), lambda *_: None)
    assert found.ImagePositionPatient == one.ImagePositionPatient
    assert client.retrieve_instance_frames(study, mine, instance, [1]) == [one.PixelData]
    assert np.array_equal(Image.open(BytesIO(client.retrieve_instance_rendered(study, mine, instance))).size, (48, 64))
    uri = f"{served.url}/{path_of(one)}/bulkdata/7FE00010"
    assert client.retrieve_bulkdata(uri) == [one.PixelData]


def test_a_stored_file_comes_back_byte_for_byte(served: ServedArchive, series: list[Dataset]) -> None:
    answer = served.get(path_of(series[0]), "application/dicom; transfer-syntax=*")
    stored = next(row for row in served.store.instances() if row.sop_instance_uid == str(series[0].SOPInstanceUID))
    assert answer.content == served.store.files.path(stored.path).read_bytes()
    assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"


def test_no_bucket_is_waited_for_while_others_are_to_be_answered(served: ServedArchive, series: list[Dataset]) -> None:
    path_of_file, asked_in = served.archive.path_of, set[str]()

    def fetched(store: str, name: str) -> Path:
        asked_in.add(threading.current_thread().name)
        return path_of_file(store, name)

    archive = replace(served.archive, path_of=fetched, local_of=path_of_file)
    with serving(dicomweb_routes(None, 0, archive)) as port:
        for _ in range(3):  # from the second time on it is known where the frame lies
            answer = httpx.get(f"http://127.0.0.1:{port}/dicom-web/{path_of(series[0])}/frames/1", timeout=60)
            assert answer.status_code == 200
    assert asked_in <= {"AnyIO worker thread"}


@pytest.mark.parametrize("level", ["series", "instance"])
def test_what_is_removed_at_the_moment_it_is_asked_for_is_not_there(served: ServedArchive, level: str) -> None:
    (ds,) = mr_series(Grid(slices=1), name=f"going, {level}")
    served.keep(ds)
    asked = list[str]()

    def going(store: str, name: str) -> Path:
        asked.append(name)
        return served.archive.path_of(store, name if len(asked) == 1 else f"{name}.gone")

    with serving(dicomweb_routes(None, 0, replace(served.archive, path_of=going))) as port:
        address = f"http://127.0.0.1:{port}/dicom-web/{path_of(ds, level)}"
        kind = "application/dicom" if level == "instance" else 'multipart/related; type="application/dicom"'
        accept = {"Accept": f"{kind}; transfer-syntax=*"}
        assert httpx.get(address, headers=accept, timeout=60, trust_env=False).status_code == 404
    assert len(asked) == 2


def test_a_range_of_a_file_is_given(served: ServedArchive, series: list[Dataset]) -> None:
    whole = served.get(path_of(series[0]), "application/dicom").content
    answer = served.get(path_of(series[0]), "application/dicom", Range="bytes=100-199")
    assert (answer.status_code, answer.content) == (206, whole[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert served.get(path_of(series[0]), "application/dicom", Range="bytes=-4").content == whole[-4:]
    assert served.get(path_of(series[0]), "application/dicom", Range="bytes=999999999-").status_code == 416


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_metadata_is_packed_tagged_and_not_sent_again(served: ServedArchive, series: list[Dataset], level: str) -> None:
    path = f"{path_of(series[0], level)}/metadata"
    packed = served.get(path, **{"Accept-Encoding": "gzip"})
    plain = served.get(path, **{"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert served.get(path, **{"If-None-Match": packed.headers["etag"]}).status_code == 304


def test_metadata_changes_with_every_new_instance(served: ServedArchive) -> None:
    first, second = mr_series(Grid(slices=2), name="growing")
    served.keep(first)
    path = f"{path_of(first, 'series')}/metadata"
    before = served.get(path)
    served.keep(second)
    after = served.get(path, **{"If-None-Match": before.headers["etag"]})
    assert (after.status_code, len(before.json()), len(after.json())) == (200, 1, 2)


def test_metadata_names_bulk_data_where_the_client_reaches_the_node(served: ServedArchive) -> None:
    (ds,) = mr_series(Grid(slices=1), name="bulky")
    ds.private_block(0x0099, "BULKY", create=True).add_new(0x01, "OB", bytes(range(256)) * 4)
    served.keep(ds)
    (found,) = served.get(f"{path_of(ds)}/metadata", Host="viewer.example").json()
    uri = found["00991001"]["BulkDataURI"]
    assert uri.startswith(f"http://viewer.example/dicom-web/{path_of(ds)}/bulkdata/")
    answer = served.get(uri.removeprefix("http://viewer.example/dicom-web/"), "application/octet-stream")
    assert answer.content == bytes(range(256)) * 4


def test_metadata_comes_as_xml_to_who_asks(served: ServedArchive, series: list[Dataset]) -> None:
    accept = 'multipart/related; type="application/dicom+xml"'
    found = parts(served.get(f"{path_of(series[0], 'series')}/metadata", accept))
    assert len(found) == 3
    assert b"<FamilyName>Synthetic</FamilyName>" in content(found[0])


@pytest.mark.parametrize(
    "accept",
    [
        f"{_OCTETS}; transfer-syntax=*",
        f'{_OCTETS}; transfer-syntax="*"',
        'multipart/related; type="*/*"',
        "multipart/related",
        "*/*",
        "",
        "application/octet-stream",
        f"text/html, {_OCTETS};q=0.1",
    ],
)
def test_a_frame_comes_however_it_is_asked_for(served: ServedArchive, series: list[Dataset], accept: str) -> None:
    answer = served.get(f"{path_of(series[1])}/frames/1", accept)
    assert answer.status_code == 200
    assert series[1].PixelData in answer.content


def test_frames_come_in_the_order_asked_for(served: ServedArchive) -> None:
    ds = enhanced(Grid(slices=4, rows=16, columns=16), name="many frames")
    served.keep(ds)
    size = 16 * 16 * 2
    wanted = [ds.PixelData[(n - 1) * size : n * size] for n in (3, 1, 4)]
    found = DICOMwebClient(served.url).retrieve_instance_frames(
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, [3, 1, 4]
    )
    assert found == wanted
    assert served.get(f"{path_of(ds)}/frames/5").status_code == 404
    for wrong in ("0", "x", "1,,2", "-1", "1.5", "99999999999"):
        assert served.get(f"{path_of(ds)}/frames/{wrong}").status_code == 400


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, ImplicitVRLittleEndian])
def test_compressed_frames_come_as_they_are_or_decoded(served: ServedArchive, syntax: UID) -> None:
    ds = kept(served, f"stored as {syntax}", syntax)
    plain = pixels(Grid(slices=1, rows=64, columns=48), 0, 1.15).astype("<u2").tobytes()
    decoded = served.get(f"{path_of(ds)}/frames/1", "application/octet-stream")
    assert decoded.content == plain
    as_stored = served.get(f"{path_of(ds)}/frames/1", "application/octet-stream; transfer-syntax=*")
    assert (as_stored.content == plain) is (syntax == ImplicitVRLittleEndian)
    assert as_stored.headers["content-type"] == f"application/octet-stream; transfer-syntax={syntax}"
    instance = dcmread(BytesIO(served.get(path_of(ds), "application/dicom").content))
    assert instance.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert instance.PixelData == plain


@pytest.mark.parametrize(
    ("kind", "syntax"),
    [
        ("image/jls", JPEGLSLossless),
        ("image/jp2", JPEG2000Lossless),
        ("image/jphc", HTJ2KLossless),
        ("image/dicom-rle", RLELossless),
    ],
)
def test_frames_and_instances_are_encoded_anew(
    served: ServedArchive, series: list[Dataset], kind: str, syntax: UID
) -> None:
    frame = served.get(f"{path_of(series[0])}/frames/1", f'multipart/related; type="{kind}"')
    assert f"{kind}; transfer-syntax={syntax}".encode() in frame.content
    answer = served.get(path_of(series[0]), f"application/dicom; transfer-syntax={syntax}")
    found = dcmread(BytesIO(answer.content))
    assert found.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(found.pixel_array, series[0].pixel_array)


def test_an_instance_that_came_in_htj2k_is_decoded_and_drawn(served: ServedArchive) -> None:
    (ds,) = mr_series(Grid(slices=1, rows=64, columns=48), name="stored as HTJ2K")
    plain = ds.PixelData
    ds.PixelData = encapsulate([bytes(htj2k_encode(ds.pixel_array, reversible=True))])
    ds["PixelData"].VR, ds.file_meta.TransferSyntaxUID = "OB", HTJ2KLossless
    served.keep(ds)
    assert served.get(f"{path_of(ds)}/frames/1", "application/octet-stream").content == plain
    stored = served.get(f"{path_of(ds)}/frames/1", "multipart/related; type=image/jphc")
    assert f"image/jphc; transfer-syntax={HTJ2KLossless}".encode() in stored.content
    picture = Image.open(BytesIO(served.get(f"{path_of(ds)}/rendered", "image/png").content))
    assert picture.size == (48, 64)


def test_a_deflated_instance_gives_its_frames(served: ServedArchive) -> None:
    ds = kept(served, "deflated", DeflatedExplicitVRLittleEndian)
    assert served.get(f"{path_of(ds)}/frames/1", "application/octet-stream").content == ds.PixelData


def test_a_transfer_syntax_that_nobody_makes_is_refused(served: ServedArchive, series: list[Dataset]) -> None:
    for path in (path_of(series[0]), f"{path_of(series[0])}/frames/1"):
        assert served.get(path, "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.103").status_code == 406
        assert served.get(path, "text/html").status_code == 406


def one_bit(name: str, rows: int, columns: int, frames: int) -> tuple[Dataset, np.ndarray]:
    """A one-bit multi-frame image whose frames do not end at bytes."""
    (ds,) = mr_series(Grid(slices=1), name=name)
    drawn = np.random.default_rng(5).integers(0, 2, (frames, rows, columns), np.uint8)
    ds.Rows, ds.Columns, ds.NumberOfFrames = rows, columns, frames
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    packed = np.packbits(drawn.ravel(), bitorder="little").tobytes()
    ds.PixelData = packed + b"\0" * (len(packed) % 2)
    ds["PixelData"].VR = "OB"
    return ds, drawn


@pytest.mark.parametrize(("rows", "columns"), [(61, 67), (86, 86), (16, 16)])
def test_one_bit_frames_begin_at_a_byte(served: ServedArchive, rows: int, columns: int) -> None:
    ds, drawn = one_bit(f"bits {rows}", rows, columns, 5)
    served.keep(ds)
    for number in range(1, 6):
        frame = served.get(f"{path_of(ds)}/frames/{number}", "application/octet-stream; transfer-syntax=*").content
        bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")[: rows * columns]
        assert np.array_equal(bits.reshape(rows, columns), drawn[number - 1])
    picture = Image.open(BytesIO(served.get(f"{path_of(ds)}/frames/2/rendered", "image/png").content))
    assert np.array_equal(np.asarray(picture) > 0, drawn[1] > 0)


def test_pixel_data_of_a_series_comes_frame_by_frame(served: ServedArchive, series: list[Dataset]) -> None:
    answer = served.get(f"{path_of(series[0], 'series')}/pixeldata")
    assert all(ds.PixelData in answer.content for ds in series)
    assert answer.content.count(b"Content-Location: ") == 3


def test_pictures_follow_the_window_and_the_viewport(served: ServedArchive, series: list[Dataset]) -> None:
    path = f"{path_of(series[1])}/rendered"
    picture = Image.open(BytesIO(served.get(f"{path}?window=400,800,linear&viewport=24,24", "image/png").content))
    assert picture.size == (18, 24)
    dark = np.asarray(Image.open(BytesIO(served.get(f"{path}?window=5000,10", "image/png").content)))
    assert dark.max() == 0
    of_window, of_viewport = ("window=1", "window=a,b", "window=1,2,cubic"), ("viewport=0,5", "viewport=1,2,3")
    for wrong in (*of_window, *of_viewport, "quality=0", f"quality=0100{'0' * 5000}"):
        assert served.get(f"{path}?{wrong}").status_code == 400, wrong
    assert served.get(path, "image/jpeg").content[:2] == b"\xff\xd8"
    assert served.get(f"{path}?annotation=patient,technique", "image/png").status_code == 200


@pytest.mark.parametrize("level", ["study", "series", "instance", "frame"])
def test_every_level_has_a_thumbnail(served: ServedArchive, series: list[Dataset], level: str) -> None:
    path = f"{path_of(series[0])}/frames/1" if level == "frame" else path_of(series[0], level)
    assert max(Image.open(BytesIO(served.get(f"{path}/thumbnail").content)).size) == 128


def test_colours_are_drawn_as_colours(served: ServedArchive) -> None:
    ds = color(name="coloured", slices=1)[0]
    served.keep(ds)
    assert Image.open(BytesIO(served.get(f"{path_of(ds)}/rendered", "image/png").content)).mode == "RGB"


def test_segments_are_burnt_in_where_they_lie(served: ServedArchive) -> None:
    (source,) = mr_series(Grid(slices=1, rows=61, columns=67), name="overlaid")
    seg, drawn = one_bit("overlay", 61, 67, 1)
    seg.StudyInstanceUID = source.StudyInstanceUID
    reference, derivation, segment, group = Dataset(), Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
    derivation.SourceImageSequence = [reference]
    segment.ReferencedSegmentNumber = 1
    group.DerivationImageSequence, group.SegmentIdentificationSequence = [derivation], [segment]
    seg.PerFrameFunctionalGroupsSequence = [group]
    served.keep(source, seg)
    path = f"{path_of(source)}/rendered"
    plain = np.asarray(Image.open(BytesIO(served.get(path, "image/png").content)).convert("RGB")).astype(int)
    burnt = np.asarray(Image.open(BytesIO(served.get(f"{path}?overlay={seg.SOPInstanceUID}", "image/png").content)))
    changed = np.abs(burnt.astype(int) - plain).max(axis=2) > 0
    assert np.array_equal(changed, drawn[0] > 0)
    assert served.get(f"{path}?overlay=1.2.3").status_code == 404


def test_what_has_no_pixels_has_no_picture(served: ServedArchive) -> None:
    (ds,) = mr_series(Grid(slices=1), name="document", absent=["PixelData"])
    served.keep(ds)
    assert served.get(f"{path_of(ds)}/rendered").status_code == 404
    assert served.get(f"{path_of(ds)}/frames/1").status_code in (404, 406)


def test_pixels_that_were_cut_are_refused_and_the_next_request_is_answered(
    served: ServedArchive, series: list[Dataset]
) -> None:
    (ds,) = mr_series(Grid(slices=1), name="cut")
    ds.PixelData = ds.PixelData[:100]
    served.keep(ds)
    for path in ("frames/1", "rendered", "pixeldata"):
        assert served.get(f"{path_of(ds)}/{path}").status_code == 406
    several = f'multipart/related; type="application/dicom"; transfer-syntax={JPEGLSLossless}'
    assert served.get(path_of(ds, "series"), several).status_code == 406
    assert served.get(f"{path_of(series[0])}/frames/1").status_code == 200


@pytest.mark.parametrize(
    "tail", ["", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/pixeldata", "/bulkdata/7FE00010"]
)
def test_what_is_not_there_is_404_and_what_is_no_uid_400(served: ServedArchive, tail: str) -> None:
    assert served.get(f"studies/1.2/series/1.3/instances/1.4{tail}").status_code == 404
    assert served.get(f"studies/1.2/series/1.3/instances/..%2F..%2Fpasswd{tail}").status_code in (400, 404)
    assert served.get(f"studies/x/series/1.3/instances/1.4{tail}").status_code == 400


def test_an_instance_of_another_series_is_not_there(served: ServedArchive, series: list[Dataset]) -> None:
    wrong = f"studies/{series[0].StudyInstanceUID}/series/1.2.3/instances/{series[0].SOPInstanceUID}/metadata"
    assert served.get(wrong).status_code == 404


def test_nobody_deletes(served: ServedArchive, series: list[Dataset]) -> None:
    assert served.http.delete(path_of(series[0], "study")).status_code == 403
    assert served.get(path_of(series[0])).status_code == 200


def test_the_service_says_what_it_offers(served: ServedArchive) -> None:
    assert b"{instance}/frames/{frames}" in served.get("").content
    assert served.http.options("").status_code == 200


def test_a_download_that_is_broken_off_frees_its_file(served: ServedArchive, series: list[Dataset]) -> None:
    ds = mr_series(Grid(slices=1, rows=2048, columns=2048), name="large")[0]
    served.keep(ds)
    with served.http.stream("GET", path_of(ds), headers={"Accept": "application/dicom"}) as answer:
        next(answer.iter_raw())
    assert served.get(f"{path_of(series[0])}/frames/1").status_code == 200


def test_store_says_where_what_it_stored_is_to_be_had(served: ServedArchive) -> None:
    (ds,) = mr_series(Grid(slices=1), name="stored here")
    answer = served.http.post("studies", content=to_bytes(ds), headers={"Content-Type": "application/dicom"})
    url = answer.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
    assert url == f"{served.url}/{path_of(ds)}"
    served.catch_up()
    assert served.http.get(url).status_code == 200


def test_bits_that_are_not_stored_are_not_drawn(served: ServedArchive) -> None:
    (clean,) = mr_series(Grid(slices=1), name="clean bits")
    (dirty,) = mr_series(Grid(slices=1), name="dirty bits")
    dirty.PixelData = (np.frombuffer(dirty.PixelData, "<u2") | 0xA000).astype("<u2").tobytes()
    served.keep(clean, dirty)
    assert served.get(f"{path_of(clean)}/rendered", "image/png").content == (
        served.get(f"{path_of(dirty)}/rendered", "image/png").content
    )


@pytest.mark.parametrize("kind", ["plain", "one bit", "compressed"])
def test_a_frame_is_the_same_from_memory_and_is_gone_with_its_file(served: ServedArchive, kind: str) -> None:
    if kind == "one bit":
        ds, _ = one_bit("from memory, bits", 61, 67, 5)
        served.keep(ds)
    else:
        ds = kept(served, f"from memory, {kind}", JPEGLSLossless if kind == "compressed" else ExplicitVRLittleEndian)
    path = f"{path_of(ds)}/frames/{2 if kind == 'one bit' else 1}"
    accept = "application/octet-stream; transfer-syntax=*"
    first = served.get(path, accept)
    assert first.status_code == 200
    again = [served.get(path, accept) for _ in range(3)]
    assert {answer.content for answer in again} == {first.content}
    assert {answer.headers["content-type"] for answer in again} == {first.headers["content-type"]}
    assert served.get(path, "text/html").status_code == 406
    stored = next(row for row in served.store.instances() if row.sop_instance_uid == str(ds.SOPInstanceUID))
    served.store.files.path(stored.path).unlink()
    assert served.get(path, accept).status_code == 404
