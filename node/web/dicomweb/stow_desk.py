"""What all requests of Store share, and what becomes of one part of any of them."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cache
from threading import Semaphore
from typing import Protocol

import structlog
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts

from node.core.arrival import Sender
from node.core.encoded import Uids
from node.core.status import CANNOT_UNDERSTAND, SUCCESS
from node.pipeline.reception import Answer, Reception
from node.web.dicomweb.store_response import (
    BAD_REQUEST,
    CONFLICT,
    SOP_CLASS_NOT_SUPPORTED,
    TRANSFER_SYNTAX_NOT_SUPPORTED,
    Failure,
    StoreResponse,
    failure,
)

_log = structlog.get_logger(__name__)

TOO_LARGE_SENTENCE = "the request is larger than http.max_request: send it in several"
AHEAD = 32  # instances of one request that may wait for the disk and the ledger: they share its forced writes

Outcome = Uids | Failure


@dataclass(frozen=True)
class Desk:
    """What all requests share."""

    reception: Reception
    threads: Executor  # in which whole parts are stored while the next ones are read
    max_request: int
    retrieves: bool
    readers: Semaphore  # who may hold the metadata of a request in memory


class Transaction(Protocol):
    """One request that is being read. Blocking; used by one thread at a time."""

    is_over: bool  # nothing more is read

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""

    def finish(self) -> StoreResponse:
        """The body is here: say what became of each instance."""

    def abandon(self) -> None:
        """What is not stored is forgotten; what is stored is in the ledger and stays."""


def outcome(answer: Answer) -> Outcome:
    """What the reception's answer means for the response."""
    return answer.uids if answer.status == SUCCESS else failure(answer.status, answer.reason, answer.uids)


def unsupported(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> Failure | None:
    """What an association would have refused with its presentation context (PS3.8 table 9-18)."""
    uids = Uids(sop_class_uid, sop_instance_uid, "", "")
    if sop_class_uid and sop_class_uid not in _storage_classes():
        return Failure(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not one of storage", CONFLICT, uids)
    if transfer_syntax_uid not in AllTransferSyntaxes:
        return Failure(TRANSFER_SYNTAX_NOT_SUPPORTED, "the transfer syntax is not known", CONFLICT, uids)
    return None


@cache
def _storage_classes() -> frozenset[str]:
    return frozenset(str(one.abstract_syntax) for one in AllStoragePresentationContexts)


def known(reason: Failure) -> Future[Outcome]:
    """An outcome that nobody has to wait for."""
    found: Future[Outcome] = Future()
    found.set_result(reason)
    return found


def response(outcomes: list[Future[Outcome]], sender: Sender) -> StoreResponse:
    """Wait for everything; failures are logged."""
    if not outcomes:
        outcomes = [known(Failure(CANNOT_UNDERSTAND, "the request holds no instance", BAD_REQUEST))]
    found = [one.result() for one in outcomes]
    failures = tuple(one for one in found if isinstance(one, Failure))
    for one in failures:
        _log.warning(
            "instance not stored",
            channel="stow",
            association=sender.association,
            host=sender.host,
            reason=one.sentence,
        )
    return StoreResponse(tuple(one for one in found if isinstance(one, Uids)), failures)
