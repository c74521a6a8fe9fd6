"""The npm dicomweb-client drives every transaction that it has; the Python one does so in tests/edges."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

from tests.archives import ServedArchive, served
from tests.npm import modules
from tests.synthetic import Grid, mr_series, to_bytes

__all__ = ["served"]

_PACKAGES = ("dicomweb-client@0.11.3", "xhr2@0.2.1")
_DRIVE = Path(__file__).parent / "dicomweb_client" / "drive.js"


def test_the_npm_client_stores_searches_and_retrieves_everything(served: ServedArchive, tmp_path: Path) -> None:
    found = modules("dicomweb-client", _PACKAGES)
    (ds,) = mr_series(Grid(slices=1, rows=64, columns=64), name="npm")
    file = tmp_path / "one.dcm"
    file.write_bytes(to_bytes(ds))
    stopped = threading.Event()

    def follow() -> None:
        while not stopped.wait(0.05):
            served.catch_up()

    indexer = threading.Thread(target=follow)
    indexer.start()
    try:
        done = subprocess.run(
            [str(shutil.which("node")), str(_DRIVE), served.url, str(file)],
            capture_output=True, text=True, timeout=240, check=False, env={**os.environ, "NODE_PATH": str(found)},
        )  # fmt: skip
    finally:
        stopped.set()
        indexer.join()
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    uid, pixels = str(ds.SOPInstanceUID), hashlib.sha256(ds.PixelData).hexdigest()
    (row,) = served.store.instances()
    stored = hashlib.sha256(served.store.files.path(row.path).read_bytes()).hexdigest()
    assert said == {
        "studies": 1,
        "instance": uid,
        "metadata": [1, 1, uid],
        "frame": pixels,
        "bulk": [pixels],
        "files": [stored] * 3,
        "pictures": ["ffd8"] * 4,
    }
