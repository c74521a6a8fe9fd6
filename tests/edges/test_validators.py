"""Third-party validators find no error in the results of real series.

Runs where shared/tools/validate/setup.sh has installed the validators; skips with the reason elsewhere. A case takes
20 to 30 seconds, so four run by default: a classic series and an Enhanced one with findings, a result in which nothing
was found, and a series whose header has illegal dates. With MRICORE_SLOW_TESTS=1 in the environment all of them run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from pydicom.dataset import Dataset

from node.core.card import Code, Encoding, Kind
from node.core.results import Evaluation, Form, encode, to_bytes, verify
from tests.results import SHARED, card, origin, real_series, values_of, volume_of

VALIDATE = SHARED.parent / "tools" / "validate" / "validate.py"
VALIDATORS = Path(os.environ.get("VALIDATORS", Path.home() / ".cache" / "dicom-validators"))

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
    ],
)
def test_no_validator_finds_an_error_in_the_results_of(name: str, found: str, tmp_path: Path) -> None:
    sources = real_series(name)
    volume = volume_of(sources)
    values, model = values_of(volume, sources), card(2)
    labels = (values > np.percentile(values, 60)).astype(np.uint8)
    labels |= (values > np.percentile(values, 97)).astype(np.uint8) << 1
    if found == NOTHING:
        labels[:] = 0
    result = encode(volume, sources, labels, values, origin(model, sources))
    assert verify(to_bytes(result.seg), sources, volume, labels, model) == ()
    assert errors(name, {"seg": result.seg, "sr": result.sr}, tmp_path) == []


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
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
    ).stdout
    assert "TOTAL errors" in said
    return [line for line in said.splitlines() if line.startswith("   E ")]
