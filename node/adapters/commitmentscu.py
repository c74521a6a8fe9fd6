"""Storage Commitment, the report (PS3.4 J.3.3): an N-EVENT-REPORT on an association that the node opens."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pynetdicom import build_role
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined] # made at import

from node.adapters.association import RemoteAE, associated
from node.core.storage_commitment import SOP_CLASS_UID, SOP_INSTANCE_UID
from node.errors import DestinationUnavailable


def report(remote: RemoteAE, event_type: int, information: Dataset) -> None:
    """Tell the requester. Raises DestinationUnavailable when it did not hear it.

    The node opens the association but is the SCP of the service, so it asks for that role (PS3.7 D.3.3.4).
    """
    roles = [build_role(StorageCommitmentPushModel, scp_role=True)]
    with associated(remote, SOP_CLASS_UID, roles) as association:
        try:
            status, _ = association.send_n_event_report(information, event_type, SOP_CLASS_UID, SOP_INSTANCE_UID)
        except ValueError as refused:  # pynetdicom: no context accepted with this role
            raise DestinationUnavailable(f"{remote} does not let the node be SCP of storage commitment") from refused
        code = status.get("Status")
        if code != 0x0000:
            said = "does not answer" if code is None else f"answers {code:04X} to"
            raise DestinationUnavailable(f"{remote} {said} the event report")
