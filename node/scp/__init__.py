"""The DICOM listener: C-ECHO and C-STORE as SCP (PS3.4 annex B)."""

from node.scp.admission import Admission, Source
from node.scp.server import Listener

__all__ = ["Admission", "Listener", "Source"]
