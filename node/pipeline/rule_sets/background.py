"""Trials that nobody waits for: one at a time in each process, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import structlog

from node.adapters.database import processes, simulations
from node.adapters.database.simulations import Simulation
from node.errors import NodeError, StoreUnavailable
from node.pipeline.rule_sets.trials import Trials
from node.pipeline.rule_sets.versions import Change, Versions

_log = structlog.get_logger(__name__)


class Background:
    """Starts trials; how far they are stands in the database, for every process to tell."""

    def __init__(self, versions: Versions, process: str) -> None:
        self._versions, self._trials = versions, Trials(versions.database, versions.clock, process)
        self._process = process
        self._busy = threading.Lock()
        simulations.abandon(versions.database, process)

    def get(self, number: int) -> Simulation:
        """How far a trial is. Raises NoSuch."""
        found = simulations.get(self._versions.database, number)
        if found.state != simulations.RUNNING or found.process in ("", self._process):
            return found
        if found.process in processes.living(self._versions.database):
            return found
        simulations.abandon(self._versions.database, found.process)
        return simulations.get(self._versions.database, number)

    def start(self, draft: Mapping[str, str], author: str, days: int, against: str | None) -> Simulation:
        """Begin a trial of a draft beside a version, or beside what is in use.

        Raises BadConfiguration for the draft's first error, NoSuch, StoreUnavailable while another one runs.
        """
        base, in_use = self._versions.files(against)
        version = self._versions.keep(draft, Change(author, "simulated"))
        if not self._busy.acquire(blocking=False):
            raise StoreUnavailable("another simulation runs in this process: try again when it is done")
        try:
            number = self._trials.begin(version, base, days, author)
            thread = threading.Thread(
                target=self._run, args=(number, dict(draft), in_use, days), name=f"simulation {number}", daemon=True
            )
            thread.start()
        except BaseException:
            self._busy.release()
            raise
        return simulations.get(self._versions.database, number)

    def _run(self, number: int, draft: Mapping[str, str], in_use: Mapping[str, str], days: int) -> None:
        try:
            self._trials.recorded(number, draft, in_use, days)
        except NodeError as fault:
            _log.warning("simulation failed", reason=str(fault))
        except Exception:  # noqa: BLE001 # its row says so already; the log keeps the traceback
            _log.exception("simulation broke")
        finally:
            self._busy.release()
