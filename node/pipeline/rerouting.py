"""Results that are sent once more, or elsewhere: what a person asks for after the rule said where they go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from node.adapters.database import Database
from node.adapters.database import jobs as rows
from node.adapters.database.sending import send_again
from node.errors import NoSuch, NotProcessable, Usage
from node.pipeline.forms import Choice, sent_to

MOST = 20  # destinations at once


@dataclass(frozen=True)
class Rerouting:
    """Sends results again."""

    database: Database
    destinations: Callable[[], Collection[str]]  # the names that results may be sent to, of this moment
    choice: Choice
    clock: Callable[[], datetime]

    def reroute(
        self, job_id: int, destinations: Sequence[str], reason: str, actor: str, *, instead: bool = False
    ) -> None:
        """Have the results of a job delivered to these destinations, whether they have them or not; to all that the job
        had for (). `instead`: what still waits for others, or was refused by them, is not sent any more.

        Raises NoSuch, Usage for a destination that there is not, NotProcessable when there is nothing to send.
        """
        job = rows.get(self.database, job_id)
        if job is None:
            raise NoSuch(f"there is no job {job_id}: see `mricore-node jobs list`")
        wanted = tuple(dict.fromkeys(destinations)) or job.destinations
        self._demand_known(wanted)
        made = [one.kind for one in rows.results(self.database, job_id)]
        chosen = self.choice.of(wanted)
        to: dict[str, set[str]] = {name: set() for name in wanted}
        for kind in made:
            for name in sent_to(kind, chosen, made):
                to[name].add(kind)
        # One that asks for forms that this job did not make gets what there is.
        whole = {name: kinds or set(made) for name, kinds in to.items()}
        refused = send_again(
            self.database, job_id, whole, instead=instead, reason=reason, actor=actor, now=self.clock()
        )
        if refused:
            raise NotProcessable(f"the results of job {job_id} cannot be sent: {refused}")

    def _demand_known(self, wanted: Sequence[str]) -> None:
        known = self.destinations()
        if not wanted:
            raise Usage(f"destinations: say where to; there are {', '.join(sorted(known)) or 'none'}")
        if len(wanted) > MOST:
            raise Usage(f"destinations: {MOST} at most")
        unknown = [name for name in wanted if name not in known]
        if unknown:
            there = ", ".join(sorted(known)) or "none"
            raise Usage(f"destinations: there is no destination {unknown[0][:64]}: there are {there}")
