"""What the node offers: presentation contexts (PS3.8 7.1.1.13), and what serves those that are not Storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined] # made at import

from node.core.fault import Fault

# Uncompressed first: what we choose where a sender offers several.
TRANSFER_SYNTAXES = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    *(uid for uid in AllTransferSyntaxes if uid not in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")),
]


def always() -> bool:
    return True


@dataclass(frozen=True)
class Service:
    """A DIMSE service beside Storage: the SOP classes that are offered for it and what handles its requests."""

    sop_class_uids: tuple[str, ...]
    handlers: tuple[tuple[evt.InterventionEvent, Callable[[evt.Event], Any]], ...]
    requestor_may_serve: bool = False  # whoever opens the association may be the SCP (PS3.7 D.3.3.4)
    returns_instances: bool = False  # over the same association: whoever opens it may be a Storage SCP
    is_offered: Callable[[], bool] = always  # asked for each association


VERIFICATION = Service((str(Verification),), ((evt.EVT_C_ECHO, lambda _event: 0x0000),))


class Shared(list[PresentationContext]):
    """Contexts that no association changes: pynetdicom deep-copies thousands of objects for each otherwise."""

    def __deepcopy__(self, memo: object) -> Shared:
        return self


def offered(services: Sequence[Service]) -> Shared:
    """Every storage SOP class in every transfer syntax, and the services uncompressed."""
    served: dict[str, bool] = {}
    for service in services:
        for uid in service.sop_class_uids:
            served[uid] = served.get(uid, False) or service.requestor_may_serve
    more = [_context(uid, TRANSFER_SYNTAXES[:2]) for uid in served]
    for context in more:
        if served[str(context.abstract_syntax)]:
            context.scu_role = context.scp_role = True
    both_ways = any(service.returns_instances for service in services)
    return Shared([*_storage(both_ways), *more])


@cache
def _storage(both_ways: bool) -> tuple[PresentationContext, ...]:
    contexts = tuple(_context(str(one.abstract_syntax), TRANSFER_SYNTAXES) for one in AllStoragePresentationContexts)
    for context in contexts if both_ways else ():
        context.scu_role = context.scp_role = True
    return contexts


def _context(sop_class_uid: str, transfer_syntaxes: Sequence[str]) -> PresentationContext:
    context = PresentationContext()
    context.abstract_syntax = UID(sop_class_uid)
    context.transfer_syntax = [UID(uid) for uid in transfer_syntaxes]
    return context


def failure(refused: Fault) -> Dataset:
    """The status of a DIMSE-N response, as pynetdicom's handlers return it (PS3.7 annex C)."""
    status = Dataset()
    status.Status, status.ErrorComment = refused.status, refused.sentence[:64]
    if refused.error_id is not None:
        status.ErrorID = refused.error_id
    return status
