"""Last slice → results at the PACS. The modality reports with MPPS, so that evidence completes the series at once."""

from __future__ import annotations

import re
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, StoragePresentationContexts, evt
from sqlalchemy import select

from node.adapters.database import Database
from node.adapters.database.tables import change, job, series
from node.adapters.destinations.storescu import Peer, read_file_head, send
from node.adapters.triton import EmbeddedTriton, TritonClient
from node.core import phantom
from node.core.procedure_step import SOP_CLASS_UID
from node.core.results import to_bytes
from node.core.status import SUCCESS
from tests.command_line import settings_file
from tests.edges.test_mpps import step
from tests.processes import line_with, python
from tests.triton_fixture import MODEL, REPOSITORY

_SLICES = 35
_RULE = "name: all\ndescription: all\nwhen: {Modality: MR}\nthen: [{infer: mri_core_head}, {deliver: [there]}]\n"
_PACS = """
[[destination]]
name = "there"
kind = "dicom"
ae_title = "PACS"
host = "127.0.0.1"
port = PORT
"""


def utc() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 # the benchmark's own clock


@contextmanager
def pacs(came: list[datetime]) -> Iterator[int]:
    def store(_event: evt.Event) -> int:
        came.append(utc())
        return SUCCESS

    ae = AE(ae_title="PACS")
    for context in StoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax or "", AllTransferSyntaxes)
    scp = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert scp
    assert scp.socket
    yield int(scp.socket.getsockname()[1])
    scp.shutdown()


def heads(folder: Path, number: int) -> list[tuple[str, list[Path], list[str]]]:
    """Series Instance UID, files and SOP Instance UIDs of phantom heads of 35 × 256²."""
    voxels, made = phantom.voxels(phantom.Grid(slices=_SLICES, rows=256, columns=256)), []
    for seed in range(number):
        when = datetime(2026, 1, 5, 9, 30)  # noqa: DTZ001 # DICOM has no zone here
        slices = phantom.instances(voxels, when=when, seed=f"head-{seed}")
        paths = [folder / f"{seed}-{one:03d}.dcm" for one in range(len(slices))]
        for path, ds in zip(paths, slices, strict=True):
            path.write_bytes(to_bytes(ds))
        made.append((str(slices[0].SeriesInstanceUID), paths, [str(ds.SOPInstanceUID) for ds in slices]))
    return made


def report(port: int, number: int, state: str, made: dict[str, list[str]] | None = None) -> None:
    ae = AE("SCANNER")
    ae.add_requested_context(SOP_CLASS_UID)
    association = ae.associate("127.0.0.1", port, ae_title="MRICORE")
    if made is None:
        association.send_n_create(step(state), SOP_CLASS_UID, f"2.25.{number}")
    else:
        association.send_n_set(step(state, made), SOP_CLASS_UID, f"2.25.{number}")
    association.release()


def model_seconds(triton: EmbeddedTriton) -> float:
    """What the model alone takes for as many slices."""
    slices = phantom.voxels(phantom.Grid(slices=_SLICES, rows=256, columns=256)).array.astype(np.uint16)
    took = []
    with TritonClient(triton.url, token=triton.token) as client:
        for _ in range(4):
            begin = perf_counter()
            client.infer(MODEL, "", slices)
            took.append(perf_counter() - begin)
    return statistics.median(took[1:])


def once(
    database: Database, port: int, number: int, head: tuple[str, list[Path], list[str]], came: list[datetime]
) -> dict[str, float]:
    uid, paths, uids = head
    came.clear()
    report(port, 1000 + number, "IN PROGRESS")
    peer = Peer("MRICORE", "127.0.0.1", port, "SCANNER")
    assert all(one.status == SUCCESS for one in send(peer, [(path, read_file_head(path)) for path in paths]))
    last = utc()
    report(port, 1000 + number, "COMPLETED", {uid: uids})
    reported = utc()
    while len(came) < 2:
        sleep(0.005)
    sleep(0.5)
    with database.reading() as connection:
        completed = connection.scalar(select(series.c.completed_at).where(series.c.series_instance_uid == uid))
        row = connection.execute(select(job).where(job.c.series_instance_uid == uid)).one()
        ended = connection.scalar(select(change.c.at).where(change.c.job_id == row.id, change.c.state == "completed"))
    assert completed
    assert ended
    return {
        "last slice → MPPS answered": (reported - last).total_seconds(),
        "MPPS → series complete, job there": (completed - reported).total_seconds(),
        "→ claimed": (row.started_at - completed).total_seconds(),
        **{f"stage {name}": seconds for name, seconds in row.seconds.items()},
        "claimed → SEG at the PACS": (came[0] - row.started_at).total_seconds(),
        "SEG → SR at the PACS": (came[1] - came[0]).total_seconds(),
        "last slice → SR at the PACS": (came[1] - last).total_seconds(),
        "→ job completed": (ended - came[1]).total_seconds(),
    }


def main(times: int = 7) -> None:
    folder, came = Path(tempfile.mkdtemp(prefix="latency-")), list[datetime]()
    (folder / "rules").mkdir()
    (folder / "rules" / "10-all.yaml").write_text(_RULE)
    made = heads(folder, times + 1)
    with EmbeddedTriton(REPOSITORY, folder, models=[MODEL]) as triton, pacs(came) as pacs_port:
        told = {
            "MRICORE_TRITON__URL": f"grpc://{triton.url}",
            "MRICORE_TRITON__TOKEN": triton.token or "",
            "MRICORE_RULES__DIRECTORY": str(folder / "rules"),
        }
        settings = settings_file(folder, _PACS.replace("PORT", str(pacs_port)))
        model = model_seconds(triton)
        with python(
            ["-m", "node", "serve", "--config", str(settings)], log=folder / "log", environment=told
        ) as process:
            found = re.search(r"DICOM \S+:(\d+),", line_with(process, "listens", folder / "log"))
            assert found
            database = Database(f"sqlite:///{folder / 'node.db'}")
            sleep(5)  # the canary
            runs = [once(database, int(found[1]), number, head, came) for number, head in enumerate(made)][1:]
            database.close()
        model = statistics.median([model, model_seconds(triton)])
    for name in runs[0]:
        values = [run[name] for run in runs if name in run]
        print(f"| {name} | {1000 * statistics.median(values):.0f} ms | {1000 * max(values):.0f} ms |")
    print(f"| the model alone | {1000 * model:.0f} ms | |")
    total = statistics.median(run["last slice → SR at the PACS"] for run in runs)
    print(f"| **last slice → delivered, without the model** | {1000 * (total - model):.0f} ms | |")
