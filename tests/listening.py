"""A listener on loopback with a real database and store behind it, and senders for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from ssl import SSLContext
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from sqlalchemy import select

from node.adapters.database import Database
from node.adapters.database.tables import receipt
from node.adapters.files import Files
from node.pipeline.reception import Reception
from node.scp import Admission, Listener
from node.scp.admission import Caller, Refusal
from node.scp.contexts import Service
from node.scp.server import Limits
from node.scp.tls import Certificates
from tests.databases import migrated
from tests.synthetic import MR_IMAGE_STORAGE

VERIFICATION = "1.2.840.10008.1.1"


def now() -> datetime:
    """The tests' clock."""
    return datetime.now(UTC)  # noqa: TID251 # a test is an edge


@dataclass
class Listening:
    """What a test may look at."""

    database: Database
    files: Files
    listener: Listener
    port: int
    tls_port: int = 0
    noted: list[tuple[Caller, Refusal | None]] = field(default_factory=list)

    def receipts(self) -> list[Any]:
        """The ledger's lines."""
        with self.database.reading() as connection:
            return list(connection.execute(select(receipt).order_by(receipt.c.number)))


@contextmanager
def listening(
    folder: Path,
    *,
    admission: Admission | None = None,
    certificates: Certificates | None = None,
    services: Sequence[Service] = (),
    max_associations: int = 20,
    database: Database | None = None,
) -> Iterator[Listening]:
    """Listen on 127.0.0.1 until the block ends."""
    database = migrated(database or Database(f"sqlite:///{folder / 'node.db'}"))
    files = Files(folder / "instances", 0)
    reception = Reception(database, files, now, chain="TEST")
    noted: list[tuple[Caller, Refusal | None]] = []
    listener = Listener(
        reception,
        admission or Admission("MRICORE", True, []),
        Limits(max_associations, 1 << 17, stall_seconds=60),
        note=lambda caller, refused: noted.append((caller, refused)),
        services=services,
    )
    try:
        port = listener.start("127.0.0.1", 0)
        tls_port = listener.start("127.0.0.1", 0, certificates) if certificates else 0
        yield Listening(database, files, listener, port, tls_port, noted)
    finally:
        listener.stop(1)
        reception.close()
        database.close()


def associate(
    port: int,
    *,
    calling: str = "SCANNER",
    called: str = "MRICORE",
    tls: SSLContext | None = None,
    sop_classes: Sequence[str] = (MR_IMAGE_STORAGE, VERIFICATION),
) -> Association:
    """Ask for an association; established or not."""
    ae = AE(ae_title=calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = 60
    for uid in sop_classes:
        ae.add_requested_context(uid, ExplicitVRLittleEndian)
    opened: list[socket] = []
    association = ae.associate(
        "127.0.0.1",
        port,
        ae_title=called,
        tls_args=(tls, "localhost") if tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))],
    )
    if not association.is_established:
        for connection in opened:  # pynetdicom's SCU leaves it open when the other side went first
            connection.close()
    return association


def echoes(association: Association) -> bool:
    """Whether the association works, and its end."""
    if not association.is_established:
        return False
    answered: Dataset = association.send_c_echo()
    association.release()
    return bool(answered) and answered.Status == 0
