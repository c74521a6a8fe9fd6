"""A breaker: after several failures in a row the next calls fail at once, for a while."""

from __future__ import annotations

import threading
import time

from node.errors import ModelUnavailable


class Breaker:
    """Closed until `failures` in a row, then open for `rest_s`; after that each single failure opens it again."""

    def __init__(self, failures: int = 5, rest_s: float = 5.0) -> None:
        self._failures, self._rest_s = failures, rest_s
        self._lock = threading.Lock()
        self._in_a_row, self._opens_at = 0, 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once."""
        with self._lock:
            return self._in_a_row >= self._failures and time.monotonic() < self._opens_at

    def check(self) -> None:
        """Raise ModelUnavailable while open."""
        if self.is_open:
            raise ModelUnavailable("Triton did not answer several times in a row; waiting before the next try")

    def failed(self) -> None:
        """A call found no working server."""
        with self._lock:
            self._in_a_row += 1
            self._opens_at = time.monotonic() + self._rest_s

    def worked(self) -> None:
        """A call was answered."""
        with self._lock:
            self._in_a_row = 0
