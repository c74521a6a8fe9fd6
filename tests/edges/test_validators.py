"""Third-party validators find no error in the results of real series.

Runs where shared/tools/validate/setup.sh has installed the validators; skips with the reason elsewhere. A case takes
20 to 30 seconds, so four run by default: a classic series and an Enhanced one with findings, a result in which nothing
was found, and a series whose header has illegal dates. With MRICORE_SLOW_TESTS=1 in the environment all of them run.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from _pytest.mark import ParameterSet
from pydicom.dataset import Dataset

from node.core.card import Code, Encoding, Kind
from node.core.dicom import facts
from node.core.results import SR_FORMS, Evaluation, Form, encode, to_bytes, verify
from node.core.volume import Volume, volumes
from tests.results import SHARED, card, origin, real_series, values_of, volume_of

VALIDATE = SHARED.parent / "tools" / "validate" / "validate.py"
VALIDATORS = Path(os.environ.get("VALIDATORS", Path.home() / ".cache" / "dicom-validators"))

JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # a validator runs for seconds: what optimizes it takes half of them

NO_SEG_OR_SR = {Form.OVERLAY, Form.GSPS, Form.PDF}  # validate.py takes what is no SEG for an SR
FINDINGS, NOTHING = "both segments", "nothing"

pytestmark = [
    pytest.mark.validators,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of pydicom, about the real headers
    pytest.mark.skipif(
        not (VALIDATE.exists() and (VALIDATORS / "bin" / "python").exists()),
        reason="the validators are not installed (shared/tools/validate/setup.sh)",
    ),
]


def slow(*values: object) -> ParameterSet:
    """A case that runs only with MRICORE_SLOW_TESTS=1."""
    skip = pytest.mark.skipif(os.environ.get("MRICORE_SLOW_TESTS") != "1", reason="MRICORE_SLOW_TESTS is not 1")
    return pytest.param(*values, marks=[pytest.mark.slow, skip])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("siemens-t1-sag-hfs", FINDINGS),
        ("philips-pcasl-enh", FINDINGS),
        ("siemens-xa30-t1-enh", NOTHING),
        ("ge-knee-mese-te1", FINDINGS),  # its dates are not legal
        slow("siemens-t1-sag-hfs", NOTHING),
        slow("philips-pcasl-enh", NOTHING),
        slow("siemens-xa30-t1-enh", FINDINGS),
        slow("ge-knee-mese-te1", NOTHING),
        slow("philips-pcasl-classic", FINDINGS),
        slow("philips-pcasl-classic", NOTHING),
        slow("derived-fpg-flair-ax", FINDINGS),
        slow("derived-fpg-flair-ax", NOTHING),
        slow("derived-sct-cspine-t2s-ax", FINDINGS),
        slow("derived-sct-cspine-t2s-ax", NOTHING),
        slow("ge-knee-mese-te5", FINDINGS),
        slow("ge-pd-ax-brain", FINDINGS),  # its UIDs are not legal, its slices not quite even
        slow("ge-b0map-multi", FINDINGS),  # two volumes
        slow("canon-dti-classic", FINDINGS),  # two b-values
        slow("studyforrest-t1-ax-defaced", FINDINGS),
    ],
)
def test_no_validator_finds_an_error_in_the_results_of(name: str, found: str, tmp_path: Path) -> None:
    volume, sources = last_volume(real_series(name))
    values, model = values_of(volume, sources), card(2)
    labels = (values > np.percentile(values, 60)).astype(np.uint8)
    labels |= (values > np.percentile(values, 97)).astype(np.uint8) << 1
    if found == NOTHING:
        labels[:] = 0
    result = encode(volume, sources, labels, values, origin(model, sources))
    assert verify(to_bytes(result.seg), sources, volume, labels, model) == ()
    said = errors(name, {"seg": result.seg, "sr": result.sr}, tmp_path)
    assert [line for line in said if not true_of_the_sources(line, sources)] == []


@pytest.mark.parametrize("name", ["siemens-t1-sag-hfs", slow("philips-pcasl-enh"), slow("ge-pd-ax-brain")])
def test_dcmqi_reads_the_volumes_and_measurements_that_were_written(name: str, tmp_path: Path) -> None:
    volume, sources = last_volume(real_series(name))
    values, model = values_of(volume, sources), card(2, Encoding.LABELMAP)
    labels = (values > np.percentile(values, 60)).astype(np.uint8)
    labels[values > np.percentile(values, 97)] = 2
    result = encode(volume, sources, labels, values, origin(model, sources), forms=[Form.BINARY, *SR_FORMS])
    by_label = {one.label: one for one in result.measurements}
    for form in SR_FORMS:
        for group in groups_read_by_dcmqi(result.objects[form], tmp_path):
            ours = by_label[group["TrackingIdentifier"].rpartition("/")[2]]
            read = [float(item["value"]) for item in group["measurementItems"]]
            assert read == pytest.approx([ours.volume_ml, ours.mean, ours.sd, ours.diameter_mm], rel=1e-5)
    for one in result.measurements:
        assert one.volume_ml == pytest.approx(volume_read_by_dcmqi(result.seg, one.number, tmp_path), rel=1e-3)


def groups_read_by_dcmqi(sr: Dataset, folder: Path) -> list[dict[str, Any]]:
    path, out = folder / "read.dcm", folder / "read.json"
    path.write_bytes(to_bytes(sr))
    command = [VALIDATORS / "bin" / "tid1500reader", "--inputDICOM", path, "--outputMetadata", out]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    groups: list[dict[str, Any]] = json.loads(out.read_text())["Measurements"]
    assert len(groups) == 2
    return groups


def volume_read_by_dcmqi(seg: Dataset, number: int, folder: Path) -> float:
    """Of a segment, in ml: the voxels of dcmqi's image by the volume of one, which ITK takes from the positions."""
    path = folder / "read.dcm"
    path.write_bytes(to_bytes(seg))
    program = VALIDATORS / "bin" / "segimage2itkimage"
    subprocess.run(
        [program, "--inputDICOM", path, "--outputDirectory", folder, "--outputType", "nrrd"],
        check=True,
        capture_output=True,
    )
    head, _, body = (folder / f"{number}.nrrd").read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    sides = [[float(x) for x in item.strip("()").split(",")] for item in fields["space directions"].split()]
    kind = {"short": "<i2", "signed short": "<i2", "unsigned char": "u1", "unsigned short": "<u2"}[fields["type"]]
    voxels = np.count_nonzero(np.frombuffer(gzip.decompress(body), kind))
    return float(voxels * abs(np.linalg.det(np.array(sides))) / 1000)


