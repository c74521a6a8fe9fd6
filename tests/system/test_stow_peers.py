"""Other people's STOW-RS clients send to this node."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.archive import DICOMWEB, Archive
from tests.synthetic import Grid, mr_series
from tests.ways_in import desk, dicomweb


def test_orthanc_s_dicomweb_plugin_stores_a_series_here(archive: Archive, tmp_path: Path) -> None:
    if not Path(DICOMWEB).is_file():
        pytest.skip("needs the Debian package orthanc-dicomweb")
    made = mr_series(Grid(slices=12), name="from Orthanc")
    with desk(tmp_path) as opened, dicomweb(opened) as port:
        archive.stop()
        archive.start(Plugins=[DICOMWEB], DicomWeb={"Servers": {"node": [f"http://127.0.0.1:{port}/dicom-web/"]}})
        archive.store(made)
        (series,) = archive.http.get("/series").json()
        sent = archive.http.post("/dicom-web/servers/node/stow", json={"Resources": [series], "Synchronous": True})
        assert sent.status_code == 200, sent.text
        assert set(opened.stored()) == {ds.SOPInstanceUID for ds in made}
        assert {line[:3] for line in opened.receipts()} == {("stow", "STOW", "stored")}
