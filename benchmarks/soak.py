"""A hospital for half an hour: replicas are killed, put to sleep and restarted while series come in slowly.

The database, Triton and the PACS die and come back as well.

python -m benchmarks.soak [MINUTES] [SERIES_A_MINUTE] [SEED]; prints a report, of which docs/soak.md tells.

A sender sends what it got no Success for again, to whichever replica answers, as a modality does. At the end every
series must be completed, each of its results at the PACS in one form, and nothing that was acknowledged be missing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import random
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from statistics import median
from time import monotonic, sleep

import psutil
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.transport import ThreadedAssociationServer
from sqlalchemy import select

from node.adapters.database import Database
from node.adapters.database.balance import balance
from node.adapters.database.ledger import broken_chains
from node.adapters.database.series import missing_files
from node.adapters.database.tables import change, instance, job, receipt, result
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.files import Files
from node.adapters.objects import kept_size
from node.adapters.triton import EmbeddedTriton
from node.core.ledger import Balance
from node.core.status import SUCCESS
from node.errors import NodeError
from tests.postgresql import Server, server
from tests.replicas import Replica, Site, heads
from tests.triton_fixture import MODEL, REPOSITORY

REPLICAS = ("one", "two")
_BLOWS = {"kill -9": 4, "SIGTERM": 2, "SIGSTOP": 2, "database": 2, "Triton": 2, "PACS": 2}  # how often, relatively
_OTHERS = ("database", "Triton", "PACS")
_AT_WORK = 0.7  # of the blows fall on who has a job in progress
_SETTLE_S = 600.0  # for what is left when nobody is killed any more
_MORE = """
[[destination]]
name = "soak"
kind = "dicom"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
timeout_seconds = 20
"""
_RULE = """name: soak
description: everything
when: {Modality: MR}
then: [{infer: mri_core_head}, {deliver: [soak]}]
stop: true
"""


@dataclass
class Pacs:
    """What it was sent: SOP Instance UID → digest of the data set → how often."""

    stored: dict[str, Counter[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0  # chosen when it listens for the first time
    server: ThreadedAssociationServer | None = None

    def take(self, event: evt.Event) -> int:
        digest = hashlib.sha256(event.request.DataSet.getvalue()).hexdigest()
        with self.lock:
            self.stored.setdefault(str(event.request.AffectedSOPInstanceUID), Counter())[digest] += 1
        return SUCCESS

    def start(self) -> None:
        ae = AE(ae_title="PACS")
        for context in StoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax, AllTransferSyntaxes)
        handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, self.take)]
        self.server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        assert self.server
        assert self.server.socket
        self.port = int(self.server.socket.getsockname()[1])

    def stop(self) -> None:
        """Open associations are aborted."""
        if self.server:
            self.server.ae.shutdown()
            self.server = None


class Fleet:
    """The replicas, each of which somebody may kill and start again."""

    def __init__(self, site: Site) -> None:
        self._site, self._lock = site, threading.Lock()
        self._running: dict[str, tuple[ExitStack, Replica]] = {}
        self.events: list[tuple[float, str]] = []

    def start(self, name: str) -> None:
        stack = ExitStack()
        replica = stack.enter_context(self._site.replica(name))
        with self._lock:
            self._running[name] = (stack, replica)

    def get(self, name: str) -> Replica | None:
        with self._lock:
            return self._running[name][1] if name in self._running else None

    def end(self, name: str) -> None:
        with self._lock:
            stack, _ = self._running.pop(name)
        stack.close()

    def ports(self) -> list[int]:
        with self._lock:
            return [replica.dicom_port for _, replica in self._running.values()]


@dataclass
class Memory:
    """Resident memory of whatever replica runs, with its children: (second, which process, megabytes)."""

    fleet: Fleet
    until: float
    seen: list[tuple[float, int, float]] = field(default_factory=list)

    def watch(self) -> None:
        begin = monotonic()
        while monotonic() < self.until:
            for replica in [replica for name in REPLICAS if (replica := self.fleet.get(name))]:
                with suppress(psutil.Error):
                    process = psutil.Process(replica.process.pid)
                    whole = [process, *process.children(recursive=True)]
                    megabytes = sum(one.memory_info().rss for one in whole) / 1e6
                    self.seen.append((monotonic() - begin, replica.process.pid, megabytes))
            sleep(5)

    def thirds(self) -> str:
        """Medians of the first and the last third of the run, and the most that one ever had."""
        last = self.seen[-1][0]
        first, third = (
            median(megabytes for at, _, megabytes in self.seen if low * last <= 3 * at <= (low + 1) * last)
            for low in (0, 2)
        )
        return f"{first:.0f}, {third:.0f}, {max(megabytes for *_, megabytes in self.seen):.0f}"

    def longest(self) -> str:
        """Of the process that lived longest: minutes, what it had a minute after its start, and at its end."""
        lives: dict[int, list[tuple[float, float]]] = {}
        for at, pid, megabytes in self.seen:
            lives.setdefault(pid, []).append((at, megabytes))
        life = max(lives.values(), key=lambda life: life[-1][0] - life[0][0])
        begin, end = life[0][0], life[-1][0]
        early = next((megabytes for at, megabytes in life if at >= begin + 60), life[-1][1])
        return f"{(end - begin) / 60:.1f}, {early:.0f}, {life[-1][1]:.0f}"


@dataclass
class Sender:
    """One modality: what it sent, and what it heard Success for (SOP Instance UID → digest of the data set)."""

    fleet: Fleet
    sent: int = 0
    repeated: int = 0
    acknowledged: dict[str, str] = field(default_factory=dict)

    def send(self, paths: list[Path]) -> None:
        """Until everything was acknowledged."""
        left = [(path, read_file_head(path)) for path in paths]
        self.sent += len(left)
        while left:
            ports = self.fleet.ports()
            with suppress(NodeError):
                for one in send(Peer("MRICORE", "127.0.0.1", random.choice(ports or [1]), "SCANNER", 10), [*left]):
                    if one.status == SUCCESS:
                        head = next(head for path, head in left if path == one.path)
                        digest = hashlib.sha256(one.path.read_bytes()[head.data_set_at :]).hexdigest()
                        self.acknowledged[head.sop_instance_uid] = digest
                        left = [(path, head) for path, head in left if path != one.path]
            if left:
                self.repeated += len(left)
                sleep(3)


@dataclass(frozen=True)
class Others:
    """What the replicas need and what may be away."""

    database: Server
    triton: EmbeddedTriton
    pacs: Pacs


def kill(fleet: Fleet, others: Others, begin: float, ends_at: float, dice: random.Random) -> None:
    """Something dies every minute or two; one at a time."""
    while monotonic() < ends_at:
        sleep(min(dice.uniform(40, 100), max(0.0, ends_at - monotonic())))
        if monotonic() >= ends_at:
            return
        name, what = dice.choice(REPLICAS), dice.choices(list(_BLOWS), list(_BLOWS.values()))[0]
        if dice.random() < _AT_WORK:
            name = _at_work(others.database.url, ends_at) or name
        replica = fleet.get(name)
        assert replica
        fleet.events.append((monotonic() - begin, what if what in _OTHERS else f"{what} {name}"))
        if what in _OTHERS:
            _strike(what, others, dice)
        elif what == "SIGSTOP":
            replica.process.send_signal(SIGSTOP)
            sleep(dice.uniform(20, 40))  # longer than a sign of life may stay away
            replica.process.send_signal(SIGCONT)
        else:
            replica.process.send_signal(SIGKILL if what == "kill -9" else SIGTERM)
            replica.process.wait(60)
            fleet.end(name)
            sleep(dice.uniform(2, 30))
            fleet.start(name)


def _strike(what: str, others: Others, dice: random.Random) -> None:
    if what == "database":
        others.database.restart()
    elif what == "Triton":
        others.triton.kill()
        sleep(dice.uniform(2, 30))
        others.triton.start()
    else:
        others.pacs.stop()
        sleep(dice.uniform(10, 60))
        others.pacs.start()


def _at_work(url: str, ends_at: float) -> str | None:
    """The replica that has a job in progress; waited for."""
    opened = Database(url)
    try:
        while monotonic() < ends_at:
            with opened.reading() as connection:
                owner = connection.scalar(select(job.c.owner).where(job.c.state == "in_progress"))
            if owner:
                return str(owner)
            sleep(0.05)
    finally:
        opened.close()
    return None


@dataclass(frozen=True)
class Asked:
    """What the command line says."""

    minutes: float
    rate: float  # series a minute
    seed: int


@dataclass(frozen=True)
class Found:
    """What is there at the end."""

    series: Counter[str]  # states of their jobs
    changes: int  # to completed
    results: int
    missing: int  # acknowledged instances that are not stored with the bytes that were sent
    files: int  # files of acknowledged instances that are missing
    broken: int  # chains
    chains: int
    balance: Balance
    taken_up: int
    tracebacks: int  # in the logs


def look(database: Database, sender: Sender, folder: Path) -> Found:
    store, logs = folder / "shared", [folder / name / "log" for name in REPLICAS]
    with database.reading() as connection:
        stored = {row.sop_instance_uid: row.sha256 for row in connection.execute(select(instance))}
        changes = connection.execute(select(change.c.state, change.c.reason)).all()
        return Found(
            series=Counter(str(state) for state in connection.scalars(select(job.c.state))),
            changes=sum(row.state == "completed" for row in changes),
            results=len(connection.scalars(select(result.c.id)).all()),
            missing=sum(stored.get(uid) != digest for uid, digest in sender.acknowledged.items()),
            files=len(missing_files(database, partial(kept_size, Files(store, 0)))),
            broken=len(broken_chains(database)),
            chains=len(connection.scalars(select(receipt.c.chain).distinct()).all()),
            balance=balance(database),
            taken_up=sum("ended in the middle" in row.reason for row in changes),
            tracebacks=sum(log.read_text(errors="replace").count("Traceback") for log in logs),
        )


def report(asked: Asked, sender: Sender, pacs: Pacs, found: Found, memory: Memory, series: int) -> str:
    minutes, rate, seed, fleet = asked.minutes, asked.rate, asked.seed, sender.fleet
    forms = sum(len(digests) > 1 for digests in pacs.stored.values())
    again = sum(sum(digests.values()) - 1 for digests in pacs.stored.values())
    happened = Counter(what for _, what in fleet.events)
    rows = [
        ("series sent, of 32 slices", series),
        ("instances sent, acknowledged", f"{sender.sent}, {len(sender.acknowledged)}"),
        ("instances sent again, having had no answer", sender.repeated),
        ("acknowledged and not stored, or with other bytes", found.missing),
        ("stored files that are missing", found.files),
        ("chains of the ledger, broken ones", f"{found.chains}, {found.broken}"),
        ("jobs", ", ".join(f"{number} {state}" for state, number in sorted(found.series.items()))),
        ("jobs completed twice", found.changes - found.series["completed"]),
        ("attempts that were cut off and taken up", found.taken_up),
        ("results made, at the PACS", f"{found.results}, {len(pacs.stored)}"),
        ("results that reached the PACS in two forms", forms),
        ("C-STOREs of a result repeated with the same bytes", again),
        ("balance", f"received {found.balance.received}, delivered {found.balance.delivered}, filtered "
                    f"{found.balance.filtered}, residue {found.balance.residue}"),
        ("tracebacks in the logs", found.tracebacks),
        ("resident memory of a replica with its children, MB: first third, last third, most", memory.thirds()),
        ("of the one that lived longest: minutes, MB after one, MB at its end", memory.longest()),
    ]  # fmt: skip
    table = "\n".join(f"| {what} | {number} |" for what, number in rows)
    events = "\n".join(f"| {at / 60:.1f} | {what} |" for at, what in fleet.events)
    counted = ", ".join(f"{number} × {what}" for what, number in sorted(happened.items()))
    when = f"{datetime.now(UTC):%Y-%m-%d}"  # noqa: TID251 # the report's own date
    return f"""# Soak

