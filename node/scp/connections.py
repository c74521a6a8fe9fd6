"""The connections of the listener: the wait for what they say, and how many may be open without an association."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket


def ready(files: Sequence[int], seconds: float) -> list[int]:
    """Those of the file descriptors that can be read, or are broken. Raises OSError or ValueError for a closed one.

    Not by select(): it fails for every number from 1024 on, however few files are asked about.
    """
    poll = select.poll()
    for number in files:
        poll.register(number, select.POLLIN)
    return [number for number, _ in poll.poll(seconds * 1000)]


class Connection(AssociationSocket):
    """pynetdicom leaves a socket open when its peer went first: then there is nothing to shut down, and it gives up."""

    @property
    def ready(self) -> bool:
        """Whether there is something to read; as pynetdicom's, but for every file descriptor."""
        if self.socket is None or not self._is_connected:
            return False
        try:
            said = ready([self.socket.fileno()], 0)
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False
        return bool(said) or bool(getattr(self.socket, "pending", int)())

    def _shutdown_socket(self) -> None:
        super()._shutdown_socket()
        if self.socket:
            self.socket.close()


class Connections:
    """Open connections. Of too many, the oldest that has no association is cut off.

    pynetdicom gives a peer 30 s to ask for an association, and as long to close the connection after its end.
    """

    def __init__(self, most: int) -> None:
        self._most, self._open = most, list[Association]()
        self._lock = threading.Lock()

    def come(self, association: Association) -> None:
        """Count one more."""
        with self._lock:
            self._open = [one for one in self._open if _connected(one)]
            self._open.append(association)
            if len(self._open) <= self._most:
                return
            oldest = next((one for one in self._open if not one.is_established), association)
            self._open.remove(oldest)
        connection = _connected(oldest)
        if connection:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _connected(association: Association) -> socket.socket | None:
    connection = association.dul.socket.socket if association.dul.socket else None
    return connection if connection and connection.fileno() >= 0 else None
