"""What steps tell of themselves. Nothing here raises, waits, or stops a step that raises."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Protocol

from node.core.tracing import Value, Whose


class Tracing(Protocol):
    """Told of steps."""

    def whole(self, of: Whose, begin: datetime, end: datetime, **attributes: Value | None) -> None:
        """The span that all others of this version of a series hang on: from its first instance to the rules."""

    def over(self, name: str, of: Whose, begin: datetime, end: datetime, **attributes: Value | None) -> None:
        """A step of a series that is over."""

    def within(self, name: str, of: Whose, **attributes: Value | None) -> AbstractContextManager[None]:
        """A step of a series that begins now, in this thread."""

    def step(self, name: str, **attributes: Value | None) -> AbstractContextManager[None]:
        """A part of the step that this thread is in; nothing where it is in none."""

    def headers(self) -> Mapping[str, str]:
        """What tells another server which step asks (W3C Trace Context)."""

    def close(self) -> None:
        """Send what is left, for a moment at most."""


class Off:
    """Nobody wants to know."""

    def whole(self, of: Whose, begin: datetime, end: datetime, **attributes: Value | None) -> None:
        pass

    def over(self, name: str, of: Whose, begin: datetime, end: datetime, **attributes: Value | None) -> None:
        pass

    def within(self, name: str, of: Whose, **attributes: Value | None) -> AbstractContextManager[None]:
        return nullcontext()

    def step(self, name: str, **attributes: Value | None) -> AbstractContextManager[None]:
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        pass


OFF = Off()
