"""A node that only receives: listener, store, ledger. Started by the benchmark as a process of its own.

python -m benchmarks.receiving_node FOLDER PORT [index]      with "index", what it receives is made searchable as well
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from node.adapters.database import Database
from node.adapters.database.index import Index
from node.adapters.files import Files
from node.adapters.imaging import Imaging
from node.logs import configure
from node.pipeline.archive import Indexing
from node.pipeline.reception import Reception
from node.scp import Admission, Listener
from node.scp.server import Limits
from node.worker.indexer import Indexer


def main(folder: Path, port: int, indexes: bool = False) -> None:
    configure(verbose=False)
    database = Database(f"sqlite:///{folder / 'node.db'}")
    database.migrate()
    clock = lambda: datetime.now(UTC)  # noqa: E731, TID251 # the benchmark's own clock
    files = Files(folder / "instances", 10**8)
    reception = Reception(database, files, clock, chain="benchmark")
    listener = Listener(reception, Admission("RECEIVER", True, ()), Limits(64, 262144, 60), note=lambda *_: None)
    listener.start("127.0.0.1", port)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as closing:
        if indexes:
            index, imaging = Index(f"sqlite:///{folder / 'index.db'}"), closing.enter_context(Imaging(1, niceness=10))
            index.migrate()
            closing.callback(index.close)
            path_of = lambda _store, name: files.path(name)  # noqa: E731
            indexer = Indexer(Indexing(database, index, imaging, path_of, clock, "benchmark"), clock)
            indexer.start()
            closing.callback(indexer.stop, 30)
        stop.wait()
        listener.stop(5)
    reception.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), "index" in sys.argv[3:])
