"""What people do with notices: list, acknowledge, test. Pages, API and command line do the same here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from node.adapters.database import Database
from node.adapters.database import notices as rows
from node.adapters.database.notices import Sent
from node.core.notices import Alarm
from node.errors import NoSuch, Usage
from node.pipeline.notices.notifier import Notifier, Somebody

MOST = 200  # causes on a page


@dataclass(frozen=True)
class Page:
    """Causes, the newest first."""

    alarms: Sequence[Alarm]
    before: int | None  # where the next page begins; None: this was the last


@dataclass(frozen=True)
class Reached:
    """Somebody who is told, and whether he can be reached: `failures` in a row, and when he is tried next."""

    name: str
    kind: str  # email, webhook
    causes: tuple[str, ...]
    minimum: str
    failures: int
    next_try_at: datetime | None
    reason: str
    sent: int
    last_sent_at: datetime | None


@dataclass(frozen=True)
class Notices:
    """The notices of a node, for people."""

    database: Database
    everybody: Callable[[], Sequence[tuple[str, Somebody]]]  # (kind, …)
    notifier: Callable[[], Notifier]
    clock: Callable[[], datetime]

    def listed(self, before: int | None = None, most: int = 50, *, only_open: bool = False) -> Page:
        """A page of causes. Raises Usage."""
        if not 1 <= most <= MOST:
            raise Usage(f"limit: a page has 1 to {MOST} notices")
        found = rows.page(self.database, before, most + 1, only_open=only_open)
        return Page(found[:most], found[most - 1].id if len(found) > most else None)

    def sent(self, alarm_id: int | None = None) -> Sequence[Sent]:
        """What was sent last, the newest first."""
        return rows.messages(self.database, alarm_id)

    def reached(self) -> Sequence[Reached]:
        """Everybody who is told."""
        known = rows.reaches(self.database)
        made = []
        for kind, one in self.everybody():
            listener, found = one.listener, known.get(one.listener.name)
            made.append(
                Reached(
                    name=listener.name,
                    kind=kind,
                    causes=tuple(listener.causes),
                    minimum=str(listener.minimum),
                    failures=found.breaker.failures if found else 0,
                    next_try_at=found.breaker.next_try_at if found else None,
                    reason=found.breaker.reason if found else "",
                    sent=found.sent if found else 0,
                    last_sent_at=found.last_sent_at if found else None,
                )
            )
        return made

    def unreachable(self) -> Sequence[str]:
        """Names that rules tell, and that no [[notify]] has."""
        known = {one.listener.name for _, one in self.everybody()}
        alarms = rows.page(self.database, None, MOST)
        return sorted({name for alarm in alarms for name in alarm.recipients} - known)

    def acknowledge(self, alarm_id: int, by: str) -> Alarm:
        """Somebody knows of it: silence until there is more of it, or it is worse. Raises NoSuch."""
        found = rows.acknowledge(self.database, alarm_id, by, self.clock())
        if found is None:
            raise NoSuch(f"there is no notice {alarm_id}: see `mricore-node notices list`")
        return found

    def test(self, name: str) -> None:
        """Send a test message now. Raises NoSuch, DestinationUnavailable."""
        names = [one.listener.name for _, one in self.everybody()]
        if name not in names:
            raise NoSuch(f"no [[notify]] is called {name}: there is {', '.join(names) or 'none'}")
        self.notifier().test(name)
