"""kill -9 under load: whatever a sender heard Success for is there after the restart."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

import pytest

from node.core.status import SUCCESS
from tests.processes import end, line_with, python
from tests.raw_scu import ASSOCIATE_AC, RawScu
from tests.receiving import Encoded, demand_kept, numbered, opened
from tests.synthetic import MR_IMAGE_STORAGE
from tests.system.dying_node import POINTS

_ROUNDS = 5
_ASSOCIATIONS = 4


class Senders:
    """Associations that send until the node is gone; they remember what they heard."""

    def __init__(self, port: int, number: int) -> None:
        self.heard: dict[str, str] = {}  # SOP Instance UID → sha256 of what was answered with Success
        self.wrong: list[int] = []
        self._port, self._round = port, number
        self._lock, self._more = threading.Lock(), threading.Condition()
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(_ASSOCIATIONS)]
        for thread in self._threads:
            thread.start()

    def _send(self, sender: int) -> None:
        try:
            with RawScu(self._port) as scu:
                assert scu.associate(MR_IMAGE_STORAGE)[0] == ASSOCIATE_AC
                for number in range(100_000):
                    one = numbered(self._round, sender, number)
                    self._hear(one, scu.store(one, number % 0xFFFF + 1))
        except (OSError, AssertionError):
            return  # the node was killed: what was not answered is not counted

    def _hear(self, one: Encoded, status: int) -> None:
        with self._more:
            if status == SUCCESS:
                self.heard[one.sop_instance_uid] = one.sha256
            else:
                self.wrong.append(status)
            self._more.notify_all()

    def wait_for(self, successes: int) -> None:
        """Until so many were heard. A node that stops answering fails the test."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.heard) >= successes or bool(self.wrong), 240)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(240)
            assert not thread.is_alive()


def test_what_was_acknowledged_is_there_after_kill_9_under_load(tmp_path: Path) -> None:
    folder, log = tmp_path / "node", tmp_path / "log"
    folder.mkdir()
    heard: dict[str, str] = {}
    moments = random.Random(20)
    for number in range(_ROUNDS):
        with python(["-m", "tests.system.reception_node", str(folder)], log=log) as process:
            port = int(line_with(process, "port", log).split()[1])
            senders = Senders(port, number)
            senders.wait_for(moments.randint(1, 60))
            end(process)
            senders.join()
        assert senders.wrong == []
        heard |= senders.heard
        with opened(folder) as store:
            demand_kept(store, heard)
    assert len(heard) >= _ROUNDS


@pytest.mark.parametrize("nth", [1, 9])
@pytest.mark.parametrize("point", POINTS)
def test_what_was_acknowledged_is_there_after_kill_9_at_every_write_point(tmp_path: Path, point: str, nth: int) -> None:
    folder, log = tmp_path / "node", tmp_path / "log"
    folder.mkdir()
    with python(["-m", "tests.system.dying_node", str(folder), point, str(nth)], log=log) as process:
        port = int(line_with(process, "port", log).split()[1])
        senders = Senders(port, nth)
        assert process.wait(240) == -signal.SIGKILL, log.read_text()[-2000:]
        senders.join()
    assert senders.wrong == []
    with opened(folder) as store:
        demand_kept(store, senders.heard)
        again = numbered("after", 0, 0)
        assert store.receive(again).status == SUCCESS
        demand_kept(store, {**senders.heard, again.sop_instance_uid: again.sha256})


def test_what_a_crash_leaves_half_written_does_no_harm(tmp_path: Path) -> None:
    one = numbered("orphan")
    with opened(tmp_path) as store:
        store.receive(numbered("before"))
        (folder,) = {store.files.path(path).parent for path in store.paths()}
    (folder / "0123456789abcdef.part").write_bytes(b"half a file")
    (folder / f"{one.sha256}.0123456789abcdef.dcm").write_bytes(b"a file that no row names")
    with opened(tmp_path) as store:
        assert store.receive(one).status == SUCCESS
        demand_kept(store, {one.sop_instance_uid: one.sha256})


def test_an_instance_that_was_never_acknowledged_may_be_sent_again(tmp_path: Path) -> None:
    """The commit was made, the answer was lost: the sender repeats it and hears Success."""
    one = numbered("repeated")
    for _ in range(2):
        with opened(tmp_path) as store:
            assert store.receive(one).status == SUCCESS
    with opened(tmp_path) as store:
        demand_kept(store, {one.sop_instance_uid: one.sha256})
        assert [line.disposition for line in store.receipts()] == ["stored", "duplicate"]
