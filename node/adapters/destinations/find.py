"""Query SCU (PS3.4 annex C): whether a PACS has an instance."""

from __future__ import annotations

from pynetdicom import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined] # at import

from node.adapters.association import UNCOMPRESSED, NothingAcceptedError, RemoteAE, negotiated
from node.adapters.destinations.identity import Identity, at_instance_level
from node.core.dicom.elements import Elements
from node.errors import DestinationUnavailable

_PENDING = (0xFF00, 0xFF01)


def knows(peer: RemoteAE, wanted: Identity) -> bool | None:
    """None when the peer does not offer C-FIND. Raises DestinationUnavailable when it does not answer."""
    model = StudyRootQueryRetrieveInformationModelFind
    found = False
    try:
        with negotiated(peer, [build_context(model, UNCOMPRESSED)]) as association:
            for status, identifier in association.send_c_find(at_instance_level(wanted), model):
                code = status.get("Status")
                if code in _PENDING and identifier is not None:
                    # A PACS that does not know a key answers with everything above it.
                    found = found or Elements(identifier).first("SOPInstanceUID") == wanted.sop_instance_uid
                elif code != 0x0000:
                    said = "does not answer C-FIND" if code is None else f"answers C-FIND with {code:04X}"
                    raise DestinationUnavailable(f"{peer} {said}")
    except NothingAcceptedError:
        return None
    return found
