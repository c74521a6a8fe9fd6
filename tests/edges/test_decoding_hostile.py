"""A crafted file costs its job, never the node: it is refused in time and the next decode works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from node.adapters.decoding import Decoder, Pixels
from node.core.dicom import facts
from node.core.volume import Slice, Volume, volumes
from node.errors import BadInstance, NotProcessable
from tests.bench import until
from tests.open_files import many_open_files
from tests.processes import PATIENCE_S
from tests.real import files
from tests.synthetic import Grid, mr_series, pixels, to_bytes, write

ROOT = Path(__file__).resolve().parents[2]
GOOD = Grid(slices=2)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(memory_bytes=512 * 2**20, deadline_s=120) as running:
        yield running


def image(path: Path, rows: int, columns: int, frame: int | None = None) -> tuple[Volume, dict[str, Path]]:
    one = Slice("1", "1", frame, (0.0, 0.0, 0.0))
    return Volume("", (one,), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0), 0.0, rows, columns, "1"), {"1": path}


def good(decoder: Decoder, folder: Path) -> Pixels:
    datasets = mr_series(GOOD)
    (volume,) = volumes([facts(ds) for ds in datasets])
    return decoder.decode(volume, write(datasets, folder))


def saved(ds: Dataset, folder: Path) -> Path:
    path = folder / "crafted.dcm"
    path.write_bytes(to_bytes(ds))
    return path


def bad_files() -> list[str]:
    found = ROOT.parent / "shared" / "data" / "bad"
    return sorted(str(path.relative_to(found.parent)) for path in found.rglob("*") if path.is_file()) or ["bad/crafted"]


@pytest.mark.parametrize("name", bad_files())
def test_every_bad_file_gives_values_or_a_sentence_and_the_next_decode_works(
    decoder: Decoder, tmp_path: Path, name: str
) -> None:
    (path,) = [one for one in files(str(Path(name).parent)) if one.name == Path(name).name]
    sentences = []
    for rows, columns, frame in ((80, 80, None), (64, 64, None), (512, 512, None), (65535, 65535, None), (80, 80, 2)):
        try:
            found = decoder.decode(*image(path, rows, columns, frame))
        except (BadInstance, NotProcessable) as refusal:
            sentences.append(str(refusal))
        else:
            assert found.stored.shape == (1, rows, columns)
    assert all(len(sentence) > 10 and str(path) not in sentence for sentence in sentences)
    assert np.array_equal(good(decoder, tmp_path).stored[1], pixels(GOOD, 1, 1.15))


@pytest.mark.parametrize(
    ("name", "rows", "columns", "sentence"),
    [
        ("truncated-pixels.dcm", 80, 80, "the pixels are damaged or shorter than the header says"),
        ("lying-transfer-syntax.dcm", 80, 80, "the pixels are damaged or shorter than the header says"),
        ("frames-bomb.dcm", 80, 80, "the pixels are damaged or shorter than the header says"),
        ("missing-PixelData.dcm", 80, 80, "PixelData is absent"),
        ("html-error-page.dcm", 80, 80, "a stored file is not a readable DICOM file (PS3.10)"),
        ("ok-deflated.dcm", 96, 80, "an image is 80 x 80 with 1 samples, not 96 x 80 with 1"),
    ],
)
def test_the_sentence_names_the_fault(decoder: Decoder, name: str, rows: int, columns: int, sentence: str) -> None:
    (path,) = [one for one in files("bad/crafted") if one.name == name]
    with pytest.raises(BadInstance) as refusal:
        decoder.decode(*image(path, rows, columns))
    assert str(refusal.value) == sentence


def test_a_volume_beyond_the_memory_limit_is_refused_before_anything_is_read(decoder: Decoder) -> None:
    with pytest.raises(NotProcessable, match="1 slices of 65535 x 65535 take 17179 MB decoded"):
        decoder.decode(*image(Path("/nowhere"), 65535, 65535))


def test_a_deflated_file_inflates_within_bounds(tmp_path: Path) -> None:
    (ds,) = mr_series(Grid(slices=1))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole = to_bytes(ds)
    start = 132 + 12 + int.from_bytes(whole[140:144], "little")  # (0002,0000) counts from its own end
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # a private element of 400 MB of zeros
    body = b"\x09\x00\x10\x10OB\x00\x00" + (400 * 2**20).to_bytes(4, "little")
    bomb = deflate.compress(body) + b"".join(deflate.compress(bytes(2**20)) for _ in range(400)) + deflate.flush()
    path = tmp_path / "bomb.dcm"
    path.write_bytes(whole[:start] + bomb)
    with Decoder(memory_bytes=128 * 2**20, deadline_s=120) as small:
        with pytest.raises(BadInstance, match="a deflated file inflates to more than"):
            small.decode(*image(path, 32, 24))
        assert good(small, tmp_path / "good").stored.shape == (2, 32, 24)


def test_a_code_stream_larger_than_its_header_is_stopped_by_the_memory_limit(tmp_path: Path) -> None:
    # SOI and SIZ of a JPEG 2000 code stream of 60000 x 60000 in an image of 32 x 24
    siz = b"\xff\x4f\xff\x51\x00\x29\x00\x00" + (60000).to_bytes(4, "big") * 2 + bytes(8)
    siz += (60000).to_bytes(4, "big") * 2 + bytes(8) + b"\x00\x01\x0b\x01\x01"
    cod = b"\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x05\x04\x04\x00\x01"
    qcd = b"\xff\x5c\x00\x13\x40" + bytes([0x48] * 16)
    sot = b"\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x01\xff\x93" + bytes(64) + b"\xff\xd9"
    (ds,) = mr_series(Grid(slices=1))
    ds.PixelData = encapsulate([siz + cod + qcd + sot])
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    ds["PixelData"].VR = "OB"
    with Decoder(memory_bytes=256 * 2**20, deadline_s=120) as small:
        with pytest.raises(BadInstance):
            small.decode(*image(saved(ds, tmp_path), 32, 24))
        assert good(small, tmp_path / "good").stored.shape == (2, 32, 24)


def test_a_decoder_that_was_killed_is_started_again(tmp_path: Path) -> None:
    before = {one.pid for one in psutil.Process().children()}
    with Decoder(memory_bytes=512 * 2**20, deadline_s=120) as mine:
        good(mine, tmp_path)
        (child,) = [one for one in psutil.Process().children() if one.pid not in before]
        child.send_signal(signal.SIGKILL)
        child.wait(PATIENCE_S)
        assert good(mine, tmp_path).stored.shape == (2, 32, 24)


def test_a_decoder_that_hangs_is_ended_at_the_deadline(tmp_path: Path) -> None:
    pipe = tmp_path / "never.dcm"
    os.mkfifo(pipe)  # reading it waits for ever
    with Decoder(deadline_s=0.5) as hasty:
        began = time.monotonic()
        with pytest.raises(BadInstance, match="in time"):
            hasty.decode(*image(pipe, 32, 24))
        assert time.monotonic() - began < 60
    with Decoder() as patient:
        assert good(patient, tmp_path / "good").stored.shape == (2, 32, 24)


def test_files_that_are_gone_are_told(decoder: Decoder, tmp_path: Path) -> None:
    with pytest.raises(BadInstance, match="a stored file cannot be read"):
        decoder.decode(*image(tmp_path / "gone.dcm", 32, 24))
    volume, _ = image(tmp_path, 32, 24)
    with pytest.raises(BadInstance, match="the files of 1 of 1 slices are not stored"):
        decoder.decode(volume, {})


def test_many_open_files_do_not_keep_pixels_from_being_decoded(tmp_path: Path) -> None:
    with many_open_files(), Decoder(memory_bytes=512 * 2**20, deadline_s=120) as opened:
        assert good(opened, tmp_path).values.shape[0] == 2


def test_threads_share_one_decoder(decoder: Decoder, tmp_path: Path) -> None:
    found: list[Pixels] = []
    threads = [threading.Thread(target=lambda n=n: found.append(good(decoder, tmp_path / str(n)))) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE_S)
    assert len(found) == 4
    assert all(np.array_equal(one.stored, found[0].stored) for one in found)


def test_closing_ends_the_child_and_decoding_starts_another(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    decoder = Decoder()
    good(decoder, tmp_path)
    decoder.close()
    decoder.close()
    assert set(psutil.Process().children()) <= before, "none is left, not even one that nobody waited for"
    assert good(decoder, tmp_path).stored.shape == (2, 32, 24)
    decoder.close()


def test_the_child_dies_with_the_node(tmp_path: Path) -> None:
    write(mr_series(GOOD), tmp_path)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from tests.edges.test_decoding_hostile import good, Decoder\n"
        "import psutil, os\n"
        "decoder = Decoder(); good(decoder, Path(sys.argv[2]))\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os._exit(1)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(ROOT), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    child = int(ran.stdout)
    until(lambda: not runs(child), "the end of the decoding process", PATIENCE_S)


def runs(pid: int) -> bool:
    """One that has ended may be there until somebody asks for its exit status."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_child_does_not_load_the_node(tmp_path: Path) -> None:
    text = (ROOT / "node" / "adapters" / "decoding" / "child.py").read_text()
    assert "import node" not in text
    assert "from node" not in text
