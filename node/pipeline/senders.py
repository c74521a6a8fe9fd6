"""Who asked for associations, and what people do about it: admit, forget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.uid import UID

from node.adapters.database import Database, sender_requests
from node.adapters.database import senders as rows
from node.adapters.database.senders import KnownSender
from node.errors import NoSuch, Usage

_AE_AT_MOST, _HOST_AT_MOST = 16, 64


@dataclass(frozen=True)
class Sender:
    """A calling AE title at a host, and what it asked for last."""

    known: KnownSender
    called_ae: str = ""
    certificate_name: str = ""
    proposed: tuple[str, ...] = ()  # SOP classes, by name where they have one

    @property
    def waits(self) -> bool:
        """Whether a person may want to admit it."""
        return not self.known.accepted and not self.known.admitted


@dataclass(frozen=True)
class Senders:
    """The senders of a node."""

    database: Database
    clock: Callable[[], datetime]

    def listed(self) -> Sequence[Sender]:
        """The latest first."""
        requests = sender_requests.known(self.database)
        found = []
        for one in rows.known_senders(self.database):
            request = requests.get((one.calling_ae, one.host))
            if request is None:
                found.append(Sender(one))
            else:
                names = tuple(UID(uid).name for uid in request.proposed)
                found.append(Sender(one, request.called_ae, request.certificate_name, names))
        return found

    def admit(self, ae_title: str, host: str, actor: str) -> None:
        """Let an AE title send from now on, from a host or ("") from anywhere. Raises Usage."""
        ae_title, host = ae_title.strip(), host.strip()
        if not 1 <= len(ae_title) <= _AE_AT_MOST or not ae_title.isprintable() or "\\" in ae_title:
            raise Usage(f"{ae_title[:64]}: an AE title has 1 to 16 characters")
        if len(host) > _HOST_AT_MOST or not host.isprintable():
            raise Usage("host: is no address")
        rows.admit(self.database, ae_title, host, actor=actor, at=self.clock())

    def forget(self, ae_title: str, host: str | None, actor: str) -> None:
        """Take an admission back and strike it off the list; without a host, from every host. Raises NoSuch."""
        if not rows.forget(self.database, ae_title.strip(), host, actor=actor, at=self.clock()):
            at = "" if host is None else f" at {host or 'any host'}"
            raise NoSuch(f"{ae_title[:64]}{at}: no such sender")
