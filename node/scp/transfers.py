"""What of a retrieval was taken: the answers to its C-STORE sub-operations, for the audit trail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pynetdicom import evt
from pynetdicom.status import STATUS_FAILURE, STORAGE_SERVICE_CLASS_STATUS

from node.adapters.database.index.documents import Held
from node.core.audit.transfers import Transfer


class Transfers:
    """Of one request, to one application entity. One sub-operation at a time (PS3.4 C.4.2.2.2)."""

    def __init__(self, ae_title: str, host: str) -> None:
        self._ae_title, self._host = ae_title, host
        self._taken: dict[str, Counter[str]] = {}  # study → instances of each SOP class
        self._is_taken = False

    def answered(self, event: evt.Event) -> None:
        """For `evt.EVT_DIMSE_RECV` of the association over which instances go."""
        command = event.message.command_set
        if "MessageIDBeingRespondedTo" in command:
            category, _ = STORAGE_SERVICE_CLASS_STATUS.get(command.Status, (STATUS_FAILURE, ""))
            self._is_taken = category != STATUS_FAILURE

    @contextmanager
    def sending(self, one: Held) -> Iterator[None]:
        """Around the sub-operation of an instance."""
        self._is_taken = False
        try:
            yield
        finally:
            if self._is_taken:
                self._taken.setdefault(one.study_instance_uid, Counter())[one.sop_class_uid] += 1

    def lines(self) -> Iterator[tuple[str, str]]:
        """What the trail is told: one for each study."""
        for study, counted in self._taken.items():
            yield f"study {study}", Transfer(self._ae_title, self._ae_title, self._host, counted).text()