def last_volume(images: list[Dataset]) -> tuple[Volume, list[Dataset]]:
    """The last volume of a series, and its images."""
    volume = volumes([facts(image) for image in images])[-1]
    taken = {plane.sop_instance_uid for plane in volume.slices}
    return volume, [image for image in images if image.SOPInstanceUID in taken]


def true_of_the_sources(line: str, sources: list[Dataset]) -> bool:
    """Whether what is called an error is one of the sources: an illegal UID, or slices at uneven distances."""
    if "Illegal root for UID" in line:
        uids = [str(source[name].value) for source in sources for name in ("SOPInstanceUID", "StudyInstanceUID",
                "SeriesInstanceUID", "FrameOfReferenceUID")]  # fmt: skip
        return any(uid.startswith(line.rpartition("<")[2].rstrip(">")) for uid in uids)
    return "do not form a regularly-spaced volume" in line and uneven(sources)


def uneven(sources: list[Dataset]) -> bool:
    try:
        hd.get_volume_from_series(sources)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("name", [slow("siemens-t1-sag-hfs"), slow("philips-pcasl-enh")])
def test_no_validator_finds_an_error_in_what_other_destinations_get(name: str, tmp_path: Path) -> None:
    sources = real_series(name)
    volume, made = volume_of(sources), origin(card(2, Encoding.LABELMAP), sources)
    values = values_of(volume, sources)
    labels = (values > np.percentile(values, 60)).astype(np.uint8)
    labels[values > np.percentile(values, 97)] = 2
    result = encode(volume, sources, labels, values, made, forms=list(Form))
    said = errors(name, {form.lower(): ds for form, ds in result.objects.items() if form not in NO_SEG_OR_SR}, tmp_path)
    # The rules of 2020 ask for what a label map must not have; its SOP Class is of 2024
    assert [line for line in said if "Segment Identification Sequence) is missing" not in line] == []


@pytest.mark.parametrize("name", [slow("siemens-t1-sag-hfs")])
def test_no_validator_finds_an_error_in_what_is_said_in_words_alone(name: str, tmp_path: Path) -> None:
    sources = real_series(name)
    volume, model = volume_of(sources), replace(card(1), kind=Kind.CLASSIFICATION, segments=())
    words = [Evaluation(Code("123014", "DCM", "Target Region"), Code("69536005", "SCT", "Head"))]
    values = values_of(volume, sources)
    nothing = np.zeros(values.shape, np.uint8)
    made = encode(volume, sources, nothing, values, origin(model, sources), forms={Form.PLANAR}, evaluations=words)
    assert verify(to_bytes(made.sr), sources, volume, nothing, model) == ()
    assert errors(name, {"sr": made.sr}, tmp_path) == []


def errors(name: str, results: Mapping[str, Dataset], folder: Path) -> list[str]:
    """What the validators call an error in results of a real series."""
    paths = [folder / f"{kind}.dcm" for kind in results]
    for path, ds in zip(paths, results.values(), strict=True):
        path.write_bytes(to_bytes(ds))
    said = subprocess.run(
        [VALIDATORS / "bin" / "python", VALIDATE, "--src", SHARED / "mr" / name, *paths],
        env={**os.environ, "JAVA_TOOL_OPTIONS": JAVA},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
    ).stdout
    assert "TOTAL errors" in said
    found = [line for line in said.splitlines() if line.startswith("   E ")]
    return found + [line for path in paths for line in all_of_dciodvfy(path)] if found else []


def all_of_dciodvfy(path: Path) -> list[str]:
    """Every error that it finds: validate.py shows the first six."""
    said = subprocess.run([VALIDATORS / "bin" / "dciodvfy", "-new", path], capture_output=True, timeout=300).stderr
    return [line for line in said.decode(errors="replace").splitlines() if line.startswith("Error")]
