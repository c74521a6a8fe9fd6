"""What is sent, and what every way of sending it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Message:
    """One message. A second attempt has the same identifier: whoever got it twice can tell."""

    id: str  # letters, digits, hyphens
    subject: str  # one line
    body: str
    facts: Mapping[str, str | int | bool | list[str] | None] = field(default_factory=dict)  # for programs


class Channel(Protocol):
    """A way to somebody."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> None:
        """Returns once it was taken over. Raises DestinationUnavailable."""
