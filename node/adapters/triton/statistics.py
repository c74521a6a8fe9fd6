"""What a Triton server counted since it loaded a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tritonclient.grpc import service_pb2

_NS = 1e9


@dataclass(frozen=True)
class Statistics:
    """One version of a model. Seconds and requests are sums over its life in the server."""

    model: str
    version: str
    slices: int  # that were inferred
    executions: int  # of the model: fewer than requests where Triton joined them to batches
    succeeded: int  # requests
    failed: int  # requests, those among them that were canceled or waited too long
    queue_seconds: float
    compute_seconds: float  # input, inference and output


def read(answer: service_pb2.ModelStatisticsResponse) -> Sequence[Statistics]:
    """From the server's own words."""
    return [
        Statistics(
            model=one.name,
            version=one.version,
            slices=one.inference_count,
            executions=one.execution_count,
            succeeded=one.inference_stats.success.count,
            failed=one.inference_stats.fail.count,
            queue_seconds=one.inference_stats.queue.ns / _NS,
            compute_seconds=sum(part.ns for part in _compute(one.inference_stats)) / _NS,
        )
        for one in answer.model_stats
    ]


def _compute(stats: service_pb2.InferStatistics) -> tuple[service_pb2.StatisticDuration, ...]:
    return stats.compute_input, stats.compute_infer, stats.compute_output
