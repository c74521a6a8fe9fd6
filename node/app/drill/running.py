"""Starts a drill, hands on its lines, and keeps the sheet of the last one."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from node.adapters.database import Database, drills
from node.app.clock import Clock
from node.app.drill.plan import about, make_plan
from node.app.places import Places
from node.core.drill import Outcome, exercise
from node.core.drill_sheet import sheet
from node.errors import NodeError, NoSuch, Overtaken

_LONGEST_S = 2 * 3600.0  # no drill takes so long


@dataclass(frozen=True)
class Drill:
    """The drills of one process: one at a time."""

    places: Places
    database: Database
    clock: Clock
    _running: threading.Lock = field(default_factory=threading.Lock)

    def lines(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What happens, as it happens: {"says"}, {"begins"}, an outcome with its exercise, {"fault"}; at last {"sum"}.

        Raises Usage for an unknown name, Overtaken while another drill is under way.
        """
        plan = make_plan(self.places, names)
        if not self._running.acquire(blocking=False):
            raise Overtaken("a drill is under way: wait until it is done")
        try:
            begun, outcomes = self.clock(), list[Outcome]()
            for line in self._told(json.dumps(plan.as_json())):
                if "passed" in line:
                    outcomes.append(Outcome(line["name"], line["seen"], line["passed"], line["seconds"]))
                    yield {**asdict(exercise(line["name"])), **line}
                else:
                    yield line
            yield from self._ended(outcomes, sheet(about(plan, begun), outcomes) if outcomes else b"")
        finally:
            self._running.release()

    def last(self) -> bytes:
        """The sheet of the last drill of this machine. Raises NoSuch."""
        try:
            return self._kept.with_suffix(".pdf").read_bytes()
        except OSError as none:
            raise NoSuch("there was no drill yet: `mricore-node drill`") from none

    def last_lines(self) -> dict[str, Any] | None:
        """When the last drill was, and its outcomes; None: there was none."""
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads(self._kept.with_suffix(".json").read_text(encoding="utf-8"))
            return found
        return None

    @property
    def _kept(self) -> Path:
        return self.places.file.node.data_dir / "drills" / "last"

    def _told(self, plan: str) -> Iterator[dict[str, Any]]:
        with _scratch(self.places.file.node.data_dir) as folder, (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "node.app.drill.child", str(folder / "ground")]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as child:
                assert child.stdin  # noqa: S101 # both are pipes
                assert child.stdout  # noqa: S101
                try:
                    child.stdin.write(plan.encode() + b"\n")
                    child.stdin.flush()
                    for line in child.stdout:
                        with suppress(ValueError):
                            yield json.loads(line)
                    child.wait()
                finally:
                    child.terminate()
            if child.returncode:
                tail = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
                yield {"fault": f"the drill's process ended with status {child.returncode}. {' '.join(tail)[:300]}"}

    def _ended(self, outcomes: Sequence[Outcome], content: bytes) -> Iterator[dict[str, Any]]:
        try:
            left = drills.traces(self.database)
        except NodeError:
            left = 0
        passed = bool(outcomes) and all(one.passed for one in outcomes) and not left
        if outcomes:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            self._kept.with_suffix(".pdf").write_bytes(content)
            told = {"at": self.clock().isoformat(), "outcomes": [asdict(one) for one in outcomes]}
            self._kept.with_suffix(".json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        yield {"sum": len(outcomes), "passed": passed, "traces": left}


@contextmanager
def _scratch(data_dir: Path) -> Iterator[Path]:
    """Beside the data, so that a drill meets the same disk; gone afterwards."""
    folder = data_dir / "drills" / f"scratch-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
        for left in folder.parent.glob("scratch-*"):  # of a drill that was killed
            if left.stat().st_mtime < folder.stat().st_mtime - _LONGEST_S:
                shutil.rmtree(left, ignore_errors=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="mricore-drill-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
