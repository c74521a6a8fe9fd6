"""A node's pages and the API that they call, on what a bench received and worked on: nobody has to sign in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydicom.dataset import Dataset

from node.adapters.database import jobs
from node.app.places import Places
from node.app.serving import build_pages, build_routers, build_web
from node.config import Settings, load
from node.core.states import JobState
from node.web import Health
from tests.bench import Bench
from tests.command_line import settings_file
from tests.fakes import FakeModels


def settings_of(bench: Bench) -> Settings:
    return load(settings_file(bench.store.folder))


@contextmanager
def shown(bench: Bench) -> Iterator[str]:
    """http://127.0.0.1:port, until the end of the block."""
    settings, database = settings_of(bench), bench.store.database
    places = Places(settings, database)
    health = Health(database, bench.store.files, FakeModels(), list)  # type: ignore[arg-type] # what it asks of them
    routers, pages = build_routers(places, database, bench.clock), build_pages(places, database)
    web = build_web(settings, health, bench.store.reception, None, routers, bench.clock, shown=pages)
    port = web.start("127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        web.stop()


def work_on(bench: Bench, datasets: Sequence[Dataset], state: JobState = JobState.COMPLETED, reason: str = "") -> int:
    """A series is received, and its job ends so: completed with its results delivered, or for a reason."""
    bench.complete(datasets)
    job = bench.claim()
    sentence = bench.work.attempt(job) if state is JobState.COMPLETED else reason
    assert jobs.finish(bench.store.database, job.id, state, sentence, bench.clock())
    return job.id
