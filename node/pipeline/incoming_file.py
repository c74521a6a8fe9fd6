"""A DICOM file (PS3.10) that arrives in pieces: from an HTTP request, from another archive, from a folder."""

from __future__ import annotations

from node.core.arrival import Sender
from node.core.part10 import PREAMBLE, Head, read_head
from node.errors import BadInstance
from node.pipeline.reception import Answer, Incoming, Reception

_START_BYTES = 1 << 16  # file meta information lies within them


class IncomingFile:
    """Takes a file's bytes as they come and passes its data set on to the reception; never holds it whole."""

    def __init__(self, reception: Reception, sender: Sender, study_instance_uid: str = "") -> None:
        """`study_instance_uid`: the study it must belong to; "" for any."""
        self._reception, self._sender, self._study = reception, sender, study_instance_uid
        self._start = bytearray()
        self._incoming: Incoming | None = None
        self._skip = 0  # bytes of file meta information that are still to come
        self._head: Head | None = None

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. Raises BadInstance when they are not those of a DICOM file."""
        if self._incoming:
            self._pass_on(self._incoming, chunk)
            return
        self._start += chunk
        if len(self._start) >= _START_BYTES:
            self._begin()

    def demand_head(self) -> Head:
        """Its file meta information; after the last `write`. Raises BadInstance when it is not a DICOM file."""
        return self._head or self._begin()[0]

    def finish(self) -> Answer:
        """Every byte is here: store the instance. Raises BadInstance when it was not a DICOM file."""
        incoming = self._incoming or self._begin()[1]
        if self._skip:
            incoming.abandon()
            raise BadInstance("the file ends within its file meta information")
        return incoming.finish()

    def abandon(self) -> None:
        """Keep nothing of it."""
        if self._incoming:
            self._incoming.abandon()

    def _begin(self) -> tuple[Head, Incoming]:
        if _lacks_preamble(self._start):
            self._start[:0] = PREAMBLE
        head = self._head = read_head(bytes(self._start[:_START_BYTES]))
        incoming = self._incoming = self._reception.incoming(
            self._sender, head.sop_class_uid, head.sop_instance_uid, head.transfer_syntax_uid, self._study
        )
        self._skip = head.data_set_at
        self._pass_on(incoming, self._start)
        self._start = bytearray()
        return head, incoming

    def _pass_on(self, incoming: Incoming, chunk: bytes | bytearray | memoryview) -> None:
        skipped = min(self._skip, len(chunk))
        self._skip -= skipped
        if skipped < len(chunk):
            incoming.write(memoryview(chunk)[skipped:] if skipped else chunk)


def _lacks_preamble(start: bytearray) -> bool:
    """Whether it begins with its file meta information: so dicomweb-client sends what was made in memory."""
    return start[:2] == b"\x02\x00" and bytes(start[4:6]) in (b"UL", b"OB", b"UI") and start[128:132] != b"DICM"
