"""The exercises: what is done, and what was seen. Each returns whether the node did what it has to, and a sentence."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from pydicom.dataset import Dataset

from node.adapters.database import Database, trace
from node.adapters.database.balance import balance
from node.adapters.files import Files
from node.adapters.objects import ResultFiles
from node.app.clock import utc_now
from node.app.destinations import build_delivering
from node.app.drill.ground import SENDER, SLICES, Ground
from node.app.places import Places
from node.app.receiving import Receiving
from node.config import Settings
from node.core.status import OUT_OF_RESOURCES, SUCCESS

Seen = tuple[bool, str]

_PAUSE_S = 1.0
_NAME = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def dead_pacs(on: Ground) -> Seen:
    sent = on.phantom("dead-pacs")
    stored = on.send(sent).count(SUCCESS)
    on.until(lambda: _reason(on, sent), "the job says that it waits for its PACS")
    waits = _reason(on, sent)
    on.say(f"the job says: {waits}")
    lost = balance(on.node.database).residue
    on.dead.start()
    on.until(lambda: _state(on, sent) == "completed", "the job completes once the PACS is back")
    made = _results(on, sent)
    came = [uid for uid in made if uid in on.dead.came]
    passed = stored == SLICES and lost == 0 and len(came) == len(made) > 0
    return passed, f"The job said: {waits}. Then {len(came)} of {len(made)} objects were delivered; {lost} were lost."


def dead_triton(on: Ground) -> Seen:
    assert on.way  # noqa: S101 # the ground was started
    on.way.cut()
    try:
        on.until(lambda: not on.ready(), "the node says that it is not ready")
        sent = on.phantom("dead-triton")
        on.send(sent)
        on.until(lambda: _reason(on, sent), "the job says that it waits for its model")
        waits = _reason(on, sent)
        on.say(f"the job says: {waits}")
    finally:
        on.way.heal()
    on.until(lambda: _state(on, sent) == "completed", "the job completes once the model server is back")
    on.until(on.ready, "the node is ready again")
    return True, f"/readyz was 503. The job said: {waits}. It completed when the way was open again."


def full_disk(on: Ground) -> Seen:
    """On a store of its own, with a limit that leaves no room."""
    sent = on.phantom("full-disk")
    free = shutil.disk_usage(on.folder).free
    refused, kept = _stored(on, sent, free + 10**12)
    taken, kept_then = _stored(on, sent, 0)
    passed = refused == [OUT_OF_RESOURCES] * SLICES and kept == 0 and taken == [SUCCESS] * SLICES
    passed = passed and kept_then == SLICES
    codes = ", ".join(sorted({"none" if one is None else f"{one:04X}" for one in refused}))
    return passed, f"Without room: {codes}, {kept} kept. With room: {taken.count(SUCCESS)} x 0000, {kept_then} kept."


def slow_scanner(on: Ground) -> Seen:
    sent = on.phantom("slow-scanner")
    for ds in sent:
        on.send([ds])
        time.sleep(_PAUSE_S)
    on.until(lambda: _state(on, sent) == "completed", "the job completes")
    seen = on.series(sent)
    assert seen  # noqa: S101 # it has a job
    received = seen.received.get("stored", 0)
    told = f"{received} slices, version {seen.version}, {len(seen.jobs)} job: {seen.evidence}"
    return (received, seen.version, len(seen.jobs)) == (SLICES, 1, 1), told


def japanese_name(on: Ground) -> Seen:
    sent = on.phantom("japanese-name", patient_name=_NAME, charset="\\ISO 2022 IR 87")
    on.send(sent)
    on.until(lambda: _state(on, sent) == "completed", "the job completes")
    uid = str(sent[0].SeriesInstanceUID)
    found = [
        text
        for text in ("山田", "やまだ", "yamada")
        if uid in {one.series_instance_uid for one in trace.find(on.node.database, text)}
    ]
    results = [on.receiver.came[one] for one in _results(on, sent) if one in on.receiver.came]
    same = [ds for ds in results if str(ds.PatientName) == _NAME]
    passed = len(found) == 3 and len(same) == len(results) > 0
    return passed, f"Found by {', '.join(found) or 'nothing'}. {len(same)} of {len(results)} results carry {_NAME}."


def duplicate(on: Ground) -> Seen:
    sent = on.phantom("duplicate")
    statuses = on.send(sent) + on.send(sent)
    on.until(lambda: _state(on, sent) == "completed", "the job completes")
    statuses += on.send(sent)
    time.sleep(2 * _PAUSE_S)
    seen = on.series(sent)
    assert seen  # noqa: S101 # it has a job
    taken = statuses.count(SUCCESS)
    passed = taken == 3 * SLICES and (seen.version, len(seen.jobs)) == (1, 1) and seen.received["stored"] == SLICES
    counts = ", ".join(f"{number} {name}" for name, number in sorted(seen.received.items()))
    return passed, f"{taken} of {3 * SLICES} answered 0000 ({counts}); version {seen.version}, {len(seen.jobs)} job."


def late_slice(on: Ground) -> Seen:
    sent = on.phantom("late-slice")
    for ds in sent:
        del ds.ImagesInAcquisition  # or the node knows that a slice is missing
    on.send(sent[:-1])
    on.until(lambda: _state(on, sent) == "completed", "the job of the first slices completes")
    on.send(sent[-1:])
    on.until(lambda: _state(on, sent, 2) == "completed", "the job of all slices completes")
    seen = on.series(sent)
    assert seen  # noqa: S101 # it has two jobs
    now = on.job(sent, 2)
    first = on.job(sent)
    superseded = bool(now and first and now.supersedes == first.id)
    received = seen.received.get("stored", 0)
    passed = superseded and (received, seen.version, len(seen.jobs)) == (SLICES, 2, 2)
    told = f"A result of {SLICES - 1} slices; then version {seen.version} with {received} slices"
    return passed, f"{told}, whose job {'supersedes' if superseded else 'does not supersede'} the first one."


ALL: dict[str, Callable[[Ground], Seen]] = {
    "dead-pacs": dead_pacs,
    "dead-triton": dead_triton,
    "full-disk": full_disk,
    "slow-scanner": slow_scanner,
    "japanese-name": japanese_name,
    "duplicate": duplicate,
    "late-slice": late_slice,
}


def _state(on: Ground, sent: list[Dataset], version: int = 1) -> str:
    job = on.job(sent, version)
    return job.state if job else ""


def _reason(on: Ground, sent: list[Dataset]) -> str:
    """Why the job waits; "" while it does not."""
    job = on.job(sent)
    if job is None or job.state != "scheduled" or not job.attempts:
        return ""
    return job.reason


def _results(on: Ground, sent: list[Dataset]) -> list[str]:
    job = on.job(sent)
    return [one.sop_instance_uid for one in job.made] if job else []


def _stored(on: Ground, sent: list[Dataset], low_watermark: int) -> tuple[list[int | None], int]:
    """The statuses, and how many instances the ledger has of the drill's second store."""
    folder = on.folder / "quota"
    settings = Settings.model_validate(
        {
            "node": {"ae_title": on.plan.ae_title, "data_dir": folder},
            "dicom": {"host": "127.0.0.1", "port": 0},
            "source": [{"name": "drill", "ae_title": SENDER}],
        }
    )
    database = Database(settings.database_url)
    database.migrate()
    places = Places(settings, database)
    delivering = build_delivering(places, database, ResultFiles(folder / "results"), utc_now)
    receiving = Receiving(
        places, database, Files(folder / "instances", low_watermark), utc_now, delivering, lambda: None
    )
    try:
        receiving.listen()
        return on.send(sent, receiving.dicom_port), balance(database).received
    finally:
        receiving.stop(lambda: 5.0)
        receiving.close(lambda: 5.0)
        receiving.reception.close()
        database.close()
