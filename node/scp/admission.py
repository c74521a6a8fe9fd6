"""Who may send: called AE title, calling AE title, host and certificate of an association request (PS3.8 9.3.4)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Source:
    """A modality or PACS that may send."""

    name: str
    ae_title: str
    hosts: tuple[str, ...]  # addresses; empty: from anywhere
    certificate_name: str = ""  # common name its TLS certificate must have; "": none is asked for


@dataclass(frozen=True)
class Caller:
    """Who asks for an association."""

    calling_ae: str
    called_ae: str
    host: str
    certificate_name: str = ""  # common name of its TLS certificate; "": it showed none
    proposed: tuple[str, ...] = ()  # SOP Class UIDs


@dataclass(frozen=True)
class Refusal:
    """A-ASSOCIATE-RJ: result, source and reason as PS3.8 table 9-21 numbers them, and a sentence for people."""

    result: int
    source: int
    diagnostic: int
    sentence: str

    @property
    def transient(self) -> bool:
        """Whether the sender may try again later."""
        return self.result == 0x02


_CALLING_NOT_RECOGNISED = (0x01, 0x01, 0x03)
_CALLED_NOT_RECOGNISED = (0x01, 0x01, 0x07)

CONGESTED = Refusal(0x02, 0x03, 0x01, "the node cannot look up who may send at the moment")
FULL = Refusal(0x02, 0x03, 0x02, "as many associations are open as dicom.max_associations allows")


def _nobody(_calling_ae: str, _host: str) -> bool:
    return False


@dataclass(frozen=True)
class Admission:
    """The site's policy."""

    ae_title: str
    anybody: bool  # dicom.accept = "any"
    sources: Sequence[Source]
    admitted: Callable[[str, str], bool] = _nobody  # by a person, while the node runs: calling AE title and host

    def judge(self, caller: Caller) -> Refusal | None:
        """None when the association may be accepted. Raises what `admitted` raises."""
        if caller.called_ae != self.ae_title:
            return Refusal(*_CALLED_NOT_RECOGNISED, "the called AE title is not this node's")
        named = [source for source in self.sources if source.ae_title == caller.calling_ae]
        why = _unlike(named, caller)
        if why and (self._bound(named) or not (self.anybody or self.admitted(caller.calling_ae, caller.host))):
            return Refusal(*_CALLING_NOT_RECOGNISED, why)
        return None

    def _bound(self, named: Sequence[Source]) -> bool:
        """An AE title that is bound to a certificate is nobody else's, whoever else may send."""
        return any(source.certificate_name for source in named)


def _unlike(named: Sequence[Source], caller: Caller) -> str:
    """Why the caller is none of the sources of its AE title; "" when it is one."""
    if not named:
        return "the calling AE title is not listed as a source"
    here = [source for source in named if not source.hosts or caller.host in source.hosts]
    if not here:
        return "the calling AE title is listed, but not with this host"
    if all(source.certificate_name not in ("", caller.certificate_name) for source in here):
        return "the calling AE title is listed, but not with this certificate"
    return ""


class Seated(Protocol):
    """What an association must tell to be counted."""

    is_rejected: bool
    is_aborted: bool
    is_released: bool

    def is_alive(self) -> bool: ...


class Seats:
    """Counts associations that were let in and have not ended; open connections that asked for none do not count."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, list[Seated]()
        self._lock = threading.Lock()

    def take(self, association: Seated) -> bool:
        """Whether there was room for one more."""
        with self._lock:
            self._taken = [one for one in self._taken if _sits(one)]
            if len(self._taken) >= self._most:
                return False
            self._taken.append(association)
            return True


def _sits(one: Seated) -> bool:
    return one.is_alive() and not (one.is_rejected or one.is_aborted or one.is_released)
