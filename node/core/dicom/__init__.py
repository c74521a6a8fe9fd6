"""What the node remembers of an instance: its identity, and the facts that decide about volumes."""

from node.core.dicom.facts import Facts, Frame, facts
from node.core.dicom.identity import Identity, identity
from node.core.dicom.record import from_json, to_json

__all__ = ["Facts", "Frame", "Identity", "facts", "from_json", "identity", "to_json"]
