"""Third-party validators find no error in the results of real series.

Slow (about a minute a series): runs with `-m validators` where shared/tools/validate/setup.sh has installed the
validators; skips with the reason elsewhere.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from node.core.results import encode, to_bytes, verify
from tests.results import SHARED, card, origin, real_series, values_of, volume_of

VALIDATE = SHARED.parent / "tools" / "validate" / "validate.py"
VALIDATORS = Path(os.environ.get("VALIDATORS", Path.home() / ".cache" / "dicom-validators"))

pytestmark = [
    pytest.mark.validators,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # of pydicom, about the real headers
    pytest.mark.skipif(
        not (VALIDATE.exists() and (VALIDATORS / "bin" / "python").exists()),
        reason="the validators are not installed (shared/tools/validate/setup.sh)",
    ),
]


@pytest.mark.parametrize(
    "name",
    [
        "siemens-t1-sag-hfs",
        "philips-pcasl-classic",
        "philips-pcasl-enh",
        "siemens-xa30-t1-enh",
        "ge-knee-mese-te1",
        "derived-fpg-flair-ax",
        "derived-sct-cspine-t2s-ax",
    ],
)
@pytest.mark.parametrize("found", ["both segments", "nothing"])
def test_no_validator_finds_an_error_in_the_results_of(name: str, found: str, tmp_path: Path) -> None:
    sources = real_series(name)
    volume = volume_of(sources)
    values, model = values_of(volume, sources), card(2)
    labels = (values > np.percentile(values, 60)).astype(np.uint8)
    labels |= (values > np.percentile(values, 97)).astype(np.uint8) << 1
    if found == "nothing":
        labels[:] = 0
    result = encode(volume, sources, labels, values, origin(model, sources))
    assert verify(to_bytes(result.seg), sources, volume, labels, model) == ()
    seg, sr = tmp_path / "seg.dcm", tmp_path / "sr.dcm"
    seg.write_bytes(to_bytes(result.seg))
    sr.write_bytes(to_bytes(result.sr))
    said = subprocess.run(
        [VALIDATORS / "bin" / "python", VALIDATE, "--src", SHARED / "mr" / name, seg, sr],
        capture_output=True,
        text=True,
        errors="replace",
    ).stdout
    assert "TOTAL errors" in said
    assert [line for line in said.splitlines() if line.startswith("   E ")] == []