`python -m benchmarks.soak {minutes:g} {rate:g} {seed:g}`: {minutes:g} minutes, two replicas on one PostgreSQL and one
folder, one Triton, a PACS that counts, {rate:g} series a minute. {when}; Python {platform.python_version()},
{os.cpu_count()} cores that others used as well.

| | |
|---|---|
{table}

What happened to them ({counted}):

| minute | |
|---|---|
{events}
"""


def main(asked: Asked) -> int:
    minutes, rate = asked.minutes, asked.rate
    dice, pacs = random.Random(asked.seed), Pacs()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    (folder / "rules").mkdir()
    (folder / "rules" / "10-soak.yaml").write_text(_RULE)
    (folder / "rules" / "_set.yaml").write_text("otherwise: hold\n")
    prepared = heads(folder / "sent", int(minutes * rate) + 1)
    with (
        server() as database_server,
        EmbeddedTriton(REPOSITORY, folder, models=[MODEL]) as triton,
        ExitStack() as at_the_end,
    ):
        pacs.start()
        at_the_end.callback(pacs.stop)
        told = {"MRICORE_RULES__DIRECTORY": str(folder / "rules")}
        fleet = Fleet(Site(folder, database_server.url, triton, _MORE.format(port=pacs.port), told))
        sender = Sender(fleet)
        for name in REPLICAS:
            fleet.start(name)
            at_the_end.callback(lambda name=name: fleet.end(name))
        begin = monotonic()
        ends_at = begin + 60 * minutes
        killer = threading.Thread(
            target=kill, args=(fleet, Others(database_server, triton, pacs), begin, ends_at, dice)
        )
        killer.start()
        memory = Memory(fleet, ends_at)
        watcher = threading.Thread(target=memory.watch)
        watcher.start()
        series = 0
        while monotonic() < ends_at and series < len(prepared):
            sender.send(prepared[series])
            series += 1
            print(f"{(monotonic() - begin) / 60:5.1f} min: {series} series acknowledged", flush=True)
            sleep(max(0.0, begin + 60 * series / rate - monotonic()))
        killer.join()
        watcher.join()
        database = Database(database_server.url)
        give_up = monotonic() + _SETTLE_S
        while monotonic() < give_up:
            with suppress(NodeError):
                found = look(database, sender, folder)
                if found.series["completed"] == series:
                    break
            sleep(2)
        found = look(database, sender, folder)
        text = report(asked, sender, pacs, found, memory, series)
        print(text)
        forms = any(len(digests) > 1 for digests in pacs.stored.values())
        good = found.series == Counter(completed=series) and found.changes == series and not found.balance.residue
        good = good and not found.tracebacks
        return 0 if good and not (found.missing or found.files or found.broken or forms) else 1


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("minutes", type=float, nargs="?", default=30.0)
    options.add_argument("series_a_minute", type=float, nargs="?", default=2.0)
    options.add_argument("seed", type=int, nargs="?", default=1, help="of what is killed when")
    chosen = options.parse_args()
    sys.exit(main(Asked(chosen.minutes, chosen.series_a_minute, chosen.seed)))
