"""What nobody waits for any more is not worked out: a canceled inference ends at the server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from time import sleep
from typing import cast

import numpy as np
import pytest

from node.adapters.database import jobs as rows
from node.adapters.triton import EmbeddedTriton, Model, TritonClient
from node.adapters.triton.flight import ASK_EVERY_S, Call, Done, Flight
from node.core.states import JobState
from node.errors import ModelUnavailable
from node.pipeline.models import Models
from node.worker import Worker
from tests.bench import Bench, until
from tests.fakes import FakeModels
from tests.synthetic import Grid, mr_series
from tests.triton_fixture import MODEL, REPOSITORY, server_or_skip

SLICES = np.ones((12, 8, 8), np.uint16)

# Answers with zeros, but not while the file `slow` lies beside it, unless the request is canceled.
_MODEL = """
import json, time
from pathlib import Path
import numpy
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        self.folder = Path(args["model_repository"])

    def note(self, word):
        with (self.folder / "diary").open("a") as diary:
            print(word, file=diary)

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        slices = numpy.from_dlpack(pb_utils.get_input_tensor_by_name(request, "slices"))
        self.note("begun")
        while (self.folder / "slow").exists():
            if request.is_cancelled():
                self.note("canceled")
                time.sleep(0.5)  # it takes what waits behind it when word of that has come, too
                return pb_utils.InferenceResponse(error=pb_utils.TritonError("", pb_utils.TritonError.CANCELLED))
            time.sleep(0.05)
        self.note("done")
        labels = numpy.zeros(slices.shape, numpy.uint8)
        return pb_utils.InferenceResponse([pb_utils.Tensor.from_dlpack("labels", labels)])
"""


@dataclass(frozen=True)
class Slow:
    """A server whose model takes as long as a test wants."""

    server: EmbeddedTriton
    folder: Path

    def let_wait(self) -> None:
        (self.folder / "slow").touch()

    def let_go(self) -> None:
        (self.folder / "slow").unlink(missing_ok=True)

    @property
    def diary(self) -> list[str]:
        file = self.folder / "diary"
        return file.read_text().split() if file.exists() else []


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    repository = tmp_path_factory.mktemp("models")
    folder = repository / MODEL
    (folder / "1").mkdir(parents=True)
    (folder / "configs").mkdir()
    config = (REPOSITORY / MODEL / "configs" / "cpu.pbtxt").read_text()
    config = config.replace("max_batch_size: 16", "max_batch_size: 1")
    (folder / "config.pbtxt").write_text(config)
    (folder / "configs" / "cpu.pbtxt").write_text(config)
    (folder / "1" / "model.py").write_text(_MODEL)
    with server_or_skip(repository, tmp_path_factory.mktemp("slow"), [MODEL]) as server:
        yield Slow(server, folder)


@pytest.fixture
def slow(slow_server: Slow) -> Slow:
    slow_server.let_go()
    with TritonClient(slow_server.server.url) as last:
        last.infer(MODEL, "", SLICES[:1])  # behind all that a test before left there: one is answered after the other
    (slow_server.folder / "diary").unlink(missing_ok=True)
    return slow_server


@pytest.fixture
def client(slow: Slow) -> Iterator[TritonClient]:
    with TritonClient(slow.server.url, token=slow.server.token, slices_per_request=1) as opened:
        yield opened


class NotWantedError(Exception):
    """Nobody waits any more."""


def test_what_is_no_longer_wanted_ends_at_the_server_and_what_waited_there_is_never_begun(
    slow: Slow, client: TritonClient
) -> None:
    def still_wanted() -> None:
        if slow.diary:
            raise NotWantedError

    slow.let_wait()
    with pytest.raises(NotWantedError):
        client.infer(MODEL, "", SLICES, still_wanted=still_wanted)
    until(lambda: slow.diary == ["begun", "canceled"], "the end of the one that was begun")
    until(lambda: client.in_flight() == {MODEL: 0}, "the end of those that waited")
    slow.let_go()
    assert not client.infer(MODEL, "", SLICES[:1]).any()
    assert slow.diary == ["begun", "canceled", "begun", "done"]


class _Ended:
    """A call that is over by itself soon."""

    def cancel(self) -> None:
        """Nothing to end."""


def test_who_left_is_noticed_though_parts_land_faster_than_it_is_asked() -> None:
    def still_wanted() -> None:
        raise NotWantedError

    with ThreadPoolExecutor(1) as server, Flight() as flight:

        def answer(done: Done) -> None:
            sleep(ASK_EVERY_S / 4)
            done(None, None)

        def answered_soon(done: Done) -> Call:
            server.submit(answer, done)
            return _Ended()

        for number in range(12):
            flight.send(number, answered_soon)
        with pytest.raises(NotWantedError):
            list(map(flight.next, repeat(still_wanted, 12)))


def test_no_more_than_a_few_requests_of_an_inference_are_in_flight(slow: Slow, client: TritonClient) -> None:
    seen: list[int] = []

    def still_wanted() -> None:
        seen.append(client.in_flight()[MODEL])
        slow.let_go()

    slow.let_wait()
    assert client.infer(MODEL, "", SLICES, still_wanted=still_wanted).shape == SLICES.shape
    assert seen[0] == 4
    assert client.in_flight() == {MODEL: 0}


def test_a_client_that_is_closed_ends_what_is_in_flight(slow: Slow) -> None:
    client = TritonClient(slow.server.url, slices_per_request=1)

    def still_wanted() -> None:
        if slow.diary:
            client.close()

    slow.let_wait()
    with pytest.raises(ModelUnavailable):
        client.infer(MODEL, "", SLICES, still_wanted=still_wanted)
    until(lambda: slow.diary[:2] == ["begun", "canceled"], "the end at the server")


def test_a_job_that_is_canceled_ends_the_inference_at_the_server(
    slow: Slow, client: TritonClient, model: Model, bench: Bench
) -> None:
    models = Models([Model(model.folder, model.card, model.contract, np.zeros_like(model.canary))], client, 120)
    assert models.ask_canaries() == {}
    before = len(slow.diary)
    slow.let_wait()
    bench.models = cast("FakeModels", models)
    job = bench.complete(mr_series(Grid(slices=10)))
    worker = Worker("worker", bench.store.database, bench.work, bench.clock)
    worker.start()
    try:
        until(lambda: slow.diary[before:] == ["begun"], "the model at work")
        assert rows.finish(bench.store.database, job.id, JobState.CANCELED, "no", bench.clock(), actor="somebody")
        until(lambda: slow.diary[before:] == ["begun", "canceled"], "the end at the server")
        until(lambda: client.in_flight() == {MODEL: 0}, "the end of those that waited")
    finally:
        worker.stop(120)
    assert bench.row(job.id).state == JobState.CANCELED
    assert bench.out.taken == []
