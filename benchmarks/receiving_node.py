"""A node that only receives: listener, store, ledger. Started by the benchmark as a process of its own.

python -m benchmarks.receiving_node FOLDER PORT
"""

from __future__ import annotations

import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from node.adapters.database import Database
from node.adapters.files import Files
from node.logs import configure
from node.pipeline.reception import Reception
from node.scp import Admission, Listener
from node.scp.server import Limits


def main(folder: Path, port: int) -> None:
    configure(verbose=False)
    database = Database(f"sqlite:///{folder / 'node.db'}")
    database.migrate()
    clock = lambda: datetime.now(UTC)  # noqa: E731, TID251 # the benchmark's own clock
    reception = Reception(database, Files(folder / "instances", 10**8), clock, chain="benchmark")
    listener = Listener(reception, Admission("RECEIVER", True, ()), Limits(64, 262144, 60), note=lambda *_: None)
    listener.start("127.0.0.1", port)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    listener.stop(5)
    reception.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
