"""Processes of a test: started, waited for with patience, and ended whatever happens."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

REPOSITORY = Path(__file__).resolve().parents[1]
PATIENCE_S = 240.0  # a machine may be slow; a test that works never waits so long


@contextmanager
def python(
    arguments: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """`python ARGUMENTS` in the repository; killed at the end if it still runs. Standard error goes to `log`.

    `before` stands before the command: where it runs.
    """
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*before, sys.executable, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """kill -9, and wait until it is gone."""
    if process.poll() is None:
        process.kill()
    process.wait(PATIENCE_S)
    if process.stdout and not process.stdout.closed:
        process.stdout.close()


def line_with(process: subprocess.Popen[bytes], words: str, log: Path) -> str:
    """The first line of its standard output that holds these words. Fails when it ends, or says nothing for long."""
    assert process.stdout is not None
    give_up, got = monotonic() + PATIENCE_S, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while monotonic() < give_up:
            if not selector.select(1.0):
                continue
            piece = os.read(process.stdout.fileno(), 4096)
            got += piece
            for line in got.decode(errors="replace").splitlines(keepends=True):
                if words in line and line.endswith("\n"):
                    return line.strip()
            if not piece:
                break
    raise AssertionError(f"no line with {words!r}; exit {process.poll()}: {log.read_text()[-3000:]}")
