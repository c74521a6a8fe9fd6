"""How long a result takes: ours beside highdicom's own and dcmqi's, interleaved.

    python -m benchmarks.encode [--slices 200] [--matrix 512] [--rounds 3]

Five segments on one volume. Ours builds the BINARY SEG and the SR and writes both; highdicom builds the same SEG from
the whole label map and writes it (ours measures and makes an SR as well, so it does more); dcmqi's itkimage2segimage
reads the headers and a label map and writes a SEG. Each program runs once before it is measured. dcmqi is taken from
$VALIDATORS/bin, or ~/.cache/dicom-validators/bin, and left out where it is not.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import resource
import statistics
import struct
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from node.core.card import Encoding
from node.core.results import Form, Results, encode, to_bytes
from node.core.volume import Volume, affine
from tests.results import card, origin, volume_of
from tests.synthetic import Grid, mr_series
from tests.synthetic import to_bytes as file_of

DCMQI = Path(os.environ.get("VALIDATORS", Path.home() / ".cache" / "dicom-validators")) / "bin" / "itkimage2segimage"


@dataclass(frozen=True)
class Case:
    """One volume and what a model found on it."""

    sources: list[Dataset]
    volume: Volume
    labels: NDArray[np.uint8]
    values: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    folder: Path


def make_case(slices: int, matrix: int, folder: Path, *, probabilities: bool) -> Case:
    """Five ellipsoids that do not overlap: a large one, and four within the quarters of what is left of it."""
    sources = mr_series(Grid(slices=slices, rows=matrix, columns=matrix, pixel_spacing=(0.5, 0.5), slice_spacing=1.0))
    z, y, x = np.ogrid[-1 : 1 : slices * 1j, -1 : 1 : matrix * 1j, -1 : 1 : matrix * 1j]
    labels = (z**2 + y**2 + x**2 < 0.9).astype(np.uint8)
    for number, (row, column) in enumerate(((-0.4, -0.4), (-0.4, 0.4), (0.4, -0.4), (0.4, 0.4)), 2):
        labels[(z**2 * 0.11 + (y - row) ** 2 + (x - column) ** 2) < 0.1] = number
    values = np.random.default_rng(0).normal(300, 50, labels.shape).astype(np.float32)
    (folder / "dicom").mkdir()
    for number, source in enumerate(sources):
        (folder / "dicom" / f"{number:04d}.dcm").write_bytes(file_of(source))
    likely = _probabilities(labels) if probabilities else None
    return Case(sources, volume_of(sources), labels, values, likely, folder)


def _probabilities(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    made = np.empty((5, *labels.shape), np.float32)
    for number, one in enumerate(made, 1):
        one[:] = np.where(labels == number, np.float32(0.7), np.float32(0))
    return made


def ours(case: Case) -> None:
    """BINARY SEG and SR, written and on the disk."""
    made = _encoded(case, Form.BINARY, Form.PLANAR)
    for name, ds in (("seg.dcm", made.seg), ("sr.dcm", made.sr)):
        with (case.folder / name).open("wb") as file:
            file.write(to_bytes(ds))
            file.flush()
            os.fsync(file.fileno())


def labelmap(case: Case) -> None:
    """LABELMAP SEG, written."""
    (case.folder / "labelmap.dcm").write_bytes(to_bytes(_encoded(case, Form.LABELMAP).objects[Form.LABELMAP]))


def fractional(case: Case) -> None:
    """FRACTIONAL SEG of five probabilities per voxel, written."""
    (case.folder / "fractional.dcm").write_bytes(to_bytes(_encoded(case, Form.FRACTIONAL).objects[Form.FRACTIONAL]))


def _encoded(case: Case, *forms: Form) -> Results:
    made = origin(card(5, Encoding.LABELMAP), case.sources)
    probabilities = case.probabilities if Form.FRACTIONAL in forms else None
    return encode(case.volume, case.sources, case.labels, case.values, made, forms=forms, probabilities=probabilities)


def highdicoms(case: Case) -> None:
    """BINARY SEG as highdicom's manual makes it, written."""
    algorithm = hd.AlgorithmIdentificationSequence("bench", hd.sr.CodedConcept("123110", "DCM", "AI"), "1")
    described = [
        hd.seg.SegmentDescription(
            segment.number,
            segment.label,
            hd.sr.CodedConcept(segment.category.value, segment.category.scheme, segment.category.meaning),
            hd.sr.CodedConcept(segment.type.value, segment.type.scheme, segment.type.meaning),
            hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm,
        )
        for segment in card(5).segments
    ]
    seg = hd.seg.Segmentation(
        source_images=case.sources,
        pixel_array=case.labels,
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
    )
    seg.save_as(case.folder / "highdicom.dcm")


