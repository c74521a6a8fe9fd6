"""What a PACS would take: one association that proposes everything a result may be, and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.uid import UID
from pynetdicom import build_context

from node.adapters.association import UNCOMPRESSED, NothingAcceptedError, RemoteAE, negotiated

_OFFERED = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.11.1": "Grayscale Softcopy Presentation State",
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF",
    "1.2.840.10008.1.20.1": "Storage Commitment",
    "1.2.840.10008.5.1.4.1.2.2.1": "Study Root Query",
}
_SYNTAXES = (*UNCOMPRESSED, "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99")


def accepted(peer: RemoteAE) -> Mapping[str, tuple[str, ...]]:
    """SOP class → transfer syntaxes, by name. Raises DestinationUnavailable when there is no association.

    One context for each pair, so that a peer can take each it knows (PS3.8 9.3.2.2): 40 of the 128 there may be.
    """
    contexts = [build_context(sop_class, syntax) for sop_class in _OFFERED for syntax in _SYNTAXES]
    found: dict[str, list[str]] = {}
    try:
        with negotiated(peer, contexts) as association:
            for one in association.accepted_contexts:
                found.setdefault(_OFFERED[str(one.abstract_syntax)], []).append(UID(one.transfer_syntax[0]).name)
    except NothingAcceptedError:
        return {}
    return {name: tuple(found[name]) for name in _OFFERED.values() if name in found}
