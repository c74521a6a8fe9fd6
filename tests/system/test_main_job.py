"""The main job from end to end: C-STORE in, a real Triton, SEG and SR out by C-STORE."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench import until
from tests.real import SERIES

REPOSITORY = Path(__file__).parents[2]


def demo(folder: Path, *paths: Path) -> dict[str, Any]:
    """Run the demonstration as a user does; its JSON."""
    out = folder / "out.json"
    command = [sys.executable, "-m", "node", "demo", "--once", "--json", str(out), "--data-dir", str(folder / "data")]
    done = subprocess.run(
        [*command, *map(str, paths)], cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    outcome: dict[str, Any] = json.loads(out.read_text())
    return outcome


def digest(path: str) -> str:
    return hashlib.sha256((REPOSITORY / path).read_bytes()).hexdigest()


def test_a_phantom_goes_through_the_whole_node_and_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    first, second = demo(tmp_path / "one"), demo(tmp_path / "two")
    (once,), (again,) = first["series"], second["series"]
    assert (once["state"], once["model"], once["source_instances"]) == ("delivered", "mri_core_head", 32)
    assert [segment["label"] for segment in once["segments"]] == ["Head", "Brain"]
    assert all(segment["volume_ml"] > 500 for segment in once["segments"])
    assert set(once["seconds"]) == {"receive", "complete", "infer", "encode", "deliver", "total"}
    for kind in ("seg", "sr"):
        assert [digest(path) for path in once[kind]] == [digest(path) for path in again[kind]]
        assert len(once[kind]) == 1


def test_heads_are_delivered_and_what_is_no_volume_is_refused_with_its_reason(tmp_path: Path) -> None:
    names = ["siemens-t1-sag-hfs", "ge-pd-ax-brain", "ge-3plane-localizer", "siemens-mosaic-ts", "ge-knee-mese-te1"]
    folders = [SERIES / name for name in names]
    if not all(folder.is_dir() for folder in folders):
        pytest.skip(f"no real data at {SERIES}")
    outcome = demo(tmp_path, *folders)
    by_count = {entry["source_instances"]: entry for entry in outcome["series"]}
    assert {count: entry["state"] for count, entry in by_count.items()} == {
        35: "delivered",
        20: "delivered",
        6: "not_processable",
        9: "not_processable",
        24: "not_matched",
    }
    assert "3 orientations" in by_count[6]["reason"]
    assert "36 tiles" in by_count[9]["reason"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demonstration_that_stays_shows_where_to_look_and_ends_when_it_is_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    demonstration = [sys.executable, "-m", "node", "demo", "--data-dir", str(tmp_path / "data")]
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *demonstration]  # as a script starts it in the background
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            assert running.stdout
            said = next((line for line in running.stdout if "see the overlay" in line), "")
            address = said.split()[-1] if said else ""
            assert address.startswith("http://127.0.0.1:"), said
            # Whoever looks at once may be before the index.
            until(lambda: "overlay=" in httpx.get(address, follow_redirects=True, timeout=60).text, "the overlay")
            assert httpx.get(address.replace("/view/jobs/1", "/admin/"), timeout=60).status_code == 200
        finally:
            running.send_signal(number)
        rest = running.stdout.read()
    assert running.returncode == 0, rest
