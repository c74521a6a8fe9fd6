"""Traces: one a series, whoever works on it; and a collector that is not there stops nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pydicom.dataset import Dataset

from node.adapters.database import jobs as rows
from node.adapters.telemetry import OFF
from node.adapters.telemetry.otel import OtelTracing
from node.core.states import JobState
from node.core.tracing import ATTRIBUTES, Whose, hexadecimal, is_sampled, kept
from node.errors import ModelFailed
from node.pipeline.completion import Completion
from node.pipeline.work import Work
from node.worker import Worker
from tests.bench import Bench
from tests.collector import Collector, attributes, collector
from tests.synthetic import Grid, mr_series

SERIES = mr_series(Grid(slices=12))
OF = Whose(str(SERIES[0].SeriesInstanceUID))


@dataclass
class Traced:
    """A bench whose steps are traced."""

    bench: Bench
    tracing: OtelTracing

    @property
    def completion(self) -> Completion:
        return replace(self.bench.completion, tracing=self.tracing)

    @property
    def work(self) -> Work:
        work = self.bench.work
        return replace(work, tracing=self.tracing, delivery=replace(work.delivery, tracing=self.tracing))

    def complete(self, datasets: list[Dataset]) -> None:
        self.bench.receive(datasets)
        self.bench.clock.advance(700)
        for uid in self.completion.due():
            self.completion.judge(uid)

    def attempt(self) -> None:
        """One step of a worker, as its thread does it."""
        worker = Worker("worker", self.bench.store.database, self.work, self.bench.clock)
        worker._step()

    def close(self) -> None:
        self.tracing.close()


@pytest.fixture
def seen() -> Iterator[Collector]:
    with collector() as found:
        yield found


@pytest.fixture
def traced(bench: Bench, seen: Collector) -> Traced:
    return Traced(bench, OtelTracing(seen.endpoint, {}))


def number(identifier: bytes) -> int:
    return int.from_bytes(identifier, "big")


def test_a_series_is_one_trace_from_its_first_instance_to_its_last_delivery(traced: Traced, seen: Collector) -> None:
    traced.complete(SERIES)
    traced.attempt()
    traced.close()
    assert {one.name for one in seen.spans} == {
        "series", "receive", "complete", "rules", "job", "infer", "encode", "check", "deliver", "send",
    }  # fmt: skip
    assert {number(one.trace_id) for one in seen.spans} == {OF.trace_id}
    root = seen.named("series")
    assert (number(root.span_id), root.parent_span_id) == (OF.span_id, b"")
    below = {name: seen.named(name) for name in ("receive", "complete", "rules", "job")}
    assert {one.parent_span_id for one in below.values()} == {root.span_id}
    assert {seen.named(stage).parent_span_id for stage in ("infer", "encode", "check", "deliver")} == {
        below["job"].span_id
    }
    assert seen.named("send").parent_span_id == seen.named("deliver").span_id
    assert attributes(seen.named("send")) == {"mricore.destination": "out", "mricore.results": 2}
    assert attributes(root)["mricore.series"] == OF.series_instance_uid


def test_the_trace_is_the_same_after_a_restart_and_on_another_machine(traced: Traced, seen: Collector) -> None:
    traced.complete(SERIES)
    traced.close()
    again = Traced(traced.bench, OtelTracing(seen.endpoint, {}))
    again.attempt()
    again.close()
    job = seen.named("job")
    assert (job.trace_id, job.parent_span_id) == (seen.named("series").trace_id, seen.named("series").span_id)


def test_a_step_that_fails_says_of_what_kind_and_not_what_it_said(traced: Traced, seen: Collector) -> None:
    traced.bench.models.raises = [ModelFailed("the header of Doe^Jane")]
    traced.complete(SERIES)
    traced.attempt()
    traced.close()
    failed: Span = seen.named("infer")
    assert (failed.status.code, failed.status.message) == (Status.STATUS_CODE_ERROR, "ModelFailed")
    assert not any(b"Doe" in body for body in seen.bodies)
    (job,) = traced.bench.jobs()
    assert job.state is JobState.FAILED


def test_a_collector_that_is_not_there_or_broken_stops_nothing(bench: Bench, seen: Collector) -> None:
    seen.status = 500
    for endpoint in (seen.endpoint, "http://127.0.0.1:9"):
        traced = Traced(bench, OtelTracing(endpoint, {}))
        name = endpoint
        traced.complete(mr_series(Grid(slices=12), name=name))
        traced.attempt()
        traced.close()
    assert {job.state for job in bench.jobs()} == {JobState.COMPLETED}
    assert all(rows.results(bench.store.database, job.id) for job in bench.jobs())


def test_of_a_share_of_nothing_nothing_is_told(bench: Bench, seen: Collector) -> None:
    traced = Traced(bench, OtelTracing(seen.endpoint, {}, share=0.0))
    traced.complete(SERIES)
    traced.attempt()
    traced.close()
    assert seen.spans == []


def test_another_server_is_told_which_step_asks(traced: Traced) -> None:
    assert traced.tracing.headers() == {}
    with traced.tracing.within("job", OF), traced.tracing.step("ask"):
        (header,) = traced.tracing.headers().values()
    assert header.startswith(f"00-{hexadecimal(OF.trace_id)}-")
    with traced.tracing.step("alone"):
        assert traced.tracing.headers() == {}
    traced.close()


@given(st.dictionaries(st.one_of(st.sampled_from(sorted(ATTRIBUTES)), st.text()), st.text()))
def test_what_is_not_on_the_list_is_not_told(given_ones: dict[str, str]) -> None:
    assert set(kept(given_ones)) == {f"mricore.{name}" for name in given_ones if name in ATTRIBUTES}


@given(st.text(min_size=1), st.integers(1, 9), st.floats(0, 1))
def test_a_trace_has_a_number_and_is_kept_whole_or_not_at_all(uid: str, version: int, share: float) -> None:
    of = Whose(uid, version)
    assert 0 < of.trace_id < 1 << 128
    assert 0 < of.span_id < 1 << 64
    assert of.trace_id == Whose(uid, version + 1).trace_id
    assert of.span_id != Whose(uid, version + 1).span_id
    assert is_sampled(of.trace_id, 1.0)
    assert not is_sampled(of.trace_id, 0.0)
    assert is_sampled(of.trace_id, share) is is_sampled(Whose(uid, version + 1).trace_id, share)


def test_without_a_collector_nothing_is_done() -> None:
    with OFF.within("job", OF), OFF.step("infer"):
        assert OFF.headers() == {}
    assert [one.name for one in fields(Work) if one.name == "tracing"] == ["tracing"]
