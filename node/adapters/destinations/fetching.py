"""Retrieve SCU (PS3.4 annex C): one instance by C-GET, to compare what a PACS keeps with what it was sent."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet  # type: ignore[attr-defined] # at import

from node.adapters.association import UNCOMPRESSED, NothingAcceptedError, RemoteAE, negotiated
from node.adapters.destinations.identity import Identity, at_instance_level
from node.errors import DestinationUnavailable


def fetch(peer: RemoteAE, wanted: Identity) -> Dataset | None:
    """None when the peer does not offer C-GET, or sends nothing. Raises DestinationUnavailable."""
    model = StudyRootQueryRetrieveInformationModelGet
    contexts = [build_context(model, UNCOMPRESSED), build_context(wanted.sop_class_uid, UNCOMPRESSED)]
    came: list[Dataset] = []

    def keep(event: evt.Event) -> int:
        came.append(event.dataset)
        return 0x0000

    try:
        with negotiated(peer, contexts, [build_role(wanted.sop_class_uid, scp_role=True)]) as association:
            if not any(one.abstract_syntax == model for one in association.accepted_contexts):
                return None
            association.bind(evt.EVT_C_STORE, keep)
            for status, _ in association.send_c_get(at_instance_level(wanted), model):
                if status.get("Status") is None:
                    raise DestinationUnavailable(f"{peer} does not answer C-GET")
    except NothingAcceptedError:
        return None
    return next((ds for ds in came if ds.get("SOPInstanceUID") == wanted.sop_instance_uid), None)
