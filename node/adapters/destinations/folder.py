"""A folder as a destination: a file appears whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from node.adapters.destinations import Outcome, Outgoing
from node.adapters.forcing import sync_folder
from node.core.status import Meaning
from node.errors import DestinationUnavailable

_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})  # shares that know no forcing of a folder


class Folder:
    """Writes each object as `<kind>-<SOP Instance UID>.dcm`; the UIDs are this node's own."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self._path = name, path

    def deliver(self, objects: Sequence[Outgoing]) -> list[Outcome]:
        return [Outcome(Meaning.DELIVERED, str(self._write(one))) for one in objects]

    def _write(self, one: Outgoing) -> Path:
        name = f"{one.kind.lower()}-{one.sop_instance_uid}.dcm"
        final, unnamed = self._path / name, self._path / f".{name}.part"
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with unnamed.open("wb") as file:
                file.write(one.path.read_bytes())
                file.flush()
                os.fsync(file.fileno())
            unnamed.replace(final)
            self._force()
        except OSError as broken:
            raise DestinationUnavailable(f"{self.name}: the folder cannot be written ({broken.strerror})") from broken
        return final

    def _force(self) -> None:
        """A name that a power cut takes away again was not delivered."""
        try:
            sync_folder(self._path)
        except OSError as refused:
            if refused.errno not in _CANNOT:
                raise
