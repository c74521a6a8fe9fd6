"""A small PACS for the demonstration: stores what it gets."""

from __future__ import annotations

import threading
from pathlib import Path

from pydicom import uid
from pynetdicom import AE, evt
from pynetdicom.transport import ThreadedAssociationServer

AE_TITLE = "DEMO_PACS"


class Pacs:
    """A Storage SCP for SEG and SR that writes each instance to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._paths: dict[str, Path] = {}
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> int:
        """Listen on a free loopback port; returns it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ae = AE(ae_title=AE_TITLE)
        for sop_class in (uid.SegmentationStorage, uid.Comprehensive3DSRStorage):
            ae.add_supported_context(sop_class, [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        if server is None or server.socket is None:
            raise RuntimeError("the demonstration's PACS did not start")
        self._server = server
        return int(server.socket.getsockname()[1])

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()

    def path(self, sop_instance_uid: str) -> Path | None:
        """Where an instance was stored; None when it did not come."""
        with self._lock:
            return self._paths.get(sop_instance_uid)

    def _store(self, event: evt.Event) -> int:
        meta = event.file_meta
        kind = "seg" if meta.MediaStorageSOPClassUID == uid.SegmentationStorage else "sr"
        path = self._folder / f"{kind}-{len(self._paths):04d}.dcm"
        path.write_bytes(event.encoded_dataset())
        with self._lock:
            self._paths[str(meta.MediaStorageSOPInstanceUID)] = path
        return 0x0000
