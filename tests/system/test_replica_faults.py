"""Whole replicas, the database under them and the Triton behind them die or sleep: every series ends once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
from sqlalchemy import func, select

from node.adapters.database.tables import change, job
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.triton import EmbeddedTriton
from node.core.status import SUCCESS
from node.errors import NodeError
from tests.bench import until
from tests.postgresql import Server, server
from tests.processes import PATIENCE_S
from tests.replicas import Replica, Site, head_uids, heads


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Server]:
    with server() as started:
        yield started


@pytest.fixture
def site(tmp_path: Path, triton: EmbeddedTriton, database: Server) -> Site:
    return Site(tmp_path, database.url, triton)


def insist(replicas: Sequence[Replica], paths: Sequence[Path]) -> int:
    """Send what was not acknowledged again, to one after the other, as a modality does; how often it had to."""
    left, tries, give_up = [(path, read_file_head(path)) for path in paths], 0, monotonic() + PATIENCE_S
    while left:
        peer = Peer("MRICORE", "127.0.0.1", replicas[tries % len(replicas)].dicom_port, "SCANNER", 30)
        tries += 1
        with suppress(NodeError):
            for one in send(peer, [*left]):
                if one.status == SUCCESS:
                    left = [entry for entry in left if entry[0] != one.path]
        assert monotonic() < give_up, f"not acknowledged: {len(left)} of {len(paths)}"
        if left:
            sleep(0.5)
    return tries - 1


def owner(site: Site) -> str:
    """Who works on a job whose model is being asked; waited for."""
    seen: list[str] = []

    def working() -> bool:
        with site.database() as opened, opened.reading() as connection:
            seen.extend(connection.scalars(select(job.c.owner).where(job.c.state == "in_progress")))
        return bool(seen)

    until(working, "a job in progress", PATIENCE_S)
    return seen[0]


def demand_once(site: Site, series: int) -> None:
    """Each was completed once, and its two results are there."""
    for found in site.until_done(head_uids(series)):
        assert [one.state for one in found.jobs] == ["completed"]
    with site.database() as opened, opened.reading() as connection:
        times = connection.scalar(select(func.count()).select_from(change).where(change.c.state == "completed"))
    assert times == series
    assert len(site.delivered()) == 2 * series


def test_a_database_that_is_restarted_while_series_come_in_and_are_worked_on(site: Site, database: Server) -> None:
    one, two, three = heads(site.folder / "sent", 3)
    with site.replica("all") as replica:
        insist([replica], one)
        restart = threading.Thread(target=database.restart)
        restart.start()  # in the middle of the next series, and of what follows from the first
        insist([replica], two)
        restart.join()
        insist([replica], three)
        owner(site)
        database.restart()
        demand_once(site, 3)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_of_two_replicas_one_ends_or_sleeps_in_the_middle_and_the_other_goes_on(
    site: Site, how: signal.Signals
) -> None:
    first, second = heads(site.folder / "sent", 2)
    with site.replica("one") as one, site.replica("two") as two:
        until(lambda: one.unready() == two.unready() == [], "both are ready", PATIENCE_S)
        insist([one], first)
        name = owner(site)
        dies, lives = (one, two) if name == "one" else (two, one)
        dies.process.send_signal(how)
        assert insist([dies, lives], second) > 0
        site.until_done(head_uids(2))
        if how is signal.SIGSTOP:
            dies.process.send_signal(signal.SIGCONT)
            until(lambda: dies.unready() == [], "it is back", PATIENCE_S)
            sleep(5)  # what it was in the middle of comes to its end, and must not count
        demand_once(site, 2)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["tritonserver", "stub"])
def test_a_triton_that_is_killed_in_the_middle_of_an_inference_is_started_again_and_asked_again(
    site: Site, who: str
) -> None:
    (paths,) = heads(site.folder / "sent", 1)
    with site.replica("all", environment={"MRICORE_TRITON__URL": "embedded", "MRICORE_TRITON__TOKEN": ""}) as replica:
        until(lambda: replica.unready() == [], "ready", PATIENCE_S)
        insist([replica], paths)
        owner(site)
        killed = 0
        for process in psutil.Process(replica.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if who in Path(process.cmdline()[0]).name:
                    process.kill()
                    killed += 1
        assert killed
        demand_once(site, 1)
