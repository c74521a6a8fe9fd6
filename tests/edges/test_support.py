"""The support bundle tells how the node is, and nothing of a patient or a secret."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from node.core.deidentify import TECHNICAL, replaced, technical, without, without_uids
from node.logs import configure
from tests.command_line import mricore_node
from tests.keeping import keeping
from tests.listening import now
from tests.receiving import encoded, opened
from tests.synthetic import Grid, mr_series

KEY = b"k" * 32
SECRETS = ("pw-of-the-database", "open sesame", "bearer-of-the-archive", "hook-in-the-path", "triton-key")
PATIENT = {
    "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "PatientID": "PID-4711",
    "PatientBirthDate": "19610823",
    "AccessionNumber": "ACC-0815",
    "StudyDescription": "Kopf nativ geheim",
    "SeriesDescription": "t1 mpr Zimmer 7",
    "ReferringPhysicianName": "Sommer^Hans",
    "InstitutionName": "Klinik am See",
    "StationName": "MR-KELLER",
    "DeviceSerialNumber": "SER-99887",
    "OtherPatientIDs": "OPID-1",
    "PatientComments": "lives at Hauptstr. 1",
    "OperatorsName": "Winter^Eva",
    "ManufacturerModelName": "Yamada special",  # a vendor that writes the patient's name where it has no place
}


def dirty(number: int) -> list[Dataset]:
    made = mr_series(Grid(slices=2), name=f"dirty{number}")
    for ds in made:
        ds.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in PATIENT.items():
            setattr(ds, keyword, value)
        block = ds.private_block(0x0019, "VENDOR", create=True)
        block.add_new(0x01, "LO", "PID-4711 in private")
    return made


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[dict[str, str]]:
    with opened(tmp_path, now) as store:
        for ds in dirty(1):
            assert store.receive(encoded(ds)).status == 0
    more = {
        "destination": [
            {"name": "web", "kind": "stow", "url": "http://127.0.0.1:9/dicom-web", "user": "u", "password": SECRETS[1]},
            {"name": "two", "kind": "stow", "url": "http://127.0.0.1:9/dicom-web", "token": SECRETS[2]},
        ],
        "triton": {"token": SECRETS[4], "models": tmp_path / "none"},
    }
    configure(verbose=True)
    structlog.get_logger().info("series complete", series_instance_uid="1.2.3.4.5.6", reason="PID-4711 was seen")
    configure(verbose=False)
    with keeping(tmp_path, now, **more) as kept:
        answer = kept.api.get("/support")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(answer.content)) as packed:
        yield {name: packed.read(name).decode() for name in packed.namelist()}


def test_it_holds_what_helps(bundle: dict[str, str]) -> None:
    assert set(bundle) == {
        "README.txt", "versions.json", "settings.json", "check.json", "ledger.json", "jobs.json", "headers.json",
        "metrics.txt", "log.txt", "triton.txt",
    }  # fmt: skip
    assert json.loads(bundle["versions.json"])["packages"]["pydicom"]
    assert json.loads(bundle["settings.json"])["destination"][0]["url"] == "http://127.0.0.1:9/dicom-web"
    assert any(one["part"] == "database" for one in json.loads(bundle["check.json"]))
    assert "mricore_" in bundle["metrics.txt"]
    assert "series complete" in bundle["log.txt"]
    (header,) = json.loads(bundle["headers.json"])
    assert (header["instances"], header["header"]["Modality"], header["header"]["Rows"]) == (2, "MR", "32")
    assert header["header"]["SeriesInstanceUID"] == header["series"]
    assert "ManufacturerModelName" not in header["header"]


def test_no_value_of_the_patient_and_no_secret_is_in_it(bundle: dict[str, str]) -> None:
    parts = {part for value in PATIENT.values() for part in value.replace("^", " ").replace("=", " ").split()}
    for name, text in bundle.items():
        for value in {*PATIENT.values(), *(part for part in parts if len(part) > 4), *SECRETS}:
            assert value not in text, (name, value)
        for ds in dirty(1):
            for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID):
                assert str(uid) not in text, name
        assert "1.2.3.4.5.6" not in text


def test_settings_lose_what_may_be_a_secret(tmp_path: Path) -> None:
    from node.app.support import _masked

    told = {
        "notify": {"webhook": {"url": f"https://hooks.example/services/{SECRETS[3]}"}, "to": ["anna@hospital.example"]},
        "smtp": {"password": "x", "tls_key": "/etc/key.pem"},
        "triton": {"url": "grpc://host:8001"},
    }
    masked = _masked(told)
    assert masked["notify"] == {
        "webhook": {"url": "https://hooks.example/[removed]"},
        "to": ["[removed]@hospital.example"],
    }
    assert masked["smtp"] == {"password": "[set]", "tls_key": "/etc/key.pem"}
    assert masked["triton"]["url"] == "grpc://host:8001"


def test_the_command_writes_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    from tests.command_line import settings_file

    log = tmp_path / "node.log"
    log.write_text("event=started series_instance_uid=1.2.840.113619.2.1.1\n")
    out = tmp_path / "b.zip"
    environment = {"MRICORE_TRITON__URL": "grpc://127.0.0.1:9"}
    ran = mricore_node(
        "support", "--config", settings_file(tmp_path), "--out", out, "--log", log, environment=environment
    )
    assert ran.status == 0, ran
    assert out.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(out) as packed:
        text = packed.read("log.txt").decode()
    assert text.startswith("event=started series_instance_uid=uid-")


@given(st.dictionaries(st.sampled_from(TECHNICAL), st.text(max_size=80)), st.text(min_size=3, max_size=20))
def test_whatever_stands_in_an_allowed_attribute_what_must_not_be_told_is_not(
    values: dict[str, str], secret: str
) -> None:
    class Header(Dataset):
        def get(self, key: object, default: object = None) -> object:  # type: ignore[override] # any text at all
            return values.get(str(key), default)

    told = technical(Header(), KEY, [secret])
    assert all(without(str(value), [secret]) == value for value in told.values())
    assert all(str(value).isprintable() for value in told.values())


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=6), st.text(max_size=20))
def test_every_uid_in_a_text_becomes_another_and_the_same_one(parts: list[int], around: str) -> None:
    uid = "1.2." + ".".join(map(str, parts))
    text = without_uids(f"{around} {uid} and {uid}, {around}", KEY)
    assert uid not in text.replace(around, "") or uid.startswith("1.2.840.10008.")
    assert replaced(uid, KEY) == replaced(uid, KEY) != replaced(uid, b"other" * 8)
    assert replaced("1.2.840.10008.1.2.1", KEY) == "1.2.840.10008.1.2.1"
