"""A process that only receives, for ever: `python -m tests.system.reception_node FOLDER [LOW_WATERMARK]`.

The composition root's own parts in its order, without rules, models and results.
"""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from node.adapters.database import Database
from node.adapters.files import Files
from node.pipeline.reception import Reception
from node.scp import Admission, Listener
from node.scp.server import Limits


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 # this program owns its clock


def main(folder: Path, low_watermark: int) -> None:
    database = Database(f"sqlite:///{folder / 'node.db'}")
    database.migrate()
    files = Files(folder / "instances", low_watermark)
    reception = Reception(database, files, now, chain="MRICORE")
    limits = Limits(100, 1 << 18, stall_seconds=60)
    listener = Listener(reception, Admission("MRICORE", True, []), limits, note=lambda *_: None)
    print("port", listener.start("127.0.0.1", 0), flush=True)  # noqa: T201 # who started it waits for this line
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