def dcmqis(case: Case) -> None:
    """BINARY SEG by itkimage2segimage, from files."""
    _write_nifti(case)
    command = [str(DCMQI), "--inputImageList", "labels.nii.gz", "--inputDICOMDirectory", "dicom", "--outputDICOM"]
    subprocess.run(
        [*command, "dcmqi.dcm", "--inputMetadata", "dcmqi.json"], cwd=case.folder, check=True, capture_output=True
    )


def _write_nifti(case: Case) -> None:
    """The label map and its description in the forms that dcmqi reads, once."""
    path = case.folder / "labels.nii.gz"
    if path.exists():
        return
    matrix = (np.diag([-1, -1, 1, 1]) @ affine(case.volume)).astype(np.float32)  # NIfTI counts x and y the other way
    slices, rows, columns = case.labels.shape
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, columns, rows, slices, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, 2, 8)  # unsigned bytes
    struct.pack_into("<8f", head, 76, 1, *np.linalg.norm(matrix[:3, :3], axis=0), 1, 1, 1, 1)
    struct.pack_into("<ff", head, 108, 352, 1)
    struct.pack_into("<hh", head, 252, 0, 1)
    struct.pack_into("<12f", head, 280, *matrix[:3].ravel())
    struct.pack_into("<4s", head, 344, b"n+1\0")
    path.write_bytes(gzip.compress(bytes(head) + case.labels.tobytes(), 1))
    (case.folder / "dcmqi.json").write_text(json.dumps(_dcmqi_description()))


def _dcmqi_description() -> dict[str, object]:
    segments = [
        {
            "labelID": segment.number,
            "SegmentAlgorithmType": "AUTOMATIC",
            "SegmentAlgorithmName": "bench",
            "SegmentedPropertyCategoryCodeSequence": _code(segment.category.value, segment.category.meaning),
            "SegmentedPropertyTypeCodeSequence": _code(segment.type.value, segment.type.meaning),
        }
        for segment in card(5).segments
    ]
    return {
        "ContentCreatorName": "x",
        "SeriesDescription": "x",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
        "segmentAttributes": [segments],
    }


def _code(value: str, meaning: str) -> dict[str, str]:
    return {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}


def main() -> None:
    """Measure and print a table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--slices", type=int, default=200)
    asked.add_argument("--matrix", type=int, default=512)
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    warnings.simplefilter("ignore")
    programs: list[Callable[[Case], None]] = [ours, highdicoms, *([dcmqis] if DCMQI.exists() else [])]
    programs += [labelmap, fractional]
    # First: a process begins with the peak of the one that starts it
    for program in programs:
        if program is not dcmqis:
            print(f"peak RSS of {program.__name__:12} {_peak(program.__name__, options.slices, options.matrix):.2f} GB")
    seconds: dict[str, list[float]] = {program.__name__: [] for program in programs}
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(options.slices, options.matrix, Path(folder), probabilities=True)
        for turn in range(options.rounds + 1):
            for program in programs:
                begin = time.perf_counter()
                program(case)
                if turn:
                    seconds[program.__name__].append(time.perf_counter() - begin)
    for name, taken in seconds.items():
        print(f"{name:12} median {statistics.median(taken):6.2f} s   {min(taken):6.2f} to {max(taken):6.2f} s")
    print(f"ours / highdicom {statistics.median(seconds['ours']) / statistics.median(seconds['highdicoms']):.2f}")


def _peak(program: str, slices: int, matrix: int) -> float:
    """GB that a process of its own takes, the volume and what was found on it included."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_alone, program, slices, matrix).result()


def _alone(program: str, slices: int, matrix: int) -> float:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(slices, matrix, Path(folder), probabilities=program == fractional.__name__)
        globals()[program](case)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
