"""The process of a drill: `python -m node.app.drill.child FOLDER`, with the plan on standard input.

It tells one JSON object a line: {"says": …} while it works, {"name", "seen", "passed", "seconds"} for each exercise.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import structlog

from node.app.drill.exercises import ALL
from node.app.drill.ground import Ground, NeverError, ground
from node.app.drill.plan import Plan
from node.errors import NodeError
from node.logs import configure

_log = structlog.get_logger(__name__)

_PARENT_LOOK_S = 2.0


def main(folder: Path) -> int:
    told = json.loads(sys.stdin.readline())
    plan = Plan(**{**told, "names": tuple(told["names"])})
    _end_with_parent()
    configure(verbose=False)
    try:
        with ground(plan, folder, lambda text: _tell({"says": text})) as on:
            for name in plan.names:
                _tell({"begins": name})
                _tell(_exercised(on, name))
    except (NodeError, NeverError) as fault:
        _tell({"fault": f"the drill's node does not start: {fault}"})
        return 1
    return 0


def _exercised(on: Ground, name: str) -> dict[str, object]:
    begin = time.monotonic()
    try:
        passed, seen = ALL[name](on)
    except NeverError as never:
        passed, seen = False, f"This never came: {never}."
    except NodeError as fault:
        passed, seen = False, str(fault)
    except Exception:  # noqa: BLE001 # one exercise must not end the others; the log keeps the traceback
        _log.exception("exercise broke")
        passed, seen = False, "the drill failed on it: see the log"
    return {"name": name, "seen": seen, "passed": passed, "seconds": round(time.monotonic() - begin, 1)}


def _tell(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    """Whoever asked may be gone: nobody would read on."""
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_LOOK_S)
        os._exit(1)

    threading.Thread(target=look, name="parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
