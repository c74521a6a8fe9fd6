"""Storage Commitment SCU (PS3.4 J.3.2): an N-ACTION. The report comes to the node's listener, maybe days later."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pynetdicom import build_context

from node.adapters.association import UNCOMPRESSED, NothingAcceptedError, RemoteAE, negotiated
from node.core.storage_commitment import REQUEST, SOP_CLASS_UID, SOP_INSTANCE_UID, Reference, action
from node.errors import DestinationUnavailable


def ask(peer: RemoteAE, transaction_uid: str, references: Sequence[Reference]) -> bool:
    """Whether the peer takes the request; False also when it offers no such service.

    Raises DestinationUnavailable when it does not answer.
    """
    asked = action(transaction_uid, references)
    try:
        with negotiated(peer, [build_context(SOP_CLASS_UID, UNCOMPRESSED)]) as association:
            status: Dataset
            status, _ = association.send_n_action(asked, REQUEST, SOP_CLASS_UID, SOP_INSTANCE_UID)
    except NothingAcceptedError:
        return False
    if "Status" not in status:
        raise DestinationUnavailable(f"{peer} does not answer the request for storage commitment")
    return bool(status.Status == 0x0000)
