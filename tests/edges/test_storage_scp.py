"""The Storage SCP with real SCUs: every transfer syntax, DCMTK, pynetdicom."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.core.status import SUCCESS
from node.scp import Admission, Source
from tests import real
from tests.listening import Listening, associate, echoes, listening
from tests.receiving import from_file
from tests.synthetic import Grid, mr_series, to_bytes, write


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Listening]:
    with listening(tmp_path / "node") as opened:
        yield opened


def kept(node: Listening) -> dict[str, str]:
    """SOP Instance UID → sha256 of the data set, of every line that was answered with Success."""
    return {line.sop_instance_uid: line.sha256 for line in node.receipts() if line.status == SUCCESS}


def expected(paths: list[Path]) -> dict[str, str]:
    instances = [from_file(path.read_bytes()) for path in paths]
    return {one.sop_instance_uid: one.sha256 for one in instances}


def demand(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip("needs the Debian package dcmtk")
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)


def test_c_echo_is_answered(node: Listening) -> None:
    assert echoes(associate(node.port))


def test_pynetdicom_as_scu_is_answered_with_success(node: Listening) -> None:
    datasets = mr_series(Grid(slices=5))
    association = associate(node.port)
    answers: list[Dataset] = [association.send_c_store(ds) for ds in datasets]
    association.release()
    assert [answer.Status for answer in answers] == [SUCCESS] * 5
    assert set(kept(node)) == {str(ds.SOPInstanceUID) for ds in datasets}


def test_a_known_sender_is_accepted_and_an_unknown_one_rejected(tmp_path: Path) -> None:
    listed = Admission("MRICORE", False, [Source("scanner", "SCANNER", ("127.0.0.1",))])
    with listening(tmp_path, admission=listed) as node:
        assert echoes(associate(node.port, calling="SCANNER"))
        assert associate(node.port, calling="STRANGER").is_rejected
        assert associate(node.port, called="SOMEBODY").is_rejected
        assert echoes(associate(node.port, calling="SCANNER"))


@pytest.mark.parametrize("folder", ["mr/siemens-mosaic-ts", "mr/toshiba-mr-small-ts", "mr/emri-small-ts"])
def test_every_transfer_syntax_is_kept_as_it_was_sent(node: Listening, folder: str) -> None:
    files = real.files(folder)
    answered = list(
        send(Peer("MRICORE", "127.0.0.1", node.port, "SCANNER"), [(path, read_file_head(path)) for path in files])
    )
    assert {one.status for one in answered} == {SUCCESS}
    syntaxes = {line.sha256: line.transfer_syntax_uid for line in node.receipts()}
    for path in files:
        one = from_file(path.read_bytes())
        assert syntaxes[one.sha256] == one.transfer_syntax_uid, path.name


def test_what_is_stored_is_read_by_pydicom_with_the_same_pixels(node: Listening) -> None:
    ds = mr_series(Grid(slices=1))[0]
    association = associate(node.port)
    association.send_c_store(ds)
    association.release()
    (line,) = node.receipts()
    assert dcmread(node.files.path(line.path)).pixel_array.tobytes() == ds.pixel_array.tobytes()


@pytest.mark.parametrize("options", [[], ["--propose-implicit"], ["--propose-big"], ["--max-pdu", "4096"]])
def test_dcmtk_storescu_sends_a_series(node: Listening, tmp_path: Path, options: list[str]) -> None:
    storescu = demand("storescu")
    write(mr_series(Grid(slices=10)), tmp_path / "series")
    paths = [str(path) for path in (tmp_path / "series").iterdir()]
    done = run(storescu, "-aec", "MRICORE", *options, "127.0.0.1", str(node.port), *paths)
    assert done.returncode == 0, done.stderr
    assert len(kept(node)) == 10
    assert broken_chains(node.database) == {}


def test_dcmtk_dcmsend_sends_every_shared_series_in_one_association(node: Listening) -> None:
    dcmsend = demand("dcmsend")
    if not (real.DATA / "mr").is_dir():
        pytest.skip("no real data at <repository>/../shared/data/mr")
    paths = sorted(path for path in (real.DATA / "mr").rglob("*") if path.is_file())
    done = run(dcmsend, "-aec", "MRICORE", "--decompress-never", "127.0.0.1", str(node.port), *map(str, paths))
    assert done.returncode == 0, done.stderr
    lines = node.receipts()
    assert len(lines) == len(paths)
    assert {line.status for line in lines} == {SUCCESS}
    assert balance(node.database).residue == 0


def test_dcmtk_goes_on_after_a_duplicate(node: Listening, tmp_path: Path) -> None:
    storescu = demand("storescu")
    write(mr_series(Grid(slices=4)), tmp_path / "series")
    paths = sorted(map(str, (tmp_path / "series").iterdir()))
    done = run(storescu, "-aec", "MRICORE", "127.0.0.1", str(node.port), *paths[:2], *paths)
    assert done.returncode == 0, done.stderr
    assert sorted(line.disposition for line in node.receipts()) == ["duplicate"] * 2 + ["stored"] * 4


def test_sixteen_pynetdicom_associations_at_once(node: Listening, tmp_path: Path) -> None:
    def scanner(number: int) -> set[int]:
        files = write(mr_series(Grid(slices=6), name=f"scan {number}"), tmp_path / str(number)).values()
        peer = Peer("MRICORE", "127.0.0.1", node.port, f"SCANNER{number}")
        return {one.status or 0 for one in send(peer, [(path, read_file_head(path)) for path in files])}

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(scanner, range(16)))
    assert answers == [{SUCCESS}] * 16
    assert len(kept(node)) == 96
    assert broken_chains(node.database) == {}
    assert len({line.association for line in node.receipts()}) == 16


def test_a_stopped_listener_lets_a_running_association_finish(tmp_path: Path) -> None:
    datasets = mr_series(Grid(slices=3))
    with listening(tmp_path) as node:
        association = associate(node.port)
        answers = [association.send_c_store(ds).Status for ds in datasets]
        association.release()
        assert answers == [SUCCESS] * 3
    with listening(tmp_path) as again:
        assert len(kept(again)) == 3
        assert from_file(to_bytes(datasets[0])).sha256 in kept(again).values()
