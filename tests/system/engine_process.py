"""A process with an engine: `python -m tests.system.engine_process URL PROCESS HOLD [ROW_ID...]`.

Enqueues the row ids and says which it is called for; it stays in a call for ever when HOLD is "hold".
"""

from __future__ import annotations

import sys
import threading

from node.adapters.engine.transact import Transact


def main(url: str, process: str, hold: bool, row_ids: list[int]) -> None:
    def carry(_queue: str, row_id: int) -> None:
        print("called for", row_id, flush=True)  # noqa: T201 # who started it waits for this line
        if hold:
            threading.Event().wait()

    engine = Transact(url, process)
    engine.start({"work": 1}, carry)
    for row_id in row_ids:
        engine.enqueue("work", row_id)
    print("works", flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "hold", [int(one) for one in sys.argv[4:]])
