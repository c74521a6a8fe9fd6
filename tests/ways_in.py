"""A reception of its own for tests of the ways into the node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from starlette.routing import Mount

from node.adapters.database import Database
from node.adapters.database.tables import instance, receipt
from node.adapters.files import Files
from node.pipeline.reception import Reception
from node.web.dicomweb import store_routes
from tests.archives import serving
from tests.databases import migrated


def clock() -> datetime:
    """The time of the tests."""
    return datetime.now(UTC)  # noqa: TID251 # whoever builds a node owns its clock


@dataclass(frozen=True)
class Desk:
    """A reception, and what it keeps."""

    database: Database
    files: Files
    reception: Reception

    def stored(self) -> dict[str, Path]:
        """SOP Instance UID → the file that was kept."""
        with self.database.reading() as connection:
            rows = connection.execute(select(instance.c.sop_instance_uid, instance.c.path)).all()
        return {row.sop_instance_uid: self.files.path(row.path) for row in rows}

    def receipts(self) -> list[tuple[str, str, str, int, str]]:
        """Channel, calling AE, disposition, status and reason of every line of the ledger, in order."""
        columns = (receipt.c.channel, receipt.c.calling_ae, receipt.c.disposition, receipt.c.status, receipt.c.reason)
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(receipt.c.number))]

    def dispositions(self) -> list[str]:
        return [one[2] for one in self.receipts()]


@contextmanager
def desk(folder: Path, low_watermark: int = 0) -> Iterator[Desk]:
    """Opens what is in the folder, as a node that starts again would."""
    database = migrated(Database(f"sqlite:///{folder / 'node.db'}"))
    files = Files(folder / "instances", low_watermark)
    reception = Reception(database, files, clock, chain="TEST")
    try:
        yield Desk(database, files, reception)
    finally:
        reception.close()
        database.close()


@contextmanager
def dicomweb(opened: Desk, max_request: int = 1 << 40) -> Iterator[int]:
    """Serves DICOMweb below /dicom-web on a free port."""
    with serving([Mount("/dicom-web", routes=store_routes(opened.reception, max_request))]) as port:
        yield port
