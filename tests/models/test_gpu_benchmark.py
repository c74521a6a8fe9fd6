"""The GPU benchmark's whole path runs without a GPU, and without one it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")

ROOT = Path(__file__).parents[2]


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


def test_the_whole_path_runs_on_a_processor() -> None:
    ran = benchmark("--cpu", "--tiny")
    assert ran.returncode == 0, ran.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ran.stdout.splitlines() if line[:4] == "| 64"]
    assert len(rows) == 2 * 2 * 3  # batches, ways, types
    errors = {(row[2], row[3]): float(row[4]) for row in rows if row[1] == "2"}
    assert errors["ours, eager", "fp32"] < 1e-5
    assert all(error < 0.05 for error in errors.values())
    assert all(float(row[5]) > 0 and float(row[7]) > 0 for row in rows)


def test_without_a_gpu_it_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    ran = benchmark()
    assert (ran.returncode, "no NVIDIA GPU" in ran.stderr, ran.stdout) == (2, True, "")
